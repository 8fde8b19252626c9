"""Ops that move numbers: every entry of the output is an entry of the input, or zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from onnx2snn.ir.op import Array, Op, Shape, require


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Transpose(Op):
    """Axes of the features in another order: axis i of the output is axis perm[i] of the input.

    (C1) perm is a permutation of the axes.
    """

    perm: Shape

    def check(self) -> None:
        require(sorted(self.perm) == list(range(len(self.perm))), "C1", f"a permutation expected, found {self.perm}")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        require(len(shape) == len(self.perm), "C1", f"{len(self.perm)} axes expected, found {shape}")
        return tuple(shape[axis] for axis in self.perm)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Gather(Op):
    """Entries along one axis, chosen by number: slices, splits, flips, shuffles and nearest upsampling.

    indices: int64 (n,), which entry of `axis` stands at each place of the output.
    (C1) indices are n >= 1 whole numbers along one axis.  (C2) axis is one of the input's.  (C3) indices lie within it.
    """

    axis: int
    indices: Array

    def check(self) -> None:
        good = self.indices.ndim == 1 and self.indices.size > 0 and self.indices.dtype.kind == "i"
        require(good, "C1", f"whole indices along one axis expected, found shape {self.indices.shape}")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        require(0 <= self.axis < len(shape), "C2", f"axis {self.axis} is not in {shape}")
        size = shape[self.axis]
        inside = self.indices.min() >= 0 and self.indices.max() < size
        require(
            inside, "C3", f"indices from 0 to {size - 1} expected, found {self.indices.min()} to {self.indices.max()}"
        )
        return (*shape[: self.axis], len(self.indices), *shape[self.axis + 1 :])


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Pad(Op):
    """Zeros around the features; `pads` gives all begins, then all ends.

    (C1) pads are non-negative.  (C2) there are two for each axis of the input.
    """

    pads: Shape

    def check(self) -> None:
        require(all(p >= 0 for p in self.pads), "C1", f"non-negative pads expected, found {self.pads}")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        rank = len(shape)
        require(len(self.pads) == 2 * rank, "C2", f"{2 * rank} pads expected, found {len(self.pads)}")
        return tuple(n + self.pads[i] + self.pads[i + rank] for i, n in enumerate(shape))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Dilate(Op):
    """Zeros between neighbours along every spatial axis: what makes a transposed convolution a convolution.

    strides: distance of neighbours in the output, one for each axis after the first.
    (C1) strides are at least 1.  (C2) there is one for each axis after the first.
    """

    strides: Shape

    def check(self) -> None:
        require(all(s >= 1 for s in self.strides), "C1", f"strides of at least 1 expected, found {self.strides}")

    def infer(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        require(len(shape) == len(self.strides) + 1, "C2", f"{len(self.strides) + 1} axes expected, found {shape}")
        return (shape[0], *((n - 1) * s + 1 for n, s in zip(shape[1:], self.strides, strict=True)))
