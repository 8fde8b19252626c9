"""Of which number every value of a network is a whole multiple, for certain."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import gcd, lcm, prod

import numpy as np

from onnx2snn.ir import Array, Graph, Op
from onnx2snn.ir.ops import (
    MOVES,
    Add,
    Affine,
    AveragePool,
    Clip,
    Concat,
    Conv,
    Dense,
    Input,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Quantise,
    Relu,
    Staircase,
    Steps,
    SumPool,
    Unary,
)

ROUNDING = ("floor", "ceil", "round", "truncate")
MADE_WHOLE = (*ROUNDING, "sign", "positive", "nonnegative")
KEEPING: tuple[type[Op], ...] = (Add, Concat, Maximum, Minimum, Relu, MaxPool, SumPool, *MOVES)
LARGEST = 1 << 24  #: of a denominator: a number that needs a larger one is no ratio that somebody wrote
MOST_NUMBERS = 1 << 12  #: different factors of one op


@dataclass(frozen=True)
class Multiples:
    """A value is a whole multiple of `step` (zero: it is zero), or would be if the network's input were whole.

    step None: it may be anything.
    """

    step: Fraction | None
    if_input: bool = False

    @property
    def whole(self) -> bool:
        """Whether it is a whole number, the network's input taken for whole where that counts."""
        return self.step is not None and self.step.denominator == 1


ANYTHING = Multiples(None)
ONE = Fraction(1)


def whole_values(graph: Graph) -> dict[str, Multiples]:
    """What the value of every node is a multiple of."""
    found: dict[str, Multiples] = {}
    for node in graph:
        found[node.name] = _multiples(node.op, [found[source] for source in node.inputs])
    return found


def _multiples(op: Op, arriving: list[Multiples]) -> Multiples:
    if isinstance(op, Input):
        return Multiples(ONE, if_input=True)
    if isinstance(op, Unary) and op.function in MADE_WHOLE:
        kept = op.function in ROUNDING and arriving[0].whole and not arriving[0].if_input
        return arriving[0] if kept else Multiples(ONE)
    if isinstance(op, (Quantise, Staircase)):
        return Multiples(_of(op.scale))
    if isinstance(op, Steps):
        return Multiples(_of(np.append(op.heights, op.base)))
    steps = [value.step for value in arriving if value.step is not None]
    if len(steps) < len(arriving):
        return ANYTHING
    step = _step(op, steps)
    return ANYTHING if step is None else Multiples(step, any(value.if_input for value in arriving))


def _step(op: Op, steps: list[Fraction]) -> Fraction | None:
    if isinstance(op, KEEPING):
        return _common(steps)
    return prod(steps, start=ONE) if isinstance(op, Multiply) else _times(op, steps[0])


def _times(op: Op, step: Fraction) -> Fraction | None:
    """Of what an op makes multiples out of multiples of `step`."""
    if isinstance(op, Unary) and op.function == "abs":
        return step
    if isinstance(op, AveragePool) and (op.count_padding or not any(op.pads)):
        return step / prod(op.kernel)
    if isinstance(op, Clip):
        bounds = [bound for bound in (op.low, op.high) if np.isfinite(bound)]
        return _plus(step, np.array(bounds))
    if isinstance(op, Affine):
        return _plus(_product(step, op.scale), op.shift)
    if isinstance(op, (Conv, Dense)):
        whole = op.weight.dtype.kind == "i" or bool((op.weight == np.rint(op.weight)).all())
        return _plus(_product(step, op.scale), op.bias) if whole else None
    return None


def _product(step: Fraction, factors: Array | None) -> Fraction | None:
    common = ONE if factors is None else _of(factors)
    return None if common is None else step * common


def _plus(step: Fraction | None, terms: Array | None) -> Fraction | None:
    common = Fraction(0) if terms is None else _of(terms)
    return None if step is None or common is None else _common([step, common])


def _of(numbers: Array) -> Fraction | None:
    """The largest number of which all entries are whole multiples; None where they are no short ratios."""
    different = np.unique(numbers)
    if len(different) > MOST_NUMBERS or not np.isfinite(different).all():
        return None
    ratios: list[Fraction] = []
    for number in different.tolist():
        ratio = Fraction(number).limit_denominator(LARGEST)
        if float(ratio) != number:
            return None
        ratios.append(ratio)
    return _common(ratios)


def _common(steps: Iterable[Fraction]) -> Fraction:
    """The largest number of which all are whole multiples."""
    return reduce(_common_of_two, steps, Fraction(0))


def _common_of_two(a: Fraction, b: Fraction) -> Fraction:
    bottom = lcm(a.denominator, b.denominator)
    return Fraction(gcd(int(a * bottom), int(b * bottom)), bottom)
