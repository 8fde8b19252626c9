"""What a diagnosis says of a layer, in a sentence to act on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnx2snn.analysis.causes import TIMING, Cause
from onnx2snn.flow.verification.findings import LayerDiagnosis, Trial
from onnx2snn.ir import Graph

LOST: dict[Cause, str] = {
    "late": "late spikes",
    "irreversible": "spikes fired too soon, which its code cannot take back",
    "leak": "a membrane that leaks, as code lif has it",
    "clipping": "spikes above its staircase",
    "quantisation": "having fewer steps than levels",
    "integer rounding": "thresholds rounded to whole numbers",
}


def advice(layer: LayerDiagnosis, layers: Mapping[str, LayerDiagnosis], graph: Graph, trials: Sequence[Trial]) -> str:
    """What ails a layer, the worst first, and what was found to mend it; "" where nothing differs.

    layers: all of them, `graph`: the spiking network, `trials`: the remedies that were tried.
    """
    lost: list[Cause] = [cause for cause in LOST if layer.network[cause]]
    lost.sort(key=lambda cause: -layer.network[cause])
    said: list[str] = []
    if lost:
        parts = [f"{_percent(layer, cause)} to {LOST[cause]}" for cause in lost]
        said.append(f"{layer.name} loses, of its counts, {' and '.join(parts)}")
        said += _tried(layer, trials)
    if "integer rounding" in lost:
        said.append("its numbers have too few bits: a backend (or --bits) that allows more mends it")
    if layer.network["inherited"]:
        first = _origin(layer.name, layers, graph)
        mend = f": mend {first} first" if first else ""
        said.append(f"{layer.name}: {_percent(layer, 'inherited')} of its counts differ for what arrives{mend}")
    if layer.network["ties"]:
        ties = f"{_percent(layer, 'ties')} of its counts lie on a breakpoint"
        said.append(f"{layer.name}: {ties}, and the model's float32 decides them otherwise: nothing to mend")
    return "; ".join(said)


def _percent(layer: LayerDiagnosis, cause: Cause) -> str:
    return f"{100 * layer.network[cause] / max(1, layer.counts):.3g} %"


def _tried(layer: LayerDiagnosis, trials: Sequence[Trial]) -> list[str]:
    """What became of the layer under the remedies for what it has."""
    settled = [trial for trial in trials if trial.kind == "settle"]
    enough = next((trial for trial in settled if not trial.late[layer.name]), None)
    outcomes: list[str] = []
    if layer.network["late"] and enough is not None:
        outcomes.append(f"{enough.remedy} leaves none late and {_differing(layer, enough)}")
    elif layer.network["late"] and settled:
        outcomes.append(f"{settled[-1].remedy} leaves {settled[-1].late[layer.name]} late")
    outcomes += [
        f"{trial.remedy}: {_differing(layer, trial)}"
        for trial in trials
        if (trial.kind == "steps" and layer.network["quantisation"])
        or (trial.kind == "code" and any(layer.network[cause] for cause in TIMING))
    ]
    if not outcomes:
        return []
    now = f"tried on {trials[0].samples} samples, where {trials[0].before[layer.name]} counts differ now"
    return [f"{now}: {', '.join(outcomes)}"]


def _differing(layer: LayerDiagnosis, trial: Trial) -> str:
    after = trial.differing[layer.name]
    return f"{after or 'none'} differ{'s' if after < 2 else ''}"


def _origin(name: str, layers: Mapping[str, LayerDiagnosis], graph: Graph) -> str:
    """The population before this one that differs most for causes of its own."""
    above, waiting = set[str](), list(graph[name].inputs)
    while waiting:
        source = waiting.pop()
        if source not in above:
            above.add(source)
            waiting += graph[source].inputs
    guilty = [layer for other, layer in layers.items() if other in above and layer.own]
    return max(guilty, key=lambda layer: layer.own / layer.counts).name if guilty else ""
