"""Writing a network as `model.py`, which needs nothing but PyTorch, and `weights.safetensors` beside it."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.numpy import save

from onnx2snn.artifact import Network
from onnx2snn.backends.torch.lower import Layer, Plan, lower
from onnx2snn.backends.torch.standalone import runtime_text

MODEL_FILE = "model.py"
WEIGHT_FILE = "weights.safetensors"
WIDTH = 110


def emit(network: Network, folder: Path) -> None:
    """Writes both files into `folder`; the same network gives the same bytes."""
    plan = lower(network.graph, network.schedule.steps, network.schedule.settle)
    (folder / MODEL_FILE).write_text(model_text(network, plan), encoding="utf-8")
    arrays = {f"{layer.identifier}.{key}": array for layer in plan.layers for key, array in layer.arrays.items()}
    (folder / WEIGHT_FILE).write_bytes(save(dict(sorted(arrays.items()))))


def model_text(network: Network, plan: Plan) -> str:
    """The text of `model.py`: the layers that it needs, then the network."""
    return f"{_head(network, plan)}\n\n{runtime_text(layer.kind for layer in plan.layers)}\n\n{_class(network, plan)}"


def _head(network: Network, plan: Plan) -> str:
    settling = "until it is silent" if plan.settle is None else f"for {plan.settle} steps"
    arithmetic = "real arithmetic, trainable" if plan.real else "whole numbers, exact on every device"
    return f'''"""A spiking network of {network.code} neurons in {arithmetic}.

It takes its input for {plan.steps} inject steps, then settles {settling}. Needs PyTorch alone:

    net = Net.load(".")  # the folder of {WEIGHT_FILE}
    {", ".join(_names(plan))} = net({", ".join(_inputs(plan))})  # {_batches(plan)}
    net.counts, net.spikes, net.steps  # of that run

The network is class Net at the end; before it stand the layers that it is made of.
"""'''


def _class(network: Network, plan: Plan) -> str:
    made = [line for layer in plan.layers if layer.kind != "Input" for line in _make(layer)]
    calls = [_call(layer) for layer in plan.layers]
    shapes = [layer.shape for output in plan.outputs for layer in plan.layers if layer.identifier == output]
    frozen = [] if plan.real else ["        self.requires_grad_(False)"]
    lines = [
        "# -- the network " + "-" * (WIDTH - 17),
        "",
        f"CLOCK = Clock(steps={plan.steps}, settle={plan.settle}, bound={plan.bound})",
        "",
        "",
        "class Net(SpikingNet):",
        f'    """From {_batches(plan)} to {", ".join(f"({_sizes(shape)})" for shape in shapes)}."""',
        "",
        "    def __init__(self, arrays: dict[str, Tensor]) -> None:",
        "        super().__init__(CLOCK)",
        *made,
        *frozen,
        "",
        f"    def forward(self, {', '.join(f'{name}: Tensor' for name in _inputs(plan))}) -> {_returned(plan)}:",
        *calls,
        f"        return {', '.join(f'{output}.values' for output in plan.outputs)}",
        "",
        "    @staticmethod",
        "    def load(folder: str | Path) -> Net:",
        f'        """The network with the arrays of `{WEIGHT_FILE}` in `folder`."""',
        f'        return Net(read_safetensors(Path(folder) / "{WEIGHT_FILE}"))',
    ]
    return "\n".join(lines) + "\n"


def _make(layer: Layer) -> list[str]:
    """The line that makes a layer, one argument a line where it is long."""
    arguments = [f'**part(arrays, "{layer.identifier}")'] if layer.arrays else []
    arguments += [f"{key}={_literal(value)}" for key, value in layer.options.items()]
    arguments += ["clock=CLOCK"] if layer.timed else []
    arguments += [f"name={_literal(layer.name)}"] if layer.name is not None else []
    arguments += [f"number=torch.{layer.number}"] if layer.number else []
    start = f"        self.{layer.identifier} = {layer.kind}("
    line = f"{start}{', '.join(arguments)})"
    if len(line) <= WIDTH:
        return [line]
    return [start, *(f"            {argument}," for argument in arguments), "        )"]


def _call(layer: Layer) -> str:
    if layer.kind == "Input":
        return f"        {layer.identifier} = still({layer.identifier})"
    call = f"self.{layer.identifier}({', '.join(layer.inputs)})"
    return f"        {layer.identifier} = {call}  # {'x'.join(map(str, layer.shape)) or 'scalar'}"


def _inputs(plan: Plan) -> list[str]:
    """What the inputs are called: the arguments of forward."""
    return [layer.identifier for layer in plan.layers if layer.kind == "Input"]


def _batches(plan: Plan) -> str:
    """The inputs with the shapes of their batches."""
    layers = [layer for layer in plan.layers if layer.kind == "Input"]
    return ", ".join(f"{layer.identifier}: (batch, {_sizes(layer.shape)})" for layer in layers)


def _names(plan: Plan) -> list[str]:
    """What the outputs are called in the example."""
    return ["output"] if len(plan.outputs) == 1 else [f"output_{i}" for i, _ in enumerate(plan.outputs, start=1)]


def _returned(plan: Plan) -> str:
    return "Tensor" if len(plan.outputs) == 1 else f"tuple[{', '.join('Tensor' for _ in plan.outputs)}]"


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
