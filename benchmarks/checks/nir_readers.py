"""Other tools' NIR, both ways: our exports run by their readers, their exports run by us, spike for spike.

In the project's environment, then in one with the other tools, then in the project's again:

    python benchmarks/checks/nir_readers.py make FOLDER
    python benchmarks/checks/nir_readers.py run FOLDER
    python benchmarks/checks/nir_readers.py compare FOLDER

`make` exports small random networks with the `nir` backend and writes what the NumPy simulator counts. `run` loads
these files with each tool that can, counts its spikes, and writes networks of each tool with the spikes they fire.
`compare` imports the latter, runs them and writes all differences to benchmarks/results/nir_readers.json; it exits with
1 where an import that should be exact is not. The second environment, on Python 3.11:

    pip install torch==2.13.0 nir==1.0.8 h5py matplotlib pbr loguru tqdm
    pip install --no-deps nirtorch==2.6 snntorch==1.0.0 spikingjelly==2.0.0 sinabs==3.1.3 norse==1.1.0
    pip install --no-deps --target OLD nir==1.0.4 nirtorch==1.0   # for sinabs and norse: PYTHONPATH=OLD ... run FOLDER

sinabs 3.1.3 and norse 1.1.0 were written for the older nir and nirtorch; `run` skips what does not load, and says so.
Nothing of these tools is needed by the package itself.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

#: Dynamics that differ from what the file says: several spikes a step; a threshold subtracted again from what stays
#: above it; an input gain of the synapse that is left out of the file.
OTHERWISE = ("sinabs-multi", "snntorch-subtract", "snntorch-synaptic-subtract", "norse-current")
SAMPLES, STEPS, SEEDS = 16, 32, (0, 1, 2)
RESULTS = Path(__file__).parents[1] / "results" / "nir_readers.json"
TOOLS = ("torch", "nir", "nirtorch", "snntorch", "spikingjelly", "sinabs", "norse")
Steps = Callable[[Any], Any]


# -- in the project's environment: our exports -------------------------------------------------------------------------


def make(folder: Path) -> None:
    """Files of our own with the counts of each layer's neurons, the input and the steps."""
    from onnx2snn.artifact import Source
    from onnx2snn.backends.nir import FILE
    from onnx2snn.flow.conversion.convert import Conversion
    from onnx2snn.flow.conversion.options import Options
    from onnx2snn.ir import parse_graph
    from onnx2snn.plugins import load_backend

    for seed in SEEDS:
        graph = parse_graph(network(np.random.default_rng(seed)))
        options = Options(code="if", integer=False, steps=STEPS)
        conversion = Conversion(graph, Source("random", "0" * 64), options)
        backend = load_backend("nir")
        place = folder / f"ours-{seed}"
        place.mkdir(parents=True, exist_ok=True)
        lowered = conversion.lower(backend)
        backend.emit(lowered, place)
        x = np.random.default_rng(100 + seed).random((SAMPLES, 12)).astype(np.float32)
        run = conversion.simulate(x)
        np.savez(place / "expected.npz", x=x, output=run.output, spikes=sum(run.spikes.values()))
        print(f"{place / FILE}: {sum(run.spikes.values())} spikes")


def network(rng: np.random.Generator) -> str:
    """A dense chain of two populations behind a quantised input, weights of 4 bits."""

    def weights(out: int, inside: int) -> str:
        codes = rng.integers(-7, 8, (out, inside))
        numbers = ", ".join(map(str, codes.ravel()))
        return f"{{weight=i8[{out},{inside}]{{{numbers}}}, scale=f64[{out}]{{{', '.join(['0.0625'] * out)}}}}}"

    grid = "{scale=f64[]{0.0625}, zero_point=0, qmin=0, qmax=15}"
    return f"""graph net {{
      x : 12 = input(){{shape=(12)}}
      q : 12 = quantise(x){grid}
      a : 20 = dense(q){weights(20, 12)}
      an : 20 = quantise(a){grid}
      b : 16 = dense(an){weights(16, 20)}
      bn : 16 = quantise(b){grid}
      c : 6 = dense(bn){weights(6, 16)}
      return c
    }}"""


# -- in the environment with the other tools ---------------------------------------------------------------------------


def run(folder: Path) -> None:
    """Runs our files with each reader, and writes files of each tool; what fails is noted with its error."""
    found: dict[str, Any] = {"versions": versions(), "ours": {}, "theirs": {}}
    old = folder / "run.json"
    if old.is_file():  # a second environment adds to what the first one found
        found |= {k: v for k, v in json.loads(old.read_text()).items() if k != "versions"}
        found["versions"] = json.loads(old.read_text())["versions"] | {
            f"{k} (older)" if k in ("nir", "nirtorch") else k: v for k, v in versions().items()
        }
    for name, reader in READERS.items():
        attempt(found["ours"], name, lambda reader=reader: [reader(folder / f"ours-{seed}") for seed in SEEDS])
    for name, (writer, how) in WRITERS.items():
        attempt(found["theirs"], name, lambda w=writer, n=name, h=how: [w(folder / f"{n}-{s}", s) or h for s in SEEDS])
    old.write_text(json.dumps(found, indent=2))
    print(json.dumps(found, indent=2))


def attempt(notes: dict[str, Any], name: str, work: Callable[[], Any]) -> None:
    """Notes what a tool gives, or its error where it gave nothing yet."""
    try:
        notes[name] = work()
    except Exception as error:  # noqa: BLE001  whatever a tool says of a file is what is to be told
        notes.setdefault(name, f"{type(error).__name__}: {str(error).strip().splitlines()[:1]}")


def versions() -> dict[str, str]:
    """Versions of the tools that are there."""
    found: dict[str, str] = {"python": sys.version.split()[0]}
    for tool in TOOLS:
        try:
            found[tool] = importlib.metadata.version(tool)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def drift(place: Path, step: Steps) -> dict[str, Any]:
    """Runs a reader's network on our input and compares what comes out with our readout.

    step: current (samples, 12) of one step to the output (samples, 6) of that step.
    """
    import torch

    expected = np.load(place / "expected.npz")
    steps, scale = STEPS, 0.0625
    encoded = np.clip(np.round(expected["x"] / scale), 0, 15) * scale / steps
    total = np.zeros(expected["output"].shape)
    with torch.no_grad():
        for _ in range(steps):
            total = total + step(torch.tensor(encoded, dtype=torch.float32)).numpy().astype(float)
    error = np.abs(total - expected["output"])
    answers = total.argmax(axis=1) == expected["output"].argmax(axis=1)
    span = np.ptp(expected["output"])
    return {
        "outputs": total.size,
        "equal": int((error < 1e-4).sum()),
        "mean_error": round(float(error.mean()), 6),
        "largest_error": round(float(error.max()), 6),
        "range_of_outputs": round(float(span), 6),
        "same_answer": int(answers.sum()),
        "samples": len(answers),
    }


def graph_of(place: Path) -> Any:
    import nir

    return nir.read(str(place / "network.nir"))


def snntorch_reads(place: Path) -> dict[str, Any]:
    from snntorch.import_nir import import_from_nir  # type: ignore[import-not-found]

    return drift(place, stateful(import_from_nir(graph_of(place))))


def spikingjelly_reads(place: Path) -> dict[str, Any]:
    """Its IF takes r = 1 / dt alone: dt is one here, as our metadata say."""
    from spikingjelly.activation_based.nir_exchange.from_nir import import_from_nir  # type: ignore[import-not-found]

    return drift(place, stateful(import_from_nir(graph_of(place), dt=1.0)))


def norse_reads(place: Path) -> dict[str, Any]:
    import norse.torch as norse  # type: ignore[import-not-found]

    return drift(place, stateful(norse.from_nir(graph_of(place), dt=1.0)))


def sinabs_reads(place: Path) -> dict[str, Any]:
    """Keeps its membranes itself; steps come one after the other along the batch."""
    import torch
    from sinabs.nir import from_nir  # type: ignore[import-not-found]

    net = from_nir(graph_of(place), batch_size=SAMPLES)

    def step(x: Any) -> Any:
        found = net(x)
        return found[0] if isinstance(found, tuple) else found

    return drift(place, lambda x: step(x.to(torch.float32)))


def stateful(net: Any) -> Steps:
    """A module that returns (output, state), as nirtorch makes it, one step after the other."""
    state: list[Any] = [None]

    def step(x: Any) -> Any:
        found = net(x, state[0]) if state[0] is not None else net(x)
        if isinstance(found, tuple):
            state[0] = found[1]
            return found[0]
        return found

    return step


READERS = {
    "snntorch": snntorch_reads,
    "spikingjelly": spikingjelly_reads,
    "norse": norse_reads,
    "sinabs": sinabs_reads,
}


def written(place: Path, graph: Any, x: Any, step: Steps) -> None:
    """Writes a tool's graph, its input and the spikes of its last layer at every step."""
    import nir
    import torch

    place.mkdir(parents=True, exist_ok=True)
    plain(graph)
    nir.write(str(place / "network.nir"), graph)
    with torch.no_grad():
        train = [step(x).numpy() for _ in range(STEPS)]
    np.savez(place / "theirs.npz", x=x.numpy(), train=np.stack(train).reshape(STEPS, len(x), -1))


def plain(graph: Any) -> None:
    """Tensors as arrays: not every version of nir writes tensors, and none a scalar one."""
    import torch

    for node in graph.nodes.values():
        for key, value in vars(node).items():
            if isinstance(value, torch.Tensor):
                setattr(node, key, np.atleast_1d(value.detach().numpy()))


def samples(seed: int, *shape: int) -> Any:
    import torch

    return torch.rand(SAMPLES, *shape, generator=torch.Generator().manual_seed(seed))


def snntorch_leaky(place: Path, seed: int, reset: str) -> None:
    """Leaky neurons; the reset takes effect at once, as NIR means it (reset_delay=False)."""
    import snntorch as snn  # type: ignore[import-not-found]
    import torch
    from snntorch.export_nir import export_to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)

    def leaky(neurons: int, beta: float, last: bool) -> Any:
        ones = torch.ones(neurons)
        return snn.Leaky(
            beta=beta * ones,
            threshold=ones / 2,
            init_hidden=True,
            output=last,
            reset_mechanism=reset,
            reset_delay=False,
        )

    layers = torch.nn.Linear(12, 20), leaky(20, 0.9, False), torch.nn.Linear(20, 6), leaky(6, 0.75, True)
    net = torch.nn.Sequential(*layers)
    graph = export_to_nir(net, torch.rand(1, 12), ignore_dims=[0])
    for layer in (layers[1], layers[3]):
        layer.mem = layer.reset_mem()
    written(place, graph, samples(seed, 12), lambda x: net(x)[0])


def snntorch_synaptic(place: Path, seed: int, reset: str) -> None:
    """Leaky neurons behind a synaptic current (CubaLIF)."""
    import snntorch as snn  # type: ignore[import-not-found]
    import torch
    from snntorch.export_nir import export_to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)

    def synaptic(neurons: int, alpha: float, beta: float, last: bool) -> Any:
        ones = torch.ones(neurons)
        return snn.Synaptic(
            alpha=alpha * ones,
            beta=beta * ones,
            threshold=ones,
            init_hidden=True,
            output=last,
            reset_mechanism=reset,
            reset_delay=False,
        )

    layers = (
        torch.nn.Linear(12, 20),
        synaptic(20, 0.8, 0.9, False),
        torch.nn.Linear(20, 6),
        synaptic(6, 0.5, 0.75, True),
    )
    net = torch.nn.Sequential(*layers)
    graph = export_to_nir(net, torch.rand(1, 12), ignore_dims=[0])
    for layer in (layers[1], layers[3]):
        layer.reset_mem()
    written(place, graph, samples(seed, 12), lambda x: net(x)[0])


def spikingjelly_conv(place: Path, seed: int) -> None:
    """Convolution, IF, average pool, dense, LIF, all with hard reset, which is all that it exports."""
    import torch
    from spikingjelly.activation_based import functional, layer, neuron  # type: ignore[import-not-found]
    from spikingjelly.activation_based.nir_exchange.to_nir import export_to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)
    fire = neuron.IFNode(v_threshold=0.5), neuron.LIFNode(tau=2.0, v_threshold=0.1)
    net = torch.nn.Sequential(
        layer.Conv2d(1, 4, 3, padding=1), fire[0], layer.AvgPool2d(2), layer.Flatten(), layer.Linear(64, 6), fire[1]
    )
    graph = export_to_nir(net, torch.rand(1, 1, 8, 8))
    functional.reset_net(net)
    written(place, graph, samples(seed, 1, 8, 8), net)


def spikingjelly_current(place: Path, seed: int) -> None:
    """Leaky neurons behind a synaptic current (CubaLIF), with hard reset."""
    import torch
    from spikingjelly.activation_based import functional, layer, neuron  # type: ignore[import-not-found]
    from spikingjelly.activation_based.nir_exchange.to_nir import export_to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)
    fire = [
        neuron.CUBALIFNode(c_decay=c, v_decay=v, v_threshold=1.0, v_reset=0.0) for c, v in ((0.8, 0.9), (0.5, 0.75))
    ]
    net = torch.nn.Sequential(layer.Linear(12, 20), fire[0], layer.Linear(20, 6), fire[1])
    graph = export_to_nir(net, torch.rand(1, 12))
    functional.reset_net(net)
    written(place, graph, samples(seed, 12), net)


def sinabs_conv(place: Path, seed: int, single: bool) -> None:
    """Convolution, IAF, sum pool, dense, IAF with soft reset; one spike a step, or as many as fit (its default)."""
    import sinabs.activation as sa  # type: ignore[import-not-found]
    import sinabs.layers as sl  # type: ignore[import-not-found]
    import torch
    from sinabs.nir import to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)
    spike = sa.SingleSpike if single else sa.MultiSpike

    def fire() -> Any:
        return sl.IAFSqueeze(batch_size=SAMPLES, spike_fn=spike, spike_threshold=torch.tensor(1.0))

    first, last = fire(), fire()
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), first, sl.SumPool2d(2), torch.nn.Flatten(), torch.nn.Linear(36, 6), last
    )
    x = samples(seed, 1, 8, 8)
    net(x)
    graph = to_nir(net, x)
    for node in graph.nodes.values():  # shapes that this version of nir leaves out and cannot write so
        if type(node).__name__ == "Conv2d":
            node.input_shape = (8, 8)
        elif type(node).__name__ == "Flatten":
            node.input_type = {"input": np.array([4, 3, 3])}
    for module in (first, last):
        module.reset_states()
    written(place, graph, x, net)


def norse_leaky(place: Path, seed: int) -> None:
    """Leaky neurons that reset to zero; tau is written as dt times the time constant."""
    import norse.torch as norse  # type: ignore[import-not-found]
    import torch
    from norse.torch.utils.export_nir import to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)

    def leaky(tau_mem_inv: float) -> Any:
        numbers = {"tau_mem_inv": torch.tensor([tau_mem_inv]), "v_th": torch.tensor([0.1]), "v_leak": torch.zeros(1)}
        return norse.LIFBoxCell(norse.LIFBoxParameters(**numbers))

    net = norse.SequentialState(torch.nn.Linear(12, 20), leaky(100.0), torch.nn.Linear(20, 6), leaky(250.0))
    written(place, to_nir(net, torch.rand(1, 12)), samples(seed, 12), stateful(net))


def norse_current(place: Path, seed: int, gain: bool) -> None:
    """LIFCell (CubaLIF): its synapse adds the whole input, which is w_in = tau_syn / dt; its files say w_in = 1.

    gain: w_in put right in the file.
    """
    import norse.torch as norse  # type: ignore[import-not-found]
    import torch
    from norse.torch.utils.export_nir import to_nir  # type: ignore[import-not-found]

    torch.manual_seed(seed)

    def cell(tau_syn_inv: float, tau_mem_inv: float) -> Any:
        numbers = {"tau_syn_inv": tau_syn_inv, "tau_mem_inv": tau_mem_inv, "v_th": 0.2, "v_leak": 0.0}
        return norse.LIFCell(norse.LIFParameters(**{key: torch.tensor([value]) for key, value in numbers.items()}))

    layers = torch.nn.Linear(12, 20), cell(200.0, 100.0), torch.nn.Linear(20, 6), cell(500.0, 250.0)
    net = norse.SequentialState(*layers)
    graph = to_nir(net, torch.rand(1, 12))
    for node in graph.nodes.values() if gain else ():
        if type(node).__name__ == "CubaLIF":
            node.w_in = node.tau_syn / 1e-6  # the length of a step in the unit that it writes
    written(place, graph, samples(seed, 12), stateful(net))


WRITERS: dict[str, tuple[Callable[[Path, int], None], dict[str, Any]]] = {
    "snntorch-subtract": (lambda p, s: snntorch_leaky(p, s, "subtract"), {"reset": "subtract"}),
    "snntorch-zero": (lambda p, s: snntorch_leaky(p, s, "zero"), {"reset": "zero"}),
    "spikingjelly": (spikingjelly_conv, {}),
    "spikingjelly-current": (spikingjelly_current, {}),
    "norse": (norse_leaky, {"reset": "zero", "dt": 1e-6}),
    "snntorch-synaptic-zero": (lambda p, s: snntorch_synaptic(p, s, "zero"), {"reset": "zero"}),
    "snntorch-synaptic-subtract": (lambda p, s: snntorch_synaptic(p, s, "subtract"), {"reset": "subtract"}),
    "norse-current": (lambda p, s: norse_current(p, s, False), {"reset": "zero", "dt": 1e-6}),
    "norse-current-gain": (lambda p, s: norse_current(p, s, True), {"reset": "zero", "dt": 1e-6}),
    "sinabs-single": (lambda p, s: sinabs_conv(p, s, True), {"reset": "subtract"}),
    "sinabs-multi": (lambda p, s: sinabs_conv(p, s, False), {"reset": "subtract"}),
}


# -- in the project's environment again: their exports -----------------------------------------------------------------


def compare(folder: Path) -> int:
    """Imports each file, runs it and counts; returns how many counts differ where a tool's dynamics are ours."""
    from onnx2snn import convert

    notes = json.loads((folder / "run.json").read_text())
    found: dict[str, Any] = {}
    for name, how in notes["theirs"].items():
        if isinstance(how, str):
            found[name] = {"not_run": how}
            continue
        total, wrong, spikes = 0, 0, 0
        for seed, options in zip(SEEDS, how, strict=True):
            place = folder / f"{name}-{seed}"
            theirs = np.load(place / "theirs.npz")
            counts = theirs["train"].sum(axis=0)
            net = convert(place / "network.nir", steps=STEPS, **options)
            x = theirs["x"].reshape(-1, *net.network.input_shape)  # norse writes a batch of one into its shapes
            ours = net.simulate(x).output
            total, spikes = total + counts.size, spikes + int(counts.sum())
            wrong += int((np.abs(ours.reshape(counts.shape) - counts) > 1e-9).sum())
        found[name] = {"counts": total, "spikes": spikes, "differ": wrong, "read_as": how[0]}
    ours = {name: runs if isinstance(runs, list) else {"not_run": runs} for name, runs in notes["ours"].items()}
    RESULTS.parent.mkdir(exist_ok=True)
    command = "python benchmarks/checks/nir_readers.py make|run|compare FOLDER"
    record = {"command": command, "steps": STEPS, "versions": notes["versions"], "dynamics_of_their_own": OTHERWISE}
    RESULTS.write_text(json.dumps({**record, "ours_read_by": ours, "theirs_read_by_us": found}, indent=2) + "\n")
    print(RESULTS.read_text())
    return sum(f.get("differ", 0) for name, f in found.items() if name not in OTHERWISE)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("make", "run", "compare"):
        sys.exit(__doc__)
    if sys.argv[1] == "compare":
        sys.exit(compare(Path(sys.argv[2])) > 0)
    {"make": make, "run": run}[sys.argv[1]](Path(sys.argv[2]))
