"""Counters turned into figures: rates, synaptic operations and MACs, by layer and in all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import MaxPool, Neuron
from onnx2snn.metrics.counters import Counters
from onnx2snn.metrics.energy import Work
from onnx2snn.metrics.fan_out import FanOut, units
from onnx2snn.reference import constant_nodes

Role = Literal["encoder", "hidden", "pool"]


@dataclass(frozen=True)
class LayerActivity:
    """One population (or max pool) over all samples.

    role: "encoder" where constant charge alone drives it, "pool" for a max pool, else "hidden".
    neurons: those of one sample, each of its units.  spikes: of either sign, `down` of them negative.
    rate: spikes per neuron and step in which it computes; its share of silence is the sparsity, 1 - rate.
    operations: synaptic operations, sum of |spikes| x fan-out, `readout_operations` of them at readouts,
    `connected_operations` of them through weights that are not zero.
    updates: neurons x steps.  macs: multiplications in an ANN with the same layers, `macs_active` where zeros are
    skipped. None: not counted, because the backend's simulator does not tell.
    """

    name: str
    neurons: int
    spikes: int
    rate: float
    role: Role = "hidden"
    down: int | None = None
    operations: int | None = None
    readout_operations: int | None = None
    connected_operations: int | None = None
    updates: int = 0
    macs: int | None = None
    macs_active: int | None = None
    hidden_macs: int | None = None

    @property
    def sparsity(self) -> float:
        """Share of neurons and steps without a spike."""
        return 1 - self.rate


@dataclass(frozen=True)
class InputActivity:
    """What constant charge comes from: multiplied once a sample, then handed out over the inject steps."""

    name: str
    entries: int
    macs: int
    macs_active: int


@dataclass(frozen=True)
class Totals:
    """Means per sample over all populations and max pools; rate and sparsity over populations alone.

    rate_hidden: without the encoder, in numerator and denominator.
    """

    neurons: int
    spikes: float
    rate: float
    rate_hidden: float | None
    operations: float
    readout_operations: float
    connected_operations: float
    updates: float
    input_macs: float
    input_macs_active: float
    macs: float
    macs_active: float

    @property
    def sparsity(self) -> float:
        """Share of neurons and steps without a spike."""
        return 1 - self.rate

    @property
    def work(self) -> Work:
        """What a device is asked to do for one sample."""
        return Work(
            synaptic_operations=self.operations,
            neuron_updates=self.updates,
            spikes=self.spikes,
            input_macs=self.input_macs,
            macs=self.macs,
            macs_active=self.macs_active,
        )


def roles(graph: Graph) -> dict[str, Role]:
    """The role of every population, and of every max pool that spikes reach, in topological order."""
    constant = constant_nodes(graph)
    moved: set[str] = set()  #: nodes that spikes reach
    found: dict[str, Role] = {}
    for node in graph:
        reached = any(source in moved for source in node.inputs)
        if isinstance(node.op, Neuron):
            found[node.name] = "hidden" if reached else "encoder"
        elif isinstance(node.op, MaxPool) and reached and node.name not in constant:
            found[node.name] = "pool"
        if reached or isinstance(node.op, Neuron):
            moved.add(node.name)
    return found


def layers(
    graph: Graph, samples: int, steps: int, fired: Counters, counted: Counters | None, fans: dict[str, FanOut]
) -> tuple[LayerActivity, ...]:
    """Figures of every population, and with `counted` (of a `Tally`) of every max pool and of synapses.

    steps: those in which each population computes.  fired: spikes of either sign by name, of all samples.
    """
    found: list[LayerActivity] = []
    for name, role in roles(graph).items():
        if role == "pool" and (counted is None or name not in fans):
            continue
        neurons = prod(graph.shape(name)) * units(graph[name].op)
        spikes = int(fired[name].sum()) if name in fired else total(counted or {}, "spikes", name)
        more: dict[str, int] = {}
        if counted is not None:
            fan = fans[name]
            kinds = {"operations": "operations", "readout": "readout_operations", "connected": "connected_operations"}
            more = {field: total(counted, kind, name) for kind, field in kinds.items()}
            more |= {"macs": samples * int(fan.macs.sum()), "hidden_macs": samples * int(fan.hidden_macs.sum())}
            more |= {"macs_active": total(counted, "active", name), "down": total(counted, "down", name)}
        rate = spikes / (neurons * samples * steps)
        updates = 0 if role == "pool" else neurons * samples * steps
        found.append(LayerActivity(name, neurons, spikes, rate, role, updates=updates, **more))
    return tuple(found)


def inputs(graph: Graph, samples: int, counted: Counters, fans: dict[str, FanOut]) -> tuple[InputActivity, ...]:
    """Figures of everything that constant charge comes from."""
    constant = constant_nodes(graph)
    return tuple(
        InputActivity(
            name, prod(graph.shape(name)), samples * int(fans[name].macs.sum()), total(counted, "active", name)
        )
        for name in (node.name for node in graph)
        if name in constant and name in fans
    )


def total(counted: Counters, kind: str, name: str) -> int:
    """The sum of a counter; 0 where nothing was counted."""
    values = counted.get(f"{kind}/{name}")
    return 0 if values is None else int(values.sum())


def totals(samples: int, found: Iterable[LayerActivity], entries: Iterable[InputActivity]) -> Totals:
    """Means per sample."""
    rows, sources = list(found), list(entries)
    populations = [row for row in rows if row.role != "pool"]
    hidden = [row for row in populations if row.role == "hidden"]

    def mean(*values: int | None) -> float:
        return sum(value or 0 for value in values) / samples

    return Totals(
        neurons=sum(row.neurons for row in populations),
        spikes=mean(*(row.spikes for row in populations)),
        rate=_rate(populations) or 0.0,
        rate_hidden=_rate(hidden),
        operations=mean(*(row.operations for row in rows)),
        readout_operations=mean(*(row.readout_operations for row in rows)),
        connected_operations=mean(*(row.connected_operations for row in rows)),
        updates=mean(*(row.updates for row in rows)),
        input_macs=mean(*(row.macs for row in sources)),
        input_macs_active=mean(*(row.macs_active for row in sources)),
        macs=mean(*(row.macs for row in (*rows, *sources))),
        macs_active=mean(*(row.macs_active for row in (*rows, *sources))),
    )


def _rate(rows: list[LayerActivity]) -> float | None:
    updates = sum(row.updates for row in rows)
    return sum(row.spikes for row in rows) / updates if updates else None


def per_tick(counted: Counters, kind: str, ticks: int, names: Iterable[str]) -> list[int]:
    """A counter at each tick, summed over layers."""
    sums = np.zeros(ticks, np.int64)
    for name in names:
        values = counted.get(f"{kind}/{name}", np.zeros(0, np.int64))[:ticks]
        sums[: len(values)] += values
    return [int(value) for value in sums]
