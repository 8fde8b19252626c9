"""A staircase of equal steps put into a graph: an affine op before it, the staircase, an affine op behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from onnx2snn.analysis.probing import SNAP, Uniform
from onnx2snn.ir import Array, Graph, Op
from onnx2snn.ir.ops import Affine, Rounding, Staircase

NUDGE = 2.0**-30  #: of a step: nearer to a tie than float32 tells
SHORT = 40  #: bits of a number that whole or quantised values meet exactly


def staircase_ops(stairs: Uniform) -> list[Op]:
    """Ops that compute the staircase, one after the other: [Affine], Staircase of its own step, [Affine].

    A tie that the rule `down` of several steps, or arithmetic with rounding, would take to the wrong side is moved by
    2^-30 of a step: no float32 value lies between.
    """
    step = np.abs(stairs.step)
    ratio = np.where(step == stairs.width, 1.0, _as_float32(step / stairs.width))
    shift = _as_float32(-stairs.offset * ratio) + 0.0
    strict_one = stairs.ties != "up" and stairs.hi - stairs.lo == 1 and stairs.hi % 2 == 1
    rounding: Rounding = "half-even" if stairs.ties == "even" or strict_one else "half-up"
    if not _exact(stairs, step, ratio, shift):
        if stairs.ties == "even" and not strict_one:
            return _even(stairs, step, ratio, shift)
        rounding, shift = "half-up", shift + _nudge(shift, step) * (-1 if strict_one or stairs.ties == "down" else 1)
    elif stairs.ties == "down" and not strict_one:
        shift = shift - _nudge(shift, step)
    unit = Staircase(scale=step, lo=stairs.lo, hi=stairs.hi, rounding=rounding)
    return _chain(ratio, shift, unit, _sign(stairs.step), stairs.base)


def _even(stairs: Uniform, step: Array, ratio: Array, shift: Array) -> list[Op]:
    """Counts on the steps of the input, so that ties stay where they are, if that leaves the step as it is."""
    factor = stairs.step / stairs.width
    if (factor * stairs.width == stairs.step).all():
        unit = Staircase(scale=stairs.width, lo=stairs.lo, hi=stairs.hi)
        return _chain(np.ones(()), -stairs.offset, unit, factor, stairs.base)
    return _chain(ratio, shift, Staircase(scale=step, lo=stairs.lo, hi=stairs.hi), _sign(stairs.step), stairs.base)


def _sign(step: Array) -> Array:
    return np.sign(step) if (step < 0).any() else np.ones(())


def _chain(ratio: Array, shift: Array, unit: Op, factor: Array, base: Array) -> list[Op]:
    return [op for op in (_affine(ratio, shift), unit, _affine(factor, base)) if op is not None]


def put(graph: Graph, end: str, source: str, ops: Sequence[Op]) -> None:
    """Makes node `end` the last of `ops` over `source`; a staircase that is not the last names no tensor."""
    origin = replace(graph[end].origin, tensor="")
    for op in ops[:-1]:
        source = graph.add(graph.fresh(f"{end}.{op.name}"), op, [source], origin)
    graph.replace(end, ops[-1], [source])


def merged_front(source: Affine, first: Affine) -> Affine | None:
    """The affine op in front of a staircase together with one before it; None where they undo each other."""
    inner, outer = _parts(source), _parts(first)
    scale, shift = inner[0] * outer[0], inner[1] * outer[0] + outer[1]
    scale = np.where(np.abs(scale - 1) <= SNAP, 1.0, scale)
    return _affine(scale, np.where(np.abs(shift) <= SNAP * np.abs(outer[1]), 0.0, shift))


def _parts(op: Affine) -> tuple[Array, Array]:
    return np.ones(()) if op.scale is None else op.scale, np.zeros(()) if op.shift is None else op.shift


def _affine(scale: Array, shift: Array) -> Affine | None:
    """The affine op with only what it needs, or None."""
    factor = None if (scale == 1).all() else scale
    term = shift if np.any(shift) else None
    return None if factor is None and term is None else Affine(scale=factor, shift=term)


def _as_float32(values: Array) -> Array:
    """The float32 numbers next to `values` where they are theirs but for rounding in float64: the file's own."""
    near = np.asarray(values, np.float32).astype(np.float64)
    return np.where(np.abs(near - values) <= SNAP * np.abs(values), near, values)


def _nudge(shift: Array, step: Array) -> Array:
    """2^-30 of a step, or more where the shift is so large that float64 would lose it."""
    return np.maximum(NUDGE * step, 2.0**-48 * np.abs(shift))


def _exact(stairs: Uniform, step: Array, ratio: Array, shift: Array) -> bool:
    """Whether ties at short numbers stay ties in float64: ratio * tie + shift = (k - 1/2) step without rounding.

    Ties at numbers with a long mantissa are met by chance only, and not asked for.
    """
    if not shift.any() and (ratio == 1).all():
        return True
    columns = np.stack([c.ravel() for c in np.broadcast_arrays(stairs.width, stairs.offset, step, ratio, shift)], 1)
    counts = np.arange(stairs.lo + 1, stairs.hi + 1)
    for width, offset, size, factor, term in np.unique(columns, axis=0).tolist():
        ties = offset + (counts - 0.5) * width
        short = _short(ties)
        met = np.abs(ties - short) <= 4 * np.spacing(np.abs(ties))
        for k, tie in zip(counts[met].tolist(), short[met].tolist(), strict=True):
            if Fraction(factor) * Fraction(tie) + Fraction(term) != Fraction(2 * k - 1, 2) * Fraction(size):
                return False
    return True


def _short(values: Array) -> Array:
    """The nearest numbers of 40 bits: such are sums of whole or quantised values."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(mantissa * 2.0**SHORT), exponent - SHORT)
