"""Steps of unequal size as a sum of neurons: a ladder in space."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, final

import numpy as np

from onnx2snn.analysis.probing import EVEN_STEPS, TieRule, Uniform
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Graph, Node, Op
from onnx2snn.ir.ops import Add, Affine, Conv, Dense, MaxPool, Steps
from onnx2snn.passes.base import Rewrite
from onnx2snn.passes.constants import varies_within_channels
from onnx2snn.passes.placing import put, staircase_ops
from onnx2snn.passes.weighted import one_a_channel, sole_reader

Tie = Literal["up", "down", "hidden"]  #: hidden: the breakpoint has a long mantissa, so that it is met by chance only
MOST_COPIES = 16  #: of one neuron's output, where its step is that many times as high as the smallest
FAR = 2.0**16  #: steps from zero at which a single step gets a width nearer to its place


@final
@dataclass(frozen=True)
class UnrollSteps(Rewrite):
    """Splits a staircase with steps of its own into runs of equal steps, one population of neurons for each.

    given:   Steps(breakpoints, heights, base)
    result:  for each run of equal spacing and equal height, the same run in all channels,
             [Affine] -> Staircase(0 ... m) -> [Affine]; their sum, and Affine(shift = base). A run whose steps are m
             times as high as the smallest is added m times, so that all counts stay on one scale.
             Where no weights follow, more than that many runs stay: they belong to the real-valued tail.
             A max-pool that alone reads rising steps moves in front of them.
    most_runs: the most populations that one node may become.
    """

    name: ClassVar[str] = "unroll-steps"
    kinds: ClassVar[tuple[type[Op], ...]] = (Steps,)
    most_runs: int = 16

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        op = node.op
        assert isinstance(op, Steps)
        runs = split(op)
        if len(runs) > self.most_runs and not _weights_follow(graph, node):
            return f"{len(runs)} runs of equal steps and no weights behind: left to the tail"
        if len(runs) > self.most_runs:
            raise PassError(
                f"at most {self.most_runs} runs of equal steps expected, found {len(runs)} in {len(op.heights)} steps; "
                f"train with equal steps, or allow more in a recipe (--passes): unroll-steps{{most_runs={len(runs)}}}"
            )
        _move_pool(graph, node, op)
        _sum(graph, node.name, graph[node.name].inputs[0], runs, op.base)
        return None


def _weights_follow(graph: Graph, node: Node) -> bool:
    below = {node.name}
    for reader in graph:
        if not below.isdisjoint(reader.inputs):
            below.add(reader.name)
    return any(isinstance(graph[name].op, (Conv, Dense)) for name in below)


@dataclass(frozen=True)
class Run:
    """Consecutive steps of equal height and spacing: places (m, *rows), and on which side each tie falls."""

    places: Array
    height: float
    ties: tuple[Tie, ...]

    def rule(self, zero: int) -> TieRule | None:
        """The rule that all ties follow when the level behind `zero` steps counts as zero."""
        counts = range(1 - zero, len(self.ties) + 1 - zero)
        wanted: dict[TieRule, list[str]] = {
            "up": ["up" for _ in counts],
            "even": ["down" if k % 2 else "up" for k in counts],
            "down": ["down" for _ in counts],
        }
        order: tuple[TieRule, ...] = ("up", "even", "down")
        for rule in order:
            if all(tie in (side, "hidden") for tie, side in zip(self.ties, wanted[rule], strict=True)):
                return rule
        return None

    def uniform(self, zero: int, step: float, base: float, rule: TieRule) -> Uniform:
        """The run as a staircase of this step whose count zero is the level behind `zero` steps."""
        count = len(self.places)
        if count > 1:
            width = (self.places[-1] - self.places[0]) / (count - 1)
        else:
            largest = float(np.abs(self.places).max())
            near = abs(step) if largest <= FAR * abs(step) else 2.0 ** np.ceil(np.log2(largest))
            width = np.full(self.places.shape[1:], near)
        offset = self.places[0] - (0.5 - zero) * width
        return Uniform(np.asarray(step), width, offset, np.asarray(base), -zero, count - zero, rule)


def split(op: Steps) -> list[Run]:
    """The fewest runs of equal steps, from the left; a run whose ties follow two rules becomes two."""
    places, ties = _ties(op.breakpoints)
    runs: list[Run] = []
    start = 0
    for end in range(1, len(places) + 1):
        if end == len(places) or not _equal_steps(places[start : end + 1], op.heights[start : end + 1]):
            runs += _by_ties(Run(places[start:end], float(op.heights[start]), ties[start:end]))
            start = end
    return runs


def _equal_steps(places: Array, heights: Array) -> bool:
    if abs(heights[-1] - heights[0]) > EVEN_STEPS * abs(heights[0]):
        return False
    if len(places) < 3:
        return bool((places[-1] - places[0] > 2.0**-40 * np.abs(places).max(axis=0)).all())
    gaps = np.diff(places, axis=0)
    slack = EVEN_STEPS * gaps[0] + 2.0**-49 * np.abs(places).max(axis=0)
    return bool((np.abs(gaps - gaps[0]) <= slack).all() and (gaps[0] > 0).all())


def _ties(breakpoints: Array) -> tuple[Array, tuple[Tie, ...]]:
    """Places of ties, and the side on which each falls: `x >= b` with b just above a tie is `x > tie`."""
    rounder = _rounded(breakpoints)
    near = np.abs(breakpoints - rounder) <= 2 * np.spacing(np.abs(breakpoints))
    places = np.where(near, rounder, breakpoints)
    above = near & (breakpoints > rounder)
    flat = (a.reshape(len(breakpoints), -1) for a in (above, near))
    sides = zip(*flat, strict=True)
    return places, tuple("down" if a.any() else "up" if n.any() else "hidden" for a, n in sides)


def _rounded(values: Array) -> Array:
    """The nearest numbers of 40 bits; denormal ones are zero."""
    mantissa, exponent = np.frexp(values)
    rounder = np.ldexp(np.rint(mantissa * 2.0**40), exponent - 40)
    return np.where(np.abs(values) < np.finfo(np.float64).tiny, 0.0, rounder)


def _by_ties(run: Run) -> list[Run]:
    if any(run.rule(zero) is not None for zero in (0, 1)):
        return [run]
    for cut in range(1, len(run.ties)):
        first, second = (Run(run.places[part], run.height, run.ties[part]) for part in (slice(cut), slice(cut, None)))
        if all(any(part.rule(zero) is not None for zero in (0, 1)) for part in (first, second)):
            return [first, second]
    return [run]


def _sum(graph: Graph, name: str, source: str, runs: list[Run], base: float) -> None:
    """Makes node `name` the sum of all runs."""
    heights = [run.height for run in runs]
    unit, copies = _copies(heights)
    if len(runs) == 1 and copies == [1]:
        zero = _zero(runs[0], heights[0], base)
        rule = runs[0].rule(zero) or "even"
        rest = base + zero * heights[0]
        shift = rest if abs(rest) > EVEN_STEPS * abs(heights[0]) else 0.0
        put(graph, name, source, staircase_ops(runs[0].uniform(zero, heights[0], shift, rule)))
        return
    terms: list[str] = []
    for index, (run, many) in enumerate(zip(runs, copies, strict=True)):
        step = np.sign(run.height) * (unit if many else abs(run.height))
        zero = 0 if run.rule(0) is not None or run.rule(1) is None or len(run.ties) == 1 else 1
        base += zero * run.height
        end = graph.add(graph.fresh(f"{name}.run{index}"), Affine(), [source])
        put(graph, end, source, staircase_ops(run.uniform(zero, float(step), 0.0, run.rule(zero) or "even")))
        terms += [end] * max(1, many)
    if not base:
        graph.replace(name, Add(), terms)
        return
    total = graph.add(graph.fresh(f"{name}.sum"), Add(), terms)
    graph.replace(name, Affine(shift=np.asarray(base)), [total])


def _copies(heights: list[float]) -> tuple[float, list[int]]:
    """The smallest height, and how many of it each height is; zeros where they are no small whole numbers of it."""
    unit = min(abs(height) for height in heights)
    ratios = np.abs(np.array(heights)) / unit
    whole = np.rint(ratios)
    fits = (np.abs(ratios - whole) <= EVEN_STEPS * whole).all() and whole.max() <= MOST_COPIES
    return unit, [int(n) for n in whole] if fits else [0] * len(heights)


def _zero(run: Run, height: float, base: float) -> int:
    """The level to count from: zero itself where it is one of the levels, else one for which ties follow a rule."""
    level = -base / height
    count = round(level)
    if abs(level - count) <= EVEN_STEPS * max(1, abs(level)) and 0 <= count < len(run.places):
        return count
    return 1 if run.rule(0) is None and run.rule(1) is not None and len(run.places) > 1 else 0


def _move_pool(graph: Graph, node: Node, op: Steps) -> None:
    """A max-pool commutes with rising steps; in front of them it sees one value instead of a sum of counts."""
    readers = graph.consumers(node.name)
    if len(readers) != 1 or not isinstance(readers[0].op, MaxPool) or not sole_reader(graph, node.name, readers[0]):
        return
    pool = readers[0]
    if (op.heights < 0).any() or not one_a_channel(op.breakpoints[0], len(graph.shape(node.name))):
        return
    if varies_within_channels(graph, node.inputs[0]):
        return
    before = graph.add(graph.fresh(f"{pool.name}.before"), pool.op, node.inputs, pool.origin)
    moved = graph.add(graph.fresh(f"{node.name}.after"), op, [before], replace(node.origin, tensor=pool.origin.tensor))
    graph.remove(pool.name, use=moved)
    graph.remove(node.name, use=moved)
    graph.rename(before, pool.name)
    graph.rename(moved, node.name)


__all__ = ["Run", "UnrollSteps", "split"]
