"""Integer codes of features: what they mean, and ops that move them."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.frontends.onnx.grids import grid_of, weights_of, whole
from onnx2snn.frontends.onnx.operands import constant
from onnx2snn.frontends.onnx.reader import Reader
from onnx2snn.frontends.onnx.rules import Rule
from onnx2snn.frontends.onnx.symbols import Codes, Constant, DynamicCodes, Feature, Grid, Integers, Symbol, Weights
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import Affine, Clip, Quantise

if TYPE_CHECKING:
    import onnx_ir


def values(
    reader: Reader,
    x: Symbol | None,
    scale: Symbol | None,
    zero_point: Symbol | None = None,
    axis: int = 1,
    under: onnx_ir.Node | None = None,
) -> Feature | Weights:
    """What integers mean on the grid of this scale and zero point: (x - zero_point) * scale."""
    steps = constant(scale, "scale").astype(np.float64)
    given = None if zero_point is None else constant(zero_point, "zero point")
    if isinstance(x, Constant):
        return weights_of(x.array, steps, given, axis)
    if isinstance(x, Integers):
        return _input_values(reader, x, steps, given)
    if not isinstance(x, Codes):
        raise ModelError("integer codes expected, found a real-valued input")
    zeros = np.zeros(steps.shape) if given is None else given
    if not x.grid.same(steps, zeros):
        found = f"scale {steps.ravel()[:3]} and zero point {zeros.ravel()[:3]}"
        raise ModelError(f"scale and zero point of the quantiser before expected, found {found}")
    if isinstance(x.source, Constant):
        return weights_of(whole(x), x.grid.scale, x.grid.zero_point, x.grid.axis)
    return reader.settle(x, under)


def _input_values(reader: Reader, x: Integers, scale: Array, zeros: Array | None) -> Feature:
    """Integers from outside, scaled, then held to the grid that they lie on anyway: the encoder to come."""
    if scale.size != 1 or (zeros is not None and zeros.size != 1):
        raise ModelError("one scale and zero point for an integer input expected, found several")
    point = 0 if zeros is None else int(zeros.ravel()[0])
    step = grid_of(scale, None).scale.reshape(())
    source = x.source
    if point or step != 1:
        source = reader.add(Affine(scale=step, shift=-step * point), source)
    return reader.add(Quantise(scale=step, zero_point=point, qmin=x.qmin, qmax=x.qmax), source)


def as_numbers(reader: Reader, x: Integers) -> Feature:
    """Integers from outside cast to floating point."""
    return _input_values(reader, x, np.ones(()), None)


def requantised(reader: Reader, source: Feature, scale: Symbol | None, zero_point: Symbol | None = None) -> Codes:
    """Codes of a feature on a new grid, for ops that quantise what they put out."""
    given = None if zero_point is None else constant(zero_point, "zero point")
    grid = grid_of(constant(scale, "scale"), given)
    return Codes(reader.quantise(source, grid, suffix=".codes"), grid, settled=True)


def moves(function: Rule) -> Rule:
    """For rules of ops that only move numbers or choose among them: codes stay codes on their grid.

    The rule sees the features that the codes stand for. Several inputs (Concat) have to lie on one grid.
    """

    @wraps(function)
    def read(reader: Reader, node: onnx_ir.Node, *inputs: Symbol | None) -> Symbol | tuple[Symbol, ...]:
        first = next((x for x in inputs if isinstance(x, (Codes, Integers, DynamicCodes))), None)
        if first is None or (isinstance(first, Codes) and isinstance(first.source, Constant)):
            return function(reader, node, *inputs)
        made = function(reader, node, *(_moved(reader, x, first) for x in inputs))
        return tuple(_like(first, part) for part in made) if isinstance(made, tuple) else _like(first, made)

    return read


def _moved(reader: Reader, x: Symbol | None, first: Symbol) -> Symbol | None:
    if x is None or isinstance(x, Constant):
        return x
    if isinstance(x, Codes) and isinstance(first, Codes):
        if x.grid.scale.size != 1:
            raise ModelError("codes on one scale for all channels expected, found one for each")
        if not x.grid.same(first.grid.scale, first.grid.zero_point):
            raise ModelError("codes on one grid expected, found several; dequantise them first")
        return reader.settle(x)
    if isinstance(x, (Integers, DynamicCodes)) and x == first:
        return x.source
    raise ModelError("codes of one kind expected, found several; dequantise them first")


def _like(first: Symbol, made: Symbol) -> Symbol:
    if not isinstance(made, Feature):
        return made
    if isinstance(first, Codes):
        return Codes(made, first.grid, settled=True)
    if isinstance(first, Integers):
        return Integers(made, first.qmin, first.qmax)
    assert isinstance(first, DynamicCodes)
    return DynamicCodes(made, first.quantiser)


def clip_codes(reader: Reader, node: onnx_ir.Node, x: Codes, low: Array | None, high: Array | None) -> Codes:
    """Integer codes cut to a smaller range: below 8 bits."""
    grid = x.grid
    qmin = grid.qmin if low is None else max(grid.qmin, int(low))
    qmax = grid.qmax if high is None else min(grid.qmax, int(high))
    if qmin >= qmax:
        raise ModelError(f"Clip leaves an empty range [{qmin}, {qmax}]")
    narrow = Grid(grid.scale, grid.zero_point, grid.axis, qmin, qmax)
    if not x.settled:
        return Codes(x.source, narrow, maker=node)
    if grid.scale.size != 1:
        raise ModelError("codes on one scale for all channels expected, found one for each")
    step, zero = grid.scale.item(), int(grid.zero_point.ravel()[0])
    clipped = Clip(low=step * (qmin - zero), high=step * (qmax - zero))
    return Codes(reader.add(clipped, reader.settle(x)), narrow, settled=True)
