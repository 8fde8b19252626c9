"""The static certificate: what a spiking network is proven to compute, without any data.

For every neuron population the breakpoints of its integer table are compared, as whole accumulator values in exact
arithmetic, with those of the staircase it stands for; that the synapses before it make the same accumulator is
followed op by op. For a code whose resting count depends on the total charge alone, equal breakpoints are equal
counts for every input.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from onnx2snn.analysis.breakpoints import Climb, count_error, proven, surely_alike, table_breakpoints
from onnx2snn.analysis.coarser import coarsened, too_fine
from onnx2snn.analysis.faults import Fault, faults
from onnx2snn.analysis.follow import Follower, Link
from onnx2snn.analysis.lattice import TAIL, Lattice, Places, lattices
from onnx2snn.analysis.pairs import MOST_CASES, PairClimb, PairTable, check_pair
from onnx2snn.analysis.registers import membrane_bits, sum_bits
from onnx2snn.analysis.rows import distinct
from onnx2snn.analysis.unevenness import Arrivals, Spread, spread, steady
from onnx2snn.ir import Array, Graph, Node, same
from onnx2snn.ir.ops import LIF, Affine, Encoder, Input, Neuron, Readout, Staircase, whole_decay
from onnx2snn.reference import exact, settle_bound, tail_nodes
from onnx2snn.words import amount

Exactness = Literal["exact", "bounded", "analog"]
NONE = np.zeros((), np.int64)
APART = "levels apart"  #: how the reason ends where there are fewer steps than levels
UNQUANTISED = "the model has no quantiser here: its input is read"
WHOLE = f"{UNQUANTISED} as whole numbers"  #: how the reason of an encoder begins that rounds what the model does not
REAL = "computed in real arithmetic, which is not proven"


@dataclass(frozen=True)
class Verdict:
    """What is proven of one op of the spiking graph.

    breakpoints, proven: how many breakpoints it has over all channels, and how many equal the staircase's.
    bound: the largest count error that the op itself can add, given exact input.
    accumulator_bits: width of a signed register that its membrane (or sum) can never overflow; 0 where none is kept.
    tail: whether it stands behind the readout, where nothing spikes.
    counts: least and greatest count of the staircase that a population stands for.
    shift: fractional bits of its thresholds.  threshold_bits: what the largest takes, without a sign.
    faults: the channels whose breakpoints are not the staircase's, but for sums of two branches.
    """

    name: str
    op: str
    exactness: Exactness
    breakpoints: int = 0
    proven: int = 0
    bound: int = 0
    accumulator_bits: int = 0
    reason: str = ""
    tail: bool = False
    counts: tuple[int, int] | None = None
    shift: int = 0
    threshold_bits: int = 0
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """The verdicts on all ops of a spiking graph, in topological order.

    approximations: what passes changed of the trained network's meaning before the verdicts compare with it.
    """

    verdicts: tuple[Verdict, ...]
    approximations: tuple[str, ...] = ()

    @property
    def breakpoints(self) -> int:
        return sum(v.breakpoints for v in self.verdicts)

    @property
    def proven(self) -> int:
        return sum(v.proven for v in self.verdicts)

    @property
    def exact(self) -> bool:
        """Whether the whole network equals the quantised one in every count of every neuron."""
        return not self.approximations and self.proven_as_staircases

    @property
    def proven_as_staircases(self) -> bool:
        """Whether it equals the graph of staircases in every count, whatever that graph approximates."""
        return all(v.exactness == "exact" or v.tail for v in self.verdicts)

    def __getitem__(self, name: str) -> Verdict:
        return {verdict.name: verdict for verdict in self.verdicts}[name]


def certify(
    reference: Graph, network: Graph, steps: int, settle: int | None = None, approximations: Sequence[str] = ()
) -> Certificate:
    """Compares a spiking graph with the graph of staircases it was made from; nodes are matched by name.

    steps, settle: the schedule that the network is run with; settle None: until it is silent. Neurons without an upper
    bound fire at most once a step, and exact codes are exact only once they are silent for certain.
    approximations: what the passes that made `reference` changed of the model's meaning.
    """
    judge = _Judge(reference, network, steps, settle)
    return Certificate(tuple(judge.verdict(node) for node in network), tuple(map(str, approximations)))


def _reading(op: Encoder) -> str:
    """How an encoder reads an input that the model itself does not quantise."""
    how = WHOLE if (op.scale == 1).all() else f"{UNQUANTISED} in steps of {float(op.scale.max()):.6g}"
    return f"{how}, counts {op.lo} to {op.hi}"


class _Judge:
    def __init__(self, reference: Graph, network: Graph, steps: int, settle: int | None) -> None:
        silent = settle_bound(network, steps)
        self.ticks = steps + (silent if settle is None else settle)
        self.unrest = (
            "" if self.ticks >= steps + silent else f"settles {settle} steps, silent for certain after {silent}"
        )
        self.coarse = too_fine(reference, network, steps)
        self.reference, self.network, self.steps = coarsened(reference, self.coarse, steps), network, steps
        self.places: Places = lattices(self.reference)
        self.ranges: Places = lattices(network, self.ticks)
        self.links = Follower(self.reference, network, self.places).links()
        self.arrivals = Arrivals(network, steps, self.ticks, _counts(self.reference))
        self.tail, self.front = tail_nodes(network), preparing(reference, network)
        self.real = any(not node.op.integer for node in network.of(Neuron) if isinstance(node.op, Neuron))

    def verdict(self, node: Node) -> Verdict:
        op = node.op
        if node.name in self.tail:
            return Verdict(node.name, op.name, "analog", reason=TAIL, tail=True)
        if node.name in self.front:
            return self._preparation(node)
        if isinstance(op, Neuron):
            return self._neuron(node, op)
        if self.real and not isinstance(op, (Input, Encoder)):
            return Verdict(node.name, op.name, "analog", reason=REAL)
        if isinstance(op, Readout):
            return self._readout(node, op)
        return self._linear(node)

    def _linear(self, node: Node) -> Verdict:
        base = Verdict(node.name, node.op.name, "exact", accumulator_bits=sum_bits(self.ranges[node.name]))
        link = self.links[node.name]
        if isinstance(node.op, Input):
            return base
        if isinstance(node.op, Encoder) and not node.origin.op:
            base = replace(base, reason=_reading(node.op))
        if link.broken:
            return replace(base, exactness="analog" if link.analog else "bounded", reason=link.broken)
        return base

    def _preparation(self, node: Node) -> Verdict:
        """What stands between input and encoder does to the input what the model does to it."""
        base = Verdict(node.name, node.op.name, "exact", reason="part of the encoder: works on the input itself")
        twin = self.reference.get(node.name)
        if twin is not None and same(twin.op, node.op) and twin.inputs == node.inputs:
            return base
        return replace(base, exactness="bounded", reason="prepares the input otherwise than the model")

    def _readout(self, node: Node, op: Readout) -> Verdict:
        base = self._linear(node)
        twin = self.reference[node.name] if base.exactness == "exact" else None
        place = None if twin is None else self.places[twin.inputs[0]]
        if twin is None or not isinstance(twin.op, Readout) or not isinstance(place, Lattice):
            return base
        equal = _equal(op.scale, place.unit * twin.op.scale) and _equal(op.bias, twin.op.bias)
        return base if equal else replace(base, exactness="bounded", reason="scale or bias differ from the model's")

    def _neuron(self, node: Node, op: Neuron) -> Verdict:
        base = Verdict(node.name, op.name, "bounded", bound=_span(op, self.ticks))
        twin = self.reference.get(node.name)
        stairs = None if twin is None else twin.op
        link = self.links[node.inputs[0]]
        if not isinstance(stairs, Staircase):
            return replace(base, reason="the model has no staircase of this name")
        model = self.coarse.get(node.name, stairs)
        bound = farthest(op, (model.lo, model.hi), self.steps, self.ticks)
        base = replace(base, counts=(model.lo, model.hi), bound=bound)
        if not op.integer:
            return replace(base, exactness="analog", reason=REAL)
        bits = membrane_bits(op, self.ranges[node.inputs[0]], self.ticks)
        base = replace(base, accumulator_bits=bits, shift=op.shift, threshold_bits=int(op.theta.max()).bit_length())
        if link.analog:
            return replace(base, exactness="analog", reason=link.broken)
        if isinstance(op, LIF):
            return replace(base, reason=_leaks(op))
        if link.broken:
            return replace(base, reason=link.broken)
        if (link.multiplier < 1).any():
            return replace(base, reason="what it reads has a multiplier below one")
        compared = self._pair(node, op, stairs, link) if link.pair else self._single(node, op, stairs, link)
        found = replace(base, **compared)
        if node.name in self.coarse:
            levels = self.coarse[node.name].levels
            return replace(found, bound=base.bound, reason=f"{amount(self.steps, 'step')} cannot tell {levels} {APART}")
        return self._judged(found, node, op, stairs, link.constant)

    def _single(self, node: Node, op: Neuron, stairs: Staircase, link: Link) -> dict[str, Any]:
        source = self.reference[node.name].inputs[0]
        place = self.places[source]
        assert isinstance(place, Lattice)
        offset = _offset(self.reference, source)
        arrays = (place.unit, place.low, place.high, offset, stairs.scale, op.theta, op.v0, op.bias, link.multiplier)
        wide = replace(place, unit=np.broadcast_to(place.unit, np.broadcast_shapes(*(a.shape for a in arrays))))
        climb, theta, v0 = self._tables(op, stairs, wide, offset)
        gain = np.broadcast_to(link.multiplier << op.shift, wide.unit.shape).reshape(-1)
        kinds = distinct(climb.unit, climb.offset, climb.scale, climb.low, climb.high, theta, v0, gain)
        few, theta, v0, gain = climb.taken(kinds.first), theta[kinds.first], v0[kinds.first], gain[kinds.first]
        ties_even = op.ties == "even" and op.exact

        def compared(rows: Array) -> tuple[Array, Array, Array]:
            part = few.taken(rows)
            table = table_breakpoints(theta[rows], v0[rows], gain[rows], few.lo, few.hi, ties_even)
            truth = part.breakpoints()
            return truth, table, proven(truth, table, part.low, part.high)

        rows = np.flatnonzero(~surely_alike(few, theta, v0, gain, ties_even))
        truth, table, agree = compared(rows)
        if not agree.all():
            rows = np.arange(len(kinds.first))
            truth, table, agree = compared(rows)
        form, total = wide.unit.shape, len(kinds.inverse) * (few.hi - few.lo)
        shape = (1,) * (len(self.network.shape(node.name)) - len(form)) + form
        return {
            "breakpoints": total,
            "proven": total - int((~agree).sum(axis=1) @ kinds.counts[rows]),
            "bound": count_error(truth, table, few.low[rows], few.high[rows]),
            "faults": () if agree.all() else faults(few, truth, table, agree, kinds.inverse, shape),
        }

    def _pair(self, node: Node, op: Neuron, stairs: Staircase, link: Link) -> dict[str, Any]:
        source = self.reference[node.name].inputs[0]
        offset = _offset(self.reference, source)
        places = [self.places[name] for name in link.pair]
        assert isinstance(places[0], Lattice)
        assert isinstance(places[1], Lattice)
        order = sorted((0, 1), key=lambda i: -_reach(places[i]))
        first, second = (places[i] for i in order)
        m1, m2 = (link.multipliers[i] << op.shift for i in order)
        assert isinstance(first, Lattice)
        assert isinstance(second, Lattice)
        ranges = (first.low, first.high, second.low, second.high)
        shape = np.broadcast_shapes(
            *(a.shape for a in (first.unit, second.unit, offset, op.theta, op.v0, m1, m2, *ranges))
        )
        wide = replace(first, unit=np.broadcast_to(first.unit, shape))
        climb, theta, v0 = self._tables(op, stairs, wide, offset)
        unit, low, high, one, two = (
            np.broadcast_to(a, shape).reshape(-1) for a in (second.unit, second.low, second.high, m1, m2)
        )
        pair = PairClimb(climb, unit, low, high)
        if pair.cases > MOST_CASES:
            total = len(theta) * (climb.hi - climb.lo)
            return {
                "breakpoints": total,
                "proven": 0,
                "bound": climb.hi - climb.lo,
                "reason": "too many cases of two branches to compare",
            }
        table = PairTable(one, two, theta, v0, op.ties == "even" and op.exact)
        good, total, worst = check_pair(pair, table)
        return {"breakpoints": total, "proven": good, "bound": worst}

    def _tables(self, op: Neuron, stairs: Staircase, place: Lattice, offset: Array) -> tuple[Climb, Array, Array]:
        low, high = op.range
        arrays = np.broadcast_arrays(place.unit, offset, stairs.scale, place.low, place.high, op.theta, op.v0 + op.bias)
        unit, shift, scale, least, most, theta, v0 = (a.reshape(-1) for a in arrays)
        top = min(stairs.hi, self.steps) if high is None else high
        climb = Climb(unit, shift, scale, least, most, low, top, stairs.rounding)
        return climb, exact(theta), exact(v0)

    def _judged(self, found: Verdict, node: Node, op: Neuron, stairs: Staircase, constant: bool) -> Verdict:
        """Exact where every breakpoint is proven and the code climbs them for certain.

        Where it need not, its count is off by what the order of arrival can do (see `analysis.unevenness`), and by
        what the breakpoints are; where that is not known, it may be anywhere in its range.
        """
        covered = op.range == (stairs.lo, stairs.hi)
        climbs = op.exact and covered and not self.unrest
        uneven = Spread(NONE, NONE) if climbs else self._spread(node, op, stairs, constant)
        if uneven is not None and uneven.worst == 0 and found.proven == found.breakpoints:
            return replace(found, exactness="exact")
        reasons = [found.reason] if found.reason else []
        if found.proven < found.breakpoints and not reasons:
            missing = found.breakpoints - found.proven
            ties = sum(fault.ties for fault in found.faults)
            of_these = f", {ties} of them by where a tie goes" if ties else ""
            reasons.append(f"{missing} breakpoints differ by up to {found.bound} counts{of_these}")
        most = max(stairs.hi - stairs.lo, _span(op, self.ticks))
        bound = most if uneven is None else min(most, uneven.worst + found.bound)
        if uneven is None or uneven.worst:
            reasons.append(self._doubt(op, covered, uneven if bound < most else None))
        return replace(found, bound=bound, reason="; ".join(reasons))

    def _spread(self, node: Node, op: Neuron, stairs: Staircase, constant: bool) -> Spread | None:
        arrival = self.arrivals.of(node)
        if arrival is None:
            return None
        counts = stairs.lo, stairs.hi
        if constant:
            return steady(op, arrival, counts, self.steps, self.ticks)
        return spread(op, arrival, counts, self.ticks)

    def _doubt(self, op: Neuron, covered: bool, spread: Spread | None) -> str:
        if op.exact and not covered:
            return "its range is not the staircase's"
        doubt = self.unrest if op.exact else f"code {op.code} depends on when spikes arrive"
        if spread is None:
            return doubt if op.exact else f"{doubt} and has no upper bound"
        return f"{doubt}: up to {spread.ahead.max()} spikes too many, {spread.behind.max()} too few"


def _counts(reference: Graph) -> dict[str, tuple[int, int]]:
    """Least and greatest count of every staircase."""
    return {n.name: (n.op.lo, n.op.hi) for n in reference.of(Staircase) if isinstance(n.op, Staircase)}


def _leaks(op: LIF) -> str:
    """Why no count is compared: a leaky neuron has dynamics of its own."""
    decay = f"{whole_decay(op.decay)}/4096 a step, cut toward zero" if op.integer else f"{op.decay:g} a step"
    return f"code lif has dynamics of its own (decay {decay}, reset {op.reset}): no count of the model's to equal"


def farthest(op: Neuron, counts: tuple[int, int], steps: int, ticks: int) -> int:
    """The largest error that a population can make, in levels of its staircase, whose counts these are.

    A spike of a neuron without upper bound stands for several levels where there are fewer steps than levels.
    """
    low, high = counts
    span = _span(op, ticks)
    if op.range[1] is None and high > steps:
        span = -(-span * (high - low) // steps)
    return max(high - low, span)


def preparing(reference: Graph, graph: Graph) -> frozenset[str]:
    """Nodes behind the input that only the model's own encoders read, directly or through one another."""
    found = {node.name for node in reference.of(Encoder) if node.name in graph}
    encoders = frozenset(found)
    for node in reversed(list(graph)):
        readers = graph.consumers(node.name)
        encoded = all(reader.name in found for reader in readers)
        if readers and encoded and node.name not in graph.outputs and not isinstance(node.op, (Input, Encoder)):
            found.add(node.name)
    return frozenset(found) - encoders


def _span(op: Neuron, steps: int) -> int:
    low, high = op.range
    return (steps if high is None else high) - low


def _reach(place: object) -> int:
    assert isinstance(place, Lattice)
    return int(np.max(place.high) - np.min(place.low))


def _offset(reference: Graph, source: str) -> Array:
    """The constant in front of a staircase or output."""
    op = reference[source].op
    return op.shift if isinstance(op, Affine) and op.scale is None and op.shift is not None else np.zeros(())


def _equal(a: Array, b: Array) -> bool:
    try:
        return bool((a == b).all())
    except ValueError:
        return False
