"""One sample run tick by tick, with every spike and every membrane kept: what a raster and a membrane trace show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from onnx2snn.errors import GraphError
from onnx2snn.ir import Graph
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Neuron
from onnx2snn.reference.neurons import State
from onnx2snn.reference.spiking import Run, run


@dataclass(frozen=True)
class Trace:
    """What populations did with one sample; by population, (ticks, *features), or (ticks, neurons) of chosen ones.

    run: the whole run, batch of one.  spikes: net spikes sent at each tick, int64.
    membranes: potentials at the end of each tick, after firing and reset; int64 or float64, in the units of `theta`.
    peaks: potentials before firing, leak and charge taken in.  currents: what they took in, after the synapse.
    Ticks are those up to the last spike, at least the inject steps: `run.steps`.
    """

    run: Run
    spikes: dict[str, Array]
    membranes: dict[str, Array]
    peaks: dict[str, Array]
    currents: dict[str, Array]


def trace(
    graph: Graph, x: Array, steps: int, settle: int | None = None, chosen: Mapping[str, Array] | None = None
) -> Trace:
    """Runs one sample `x` (1, *input shape) as `run` does, and keeps what its neurons did.

    chosen: flat indices of the neurons to keep, by population; None: all neurons of all populations.
    Raises `GraphError` for more samples than one and for a name that is no population.
    """
    if len(x) != 1:
        raise GraphError(f"one sample expected, found {len(x)}")
    names = [node.name for node in graph.of(Neuron)]
    for name in chosen or ():
        if name not in names:
            raise GraphError(f"a neuron population expected, found {name!r}; there are: {', '.join(names)}")
    keeper = _Keeper(dict.fromkeys(names) if chosen is None else dict(chosen))
    whole = run(graph, x, steps, settle, keeper.keep)
    counts = {name: np.stack(found[: whole.steps]) for name, found in keeper.counts.items()}
    return Trace(
        whole,
        {name: np.diff(n, axis=0, prepend=np.zeros_like(n[:1])) for name, n in counts.items()},
        {name: np.stack(found[: whole.steps]) for name, found in keeper.membranes.items()},
        {name: np.stack(found[: whole.steps]) for name, found in keeper.peaks.items()},
        {name: np.stack(found[: whole.steps]) for name, found in keeper.currents.items()},
    )


@dataclass
class _Keeper:
    chosen: dict[str, Array | None]
    counts: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])
    membranes: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])
    peaks: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])
    currents: dict[str, list[Array]] = field(default_factory=dict[str, list[Array]])

    def keep(self, states: Mapping[str, State]) -> None:
        """Notes the counts and membranes of one tick."""
        for name, indices in self.chosen.items():
            state = states[name]
            self.counts.setdefault(name, []).append(_copy(state.n, indices))
            self.membranes.setdefault(name, []).append(_copy(state.v, indices))
            self.peaks.setdefault(name, []).append(_copy(state.peak, indices))
            self.currents.setdefault(name, []).append(_copy(state.current, indices))


def _copy(values: Array, indices: Array | None) -> Array:
    """Of (1, *features): all of them, or those at flat indices."""
    return values[0].copy() if indices is None else values[0].ravel()[indices]
