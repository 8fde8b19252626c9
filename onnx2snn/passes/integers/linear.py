"""Linear ops in whole numbers: scales leave the weights and become the unit of their output."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from onnx2snn.analysis.lattice import LATTICE, Lattice, shrink, whole_ratios
from onnx2snn.analysis.registers import width
from onnx2snn.errors import PassError
from onnx2snn.ir import Array, Node, Shape
from onnx2snn.ir.ops import (
    MOVES,
    Add,
    Affine,
    Concat,
    Conv,
    Dense,
    Encoder,
    Input,
    MaxPool,
    Readout,
    SumPool,
)
from onnx2snn.passes.integers.builder import RULES, Analog, Builder, Pair, Place, add_scaled

WEIGHT_BITS = 15  #: real weights are rounded to this many bits and a sign


@RULES.rule(Input)
def _input(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    return builder.put(node, node.op), Analog()


@RULES.rule(Encoder)
def _encoder(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    op = node.op
    assert isinstance(op, Encoder)
    unit = np.asarray(op.value, np.float64)
    name = builder.put(node, replace(op, value=np.asarray(1)))
    return name, Lattice(unit, np.asarray(op.lo), np.asarray(op.hi), name)


@RULES.rule(Conv, Dense)
def _weighted(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, (Conv, Dense))
    if isinstance(place, Analog):
        return builder.put(node, _real(op)), place
    assert isinstance(place, Lattice)
    (shape,) = builder.shapes(node)
    if op.weight.dtype.kind != "i":
        bits = builder.weight_bits - 1 if builder.weight_bits else WEIGHT_BITS
        op = _rounded(op, bits)
        builder.notes.append(f"{node}: real weights rounded to {bits} bits and a sign")
    found = LATTICE[type(op)](replace(node, op=op), [place], [shape])
    if not isinstance(found, Lattice):
        op, unit = _spread(op, place, shape)
        builder.notes.append(f"{node}: unequal input scales multiplied into the weights")
        found = LATTICE[type(op)](replace(node, op=op), [replace(place, unit=unit)], [shape])
    assert isinstance(found, Lattice)
    bits = width(op.weight, op.weight)
    if builder.weight_bits and bits > builder.weight_bits:
        raise PassError(
            f"weights of {builder.weight_bits} bits expected, found {bits}; quantise the model so, or --weight-bits"
        )
    return builder.put(node, replace(op, scale=None)), found


def _real(op: Conv | Dense) -> Conv | Dense:
    """The op with its scale multiplied in."""
    if op.scale is None:
        return op
    column = (-1,) + (1,) * (op.weight.ndim - 1)
    return replace(op, weight=op.weight * op.scale.reshape(column), scale=None)


def _rounded(op: Conv | Dense, bits: int) -> Conv | Dense:
    """Real weights as whole ones with a scale a channel."""
    column = (-1,) + (1,) * (op.weight.ndim - 1)
    largest = np.abs(op.weight).reshape(len(op.weight), -1).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0) / ((1 << bits) - 1)
    return replace(op, weight=np.rint(op.weight / scale.reshape(column)).astype(np.int64), scale=scale)


def _spread(op: Conv | Dense, place: Lattice, shape: Shape) -> tuple[Conv | Dense, Array]:
    """Input scales that differ from channel to channel as whole factors of the weights."""
    unit = np.broadcast_to(place.unit, shape)
    if isinstance(op, Conv):
        if op.groups != 1 or np.ptp(unit.reshape(len(unit), -1), axis=1).any():
            raise PassError("unequal scales within a channel or a group have no integer form; use --float")
        unit = unit.reshape(len(unit), -1)[:, 0]
    elif unit.ndim > 1:
        raise PassError("unequal scales before a matrix product over several axes have no integer form; use --float")
    factors = whole_ratios(unit)
    if factors is None:
        factors = np.rint(unit / unit.min() * (1 << 12)).astype(np.int64)
    base = np.asarray(unit.max() / factors[np.argmax(unit)])
    row = (1, -1) + (1,) * (op.weight.ndim - 2)
    return replace(op, weight=op.weight.astype(np.int64) * factors.reshape(row)), base


@RULES.rule(Affine)
def _affine(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, Affine)
    if isinstance(place, Analog):
        return builder.put(node, op), place
    if op.scale is None or op.shift is not None:
        raise PassError("a constant between neurons; pass collect-bias moves it")
    found = LATTICE[Affine](node, [place], builder.shapes(node))
    if not isinstance(found, Lattice):
        raise PassError(f"{found.reason}; no integer form, use --float")
    if (op.scale > 0).all():
        return node.inputs[0], found
    return builder.put(node, Affine(scale=np.sign(op.scale).astype(np.int64))), found


@RULES.rule(Add)
def _add(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    if all(isinstance(place, Analog) for place in arriving):
        return builder.put(node, node.op), arriving[0]
    arriving, node = builder.settle_pairs(arriving, node)
    known = [place for place in arriving if isinstance(place, Lattice)]
    if len(known) < len(arriving):
        raise PassError("a real-valued branch joins a spiking one; quantise it or use --float")
    found = LATTICE[Add](node, known, builder.shapes(node))
    if isinstance(found, Lattice):
        return builder.put(node, node.op), found
    pair = Pair(node.inputs[:2], (known[0], known[1]), node)  # type: ignore[arg-type]
    for index in range(2, len(known)):
        place, name = add_scaled(builder, replace_name(pair, node, index), 16)
        pair = Pair((name, node.inputs[index]), (place, known[index]), node)
    exact = add_scaled(builder, pair, 0) if pair.ratio is not None else None
    return (exact[1], exact[0]) if exact else (node.name, pair)


def replace_name(pair: Pair, node: Node, index: int) -> Pair:
    """The same pair under a name of its own, for sums of more than two branches."""
    return replace(pair, node=replace(node, name=f"{node.name}.part{index}"))


@RULES.rule(MaxPool)
def _max_pool(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    (place,) = arriving
    if not isinstance(place, Pair):
        return _structure(builder, node, arriving)
    if all(_within_channels(p.unit) and _within_channels(p.low) and _within_channels(p.high) for p in place.places):
        return node.name, replace(place, pools=(*place.pools, node))
    settled, node = builder.settle_pairs(arriving, node)
    return _structure(builder, node, settled)


def _within_channels(array: Array) -> bool:
    return all(size == 1 for size in shrink(np.asarray(array)).shape[1:])


@RULES.rule(Concat, SumPool, *MOVES)
def _structure(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    analog = [isinstance(place, Analog) for place in arriving]
    if all(analog):
        return builder.put(node, node.op), arriving[0]
    if any(analog):
        raise PassError("a real-valued branch joins a spiking one; quantise it or use --float")
    found = LATTICE[type(node.op)](node, arriving, builder.shapes(node))
    if not isinstance(found, Lattice):
        raise PassError(f"{found.reason}; no integer form, use --float")
    return builder.put(node, node.op), found


@RULES.rule(Readout)
def _readout(builder: Builder, node: Node, arriving: list[Place]) -> tuple[str, Place]:
    op, (place,) = node.op, arriving
    assert isinstance(op, Readout)
    unit = place.unit if isinstance(place, Lattice) else np.ones(())
    return builder.put(node, replace(op, scale=shrink(np.asarray(unit * op.scale)))), place
