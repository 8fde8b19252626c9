"""Networks of median quantisation k/B: every pool is a learned 2 x 2 convolution of stride 2."""

from __future__ import annotations

from torch import nn

from onnx2snn.training.scheme import Scheme
from onnx2snn.training.zoo.blocks import Blocks, Shape, convolved, numbered

Conv = tuple[int, int, int, int]
"""output channels, kernel, stride, padding"""

LENET: tuple[Conv, ...] = ((16, 5, 1, 2), (16, 5, 1, 0), (16, 2, 2, 0), (32, 5, 1, 0), (32, 2, 2, 0), (256, 4, 1, 0))

VGGNET: tuple[Conv, ...] = (
    *((64, 3, 1, 1),) * 3,
    (64, 2, 2, 0),
    *((128, 3, 1, 1),) * 2,
    (128, 2, 2, 0),
    *((256, 3, 1, 1),) * 2,
    (256, 2, 2, 0),
    (512, 3, 1, 1),
    (512, 3, 1, 0),
)


def _ternary(scheme: Scheme, shape: Shape, classes: int, convs: tuple[Conv, ...]) -> nn.Sequential:
    blocks = Blocks(scheme)
    channels, height, width = shape
    units: list[nn.Sequential] = []
    for out, kernel, stride, pad in convs:
        units.append(blocks.conv_unit(channels, out, kernel, stride, pad, end=not units))
        channels, height, width = out, *(convolved(size, kernel, stride, pad) for size in (height, width))
    last = blocks.linear(channels * height * width, classes, end=True, bias=False)
    return blocks.network(*numbered("conv", units), ("flatten", nn.Flatten()), ("out", last))


def lenet(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """16C5 (same), 16C5, 16C2/2, 32C5, 32C2/2, 256C4, FC: for 28 x 28 digits."""
    return _ternary(scheme, shape, classes, LENET)


def vggnet(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """64C3 x 3, 64C2/2, 128C3 x 2, 128C2/2, 256C3 x 2, 256C2/2, 512C3, 512C3 (valid), FC: for 24 x 24 crops."""
    return _ternary(scheme, shape, classes, VGGNET)
