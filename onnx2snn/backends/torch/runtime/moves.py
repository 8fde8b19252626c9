"""Layers that move numbers: every entry of the output is an entry of the input, or zero."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from onnx2snn.backends.torch.runtime.synapses import Synapse
from onnx2snn.backends.torch.runtime.windows import Shape


class Reshape(Synapse):
    """The same numbers in row-major order under another shape."""

    def __init__(self, *, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def current(self, x: Tensor) -> Tensor:
        return x.reshape(len(x), *self.shape)


class Transpose(Synapse):
    """Axis i of the output is axis perm[i] of the input."""

    def __init__(self, *, perm: Shape) -> None:
        super().__init__()
        self.perm = perm

    def current(self, x: Tensor) -> Tensor:
        return x.permute(0, *(axis + 1 for axis in self.perm))


class Gather(Synapse):
    """Entry i along `axis` of the output is entry indices[i] of the input."""

    indices: Tensor

    def __init__(self, *, axis: int, indices: Tensor) -> None:
        super().__init__()
        self.axis = axis
        self.register_buffer("indices", indices)

    def current(self, x: Tensor) -> Tensor:
        return x.index_select(self.axis + 1, self.indices)


class Pad(Synapse):
    """Zeros around the features; `pads` gives all begins, then all ends."""

    def __init__(self, *, pads: Shape) -> None:
        super().__init__()
        self.pads = pads

    def current(self, x: Tensor) -> Tensor:
        rank = len(self.pads) // 2
        return F.pad(x, [self.pads[axis + end * rank] for axis in reversed(range(rank)) for end in (0, 1)])


class Dilate(Synapse):
    """Zeros between neighbours along every axis after the channels."""

    def __init__(self, *, strides: Shape) -> None:
        super().__init__()
        self.strides = strides

    def current(self, x: Tensor) -> Tensor:
        size = [(n - 1) * stride + 1 for n, stride in zip(x.shape[2:], self.strides, strict=True)]
        spread = x.new_zeros((*x.shape[:2], *size))
        spread[(slice(None), slice(None), *(slice(None, None, stride) for stride in self.strides))] = x
        return spread
