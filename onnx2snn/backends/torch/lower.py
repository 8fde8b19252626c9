"""From a spiking graph to the layers of `runtime`, told in plain words: what `build` makes and `emit` writes."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from dataclasses import MISSING, dataclass, replace

import numpy as np

from onnx2snn.analysis.widths import MachineNumber, is_integer, narrowest, widths
from onnx2snn.backends.torch.rules import RULES
from onnx2snn.errors import BackendError
from onnx2snn.ir import Array, Graph, Op, Shape
from onnx2snn.ir.op import op_fields
from onnx2snn.ir.ops import MOVES, Add, Concat, Input, Neuron, Readout
from onnx2snn.reference import settle_bound

NUMBERLESS = (Input, Readout, *MOVES)  #: take values in whatever number they come

#: Public names of torch.nn.Module and of SpikingNet, and what the text of a network uses itself.
TAKEN = """
    T_destination add_module apply batch bfloat16 buffers call_super_init children clock compile counts cpu
    cuda double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter
    get_submodule half ipu load load_state_dict modules mtia named_buffers named_children named_modules
    named_parameters neurons parameters register_backward_hook register_buffer register_forward_hook
    register_forward_pre_hook register_full_backward_hook register_full_backward_pre_hook
    register_load_state_dict_post_hook register_load_state_dict_pre_hook register_module
    register_parameter register_state_dict_post_hook register_state_dict_pre_hook requires_grad_ self
    set_extra_state set_submodule share_memory spikes state_dict steps still to to_empty train training
    type xpu zero_grad
"""


@dataclass(frozen=True)
class Layer:
    """One node as a layer.

    identifier: its Python name.  kind: its class in `runtime`, or `Input`.  inputs: identifiers.
    arrays: its tensors.  options: its other arguments where they are not the default.
    number: the machine number of its whole numbers; None: real, or whatever comes.  timed: whether it takes the clock.
    name: of the population, where it is one.
    """

    identifier: str
    kind: str
    inputs: tuple[str, ...]
    arrays: dict[str, Array]
    options: dict[str, object]
    number: MachineNumber | None
    timed: bool
    name: str | None
    shape: Shape


@dataclass(frozen=True)
class Plan:
    """The layers of a network in order, what it returns, its clock, and whether it has parameters to train.

    outputs: identifiers of the readouts, or of the layers behind them.
    """

    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    steps: int
    settle: int | None
    bound: int
    real: bool


def lower(graph: Graph, steps: int, settle: int | None) -> Plan:
    """The plan of a spiking graph; raises `BackendError` with all that stands against it."""
    bound = settle_bound(graph, steps)
    ticks = steps + (bound if settle is None else settle)
    broken = [found for rule in RULES for found in rule(graph, ticks)]
    if broken:
        raise BackendError("PyTorch cannot run this network", broken)
    bits = widths(graph, ticks)
    names = identifiers(node.name for node in graph)
    layers = tuple(
        Layer(
            identifier=names[node.name],
            kind=type(node.op).__name__,
            inputs=tuple(names[source] for source in node.inputs),
            arrays={key: value for key, value in node.op.parameters().items() if isinstance(value, np.ndarray)},
            options=_options(node.op),
            number=narrowest(bits[node.name]) if bits[node.name] and not isinstance(node.op, NUMBERLESS) else None,
            timed=isinstance(node.op, (Add, Concat, Neuron)),
            name=node.name if isinstance(node.op, Neuron) else None,
            shape=graph.shape(node.name),
        )
        for node in graph
    )
    return Plan(
        layers, tuple(names[output] for output in graph.outputs), steps, settle, bound, real=not is_integer(graph)
    )


def leading(plan: Plan, outputs: Sequence[str]) -> Plan:
    """The part of a plan that leads to some of its layers, by identifier; all of its inputs stay."""
    needed = set(outputs)
    for layer in reversed(plan.layers):
        if layer.identifier in needed:
            needed |= set(layer.inputs)
    kept = tuple(layer for layer in plan.layers if layer.identifier in needed or layer.kind == "Input")
    return replace(plan, layers=kept, outputs=tuple(outputs))


def _options(op: Op) -> dict[str, object]:
    """Arguments that are no arrays and not at their default."""
    if isinstance(op, Input):
        return {}
    defaults = {name: field.default for name, field in op_fields(type(op)).items() if field.default is not MISSING}
    plain = {key: value for key, value in op.parameters().items() if not isinstance(value, np.ndarray)}
    return {key: value for key, value in plain.items() if value is not None and defaults.get(key, MISSING) != value}


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A Python name for each node name, all different and none that means something else already."""
    found: dict[str, str] = {}
    taken = {*TAKEN.split(), *keyword.kwlist}
    for name in names:
        plain = re.sub(r"[^0-9A-Za-z_]", "_", name)
        plain = plain if re.match(r"[A-Za-z]", plain) else f"n{plain}"
        candidate, count = plain, 1
        while candidate in taken:
            count += 1
            candidate = f"{plain}_{count}"
        found[name] = candidate
        taken.add(candidate)
    return found
