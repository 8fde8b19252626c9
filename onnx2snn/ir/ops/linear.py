"""Linear ops: what becomes a synapse."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import final

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require
from onnx2snn.ir.ops.spatial import check_window, window_output


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(Op):
    """Convolution (cross-correlation) over any number of spatial axes.

    y[o] = scale[o] * sum_i weight[o, i] * x[g(o) I + i] + bias[o],   I = in channels / groups.
    weight: (out, in / groups, *kernel); integers when `scale` gives the value of one unit, else real.
    (C1) weight has 2 + spatial axes and finite entries.  (C2) scale (> 0) and bias, where given, have shape (out,).
    (C3) groups divides out, and in = groups * weight.shape[1].  (W1-W5) the window fits.
    """

    weight: Array
    scale: Array | None = None
    bias: Array | None = None
    strides: Shape
    pads: Shape
    dilations: Shape
    groups: int = 1

    @property
    def kernel(self) -> Shape:
        return self.weight.shape[2:]

    def check(self) -> None:
        require(
            self.weight.ndim >= 3 and finite(self.weight),
            "C1",
            f"weight {self.weight.shape} must be (out, in, *kernel) and finite",
        )
        check_per_channel(self.weight.shape[0], self.scale, self.bias)
        require(
            self.groups >= 1 and self.weight.shape[0] % self.groups == 0,
            "C3",
            f"groups {self.groups} must divide {self.weight.shape[0]} output channels",
        )
        check_window(self.kernel, self.strides, self.pads, self.dilations)

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        expected = self.groups * self.weight.shape[1]
        require(
            len(shape) >= 1 and shape[0] == expected,
            "C3",
            f"input {shape} does not fit weight {self.weight.shape}: {expected} channels expected",
        )
        return (self.weight.shape[0], *window_output(shape[1:], self.kernel, self.strides, self.pads, self.dilations))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Op):
    """Fully connected layer over the last axis: y[o] = scale[o] * sum_i weight[o, i] x[i] + bias[o].

    weight: (out, in); integers when `scale` gives the value of one unit, else real.
    (C1) weight has two axes and finite entries.  (C2) scale (> 0) and bias, where given, have shape (out,).
    (C3) the last axis of the input is in.
    """

    weight: Array
    scale: Array | None = None
    bias: Array | None = None

    def check(self) -> None:
        require(
            self.weight.ndim == 2 and finite(self.weight),
            "C1",
            f"weight {self.weight.shape} must be (out, in) and finite",
        )
        check_per_channel(self.weight.shape[0], self.scale, self.bias)

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        require(
            len(shape) >= 1 and shape[-1] == self.weight.shape[1],
            "C3",
            f"input {shape} does not fit weight {self.weight.shape}",
        )
        return (*shape[:-1], self.weight.shape[0])


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Op):
    """Elementwise y = scale * x + shift: an identity synapse with weights of its own, or an injected constant.

    (C1) scale and shift are finite and broadcast to the input without enlarging it.
    """

    scale: Array | None = None
    shift: Array | None = None

    def check(self) -> None:
        require(finite(self.scale) and finite(self.shift), "C1", "scale and shift must be finite")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        for name, array in (("scale", self.scale), ("shift", self.shift)):
            require(
                array is None or fits(array, shape),
                "C1",
                f"{name} {getattr(array, 'shape', None)} does not broadcast to {shape}",
            )
        return shape


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Add(Op):
    """Sum of two or more inputs of one shape.  (C1) at least two inputs, all of one shape."""

    arity = None

    def infer(self, *shapes: Shape) -> Shape:
        good = len(shapes) > 1 and len(set(shapes)) == 1
        require(good, "C1", f"two or more inputs of one shape expected, found {shapes}")
        return next(iter(shapes))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Concat(Op):
    """Inputs laid side by side along `axis` of the features.

    (C1) at least one input; all shapes agree but on `axis`.
    """

    arity = None
    axis: int = 0

    def infer(self, *shapes: Shape) -> Shape:
        rank = len(shapes[0])
        require(0 <= self.axis < rank, "C1", f"axis {self.axis} is not in {shapes[0]}")
        rest = {s[: self.axis] + s[self.axis + 1 :] for s in shapes}
        require(len(rest) == 1, "C1", f"shapes {shapes} disagree outside axis {self.axis}")
        total = sum(s[self.axis] for s in shapes)
        return (*shapes[0][: self.axis], total, *shapes[0][self.axis + 1 :])


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Reshape(Op):
    """The same numbers in row-major order under another shape.  (C1) the number of entries stays."""

    shape: Shape

    def infer(self, *shapes: Shape) -> Shape:
        require(prod(shapes[0]) == prod(self.shape), "C1", f"{shapes[0]} does not reshape to {self.shape}")
        return self.shape


def check_per_channel(channels: int, scale: Array | None, bias: Array | None) -> None:
    """Constraint C2 of the weighted ops."""
    for name, array in (("scale", scale), ("bias", bias)):
        good = array is None or (array.shape == (channels,) and finite(array))
        require(good, "C2", f"{name} {getattr(array, 'shape', None)} must have shape ({channels},) and be finite")
    require(scale is None or (scale > 0).all(), "C2", "scale must be positive")
