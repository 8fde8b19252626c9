"""Whether a recipe that the user wrote makes a network of staircases, and which passes it lacks where it does not."""

from __future__ import annotations

from collections.abc import Sequence

from onnx2snn.errors import Onnx2SnnError, UsageError
from onnx2snn.ir import Graph, Node
from onnx2snn.ir.ops import Readout
from onnx2snn.passes.add_readouts import SPIKING
from onnx2snn.passes.base import Pass, run_passes
from onnx2snn.passes.hints import HINTS, TAKEN_BY
from onnx2snn.passes.recipes import STAIRCASES
from onnx2snn.reference import tail_nodes

ORDER = [step.name for step in STAIRCASES]
REAL = "has no spiking form where it stands"


def check_complete(recipe: Sequence[Pass], made: Graph, start: Graph) -> None:
    """Raises `UsageError` where a recipe lacks passes for ops that it left in `made`, the graph of staircases to be.

    start: what the recipe made it of; the passes named are those of `STAIRCASES` that help, found by trying.
    """
    names, tail = {step.name for step in recipe}, tail_nodes(made)
    left = {kind: [node for node in made.of(kind) if node.name not in tail] for kind in TAKEN_BY}
    lacking = [kind for kind, nodes in left.items() if nodes and TAKEN_BY[kind] not in names]
    if lacking:
        expected = " and ".join(TAKEN_BY[kind] for kind in lacking)
        found = " and ".join(f"{len(left[kind])} {kind.__name__}" for kind in lacking)
        raise UsageError(f"`passes`: {expected} expected in the recipe before map-neurons, found {found} left")
    real = _real(made)
    if not real:
        return
    helping = _helping(recipe, start)
    if helping:
        found = ", ".join(str(node) for node in real)
        raise UsageError(
            f"`passes`: {' and '.join(helping)} expected in the recipe before map-neurons, found {found} real-valued"
        )
    raise UsageError("`passes`: left real-valued", [f"{node}: {HINTS.get(type(node.op), REAL)}" for node in real])


def check_ends(made: Graph) -> None:
    """Raises `UsageError` where an output of the network that a recipe made has no readout: nothing reads it then."""
    tail = tail_nodes(made)
    ends = [made[name] for name in made.outputs if name not in tail and not isinstance(made[name].op, Readout)]
    if ends:
        found = ", ".join(map(str, ends))
        raise UsageError(f"`passes`: add-readouts expected in the recipe, found output {found} without a readout")


def _real(made: Graph) -> list[Node]:
    """Nodes that have no spiking form, and do not stand behind the readouts."""
    tail = tail_nodes(made)
    return [node for node in made if node.name not in tail and not isinstance(node.op, (*SPIKING, Readout))]


def _helping(recipe: Sequence[Pass], start: Graph) -> list[str]:
    """The fewest passes of `STAIRCASES` with which nothing would be left; none where all of them do not suffice."""
    missing = [step for step in STAIRCASES if step.name not in {other.name for other in recipe}]
    if not _suffice(recipe, missing, start):
        return []
    for step in list(missing):
        others = [other for other in missing if other is not step]
        if _suffice(recipe, others, start):
            missing = others
    return [step.name for step in missing]


def _suffice(recipe: Sequence[Pass], more: Sequence[Pass], start: Graph) -> bool:
    whole = list(recipe)
    for step in more:
        later = set(ORDER[ORDER.index(step.name) :])
        place = next((i for i, other in enumerate(whole) if other.name in later), len(whole))
        whole.insert(place, step)
    try:
        return not _real(run_passes(start, whole))
    except Onnx2SnnError:
        return False
