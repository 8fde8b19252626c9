"""Residual networks: He et al. (CVPR 2016; ECCV 2016) for 32 x 32 images."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from onnx2snn.training.layers import PreActivated, QuantConv2d, Residual
from onnx2snn.training.scheme import Scheme
from onnx2snn.training.zoo.blocks import Blocks, Shape, convolved, named

Stage = tuple[int, int, int]
"""channels, blocks, stride of the first"""


def _basic(blocks: Blocks, channels: int, out: int, stride: int) -> nn.Sequential:
    """conv-bn-act-conv-bn plus the block's input, or a 1 x 1 conv-bn of it where the shape changes; then act."""
    body = named(
        [
            ("unit1", blocks.conv_unit(channels, out, 3, stride)),
            ("unit2", named(blocks.conv_bn(out, out, 3))),
        ]
    )
    same = stride == 1 and channels == out
    shortcut = None if same else named(blocks.conv_bn(channels, out, 1, stride))
    return named([("sum", Residual(body, shortcut)), ("act", blocks.scheme.activation())])


def _preactivated(blocks: Blocks, channels: int, out: int, stride: int) -> nn.Sequential:
    """bn-act in front of conv-bn-act-conv; a 1 x 1 convolution of what is activated where the shape changes."""
    head = named([("bn", nn.BatchNorm2d(channels)), ("act", blocks.scheme.activation())])
    unit = blocks.conv_unit(channels, out, 3, stride)
    body = named([("unit1", unit), ("conv2", blocks.conv(out, out, 3))])
    same = stride == 1 and channels == out
    shortcut = None if same else named([("conv", _biased(blocks, channels, out, stride))])
    return named([("sum", PreActivated(head, body, shortcut))])


def _biased(blocks: Blocks, channels: int, out: int, stride: int) -> nn.Module:
    return QuantConv2d(channels, out, 1, stride=stride, quantiser=blocks.scheme.weight(out))


def _staged(
    scheme: Scheme, shape: Shape, classes: int, stem: int, stages: Sequence[Stage], preactivated: bool = False
) -> nn.Sequential:
    blocks = Blocks(scheme)
    channels, height, width = shape
    if preactivated:
        layers: list[tuple[str, nn.Module]] = [("stem", blocks.conv(channels, stem, 3, end=True))]
    else:
        layers = [("stem", blocks.conv_unit(channels, stem, 3, end=True))]
    channels, make = stem, _preactivated if preactivated else _basic
    for number, (out, count, first) in enumerate(stages, start=1):
        for block in range(1, count + 1):
            stride = first if block == 1 else 1
            layers.append((f"stage{number}_{block}", make(blocks, channels, out, stride)))
            channels, height, width = out, convolved(height, 3, stride), convolved(width, 3, stride)
    if preactivated:
        layers.append(("last", named([("bn", nn.BatchNorm2d(channels)), ("act", scheme.activation())])))
    return blocks.network(
        *layers,
        ("pool", nn.AvgPool2d((height, width))),
        ("flatten", nn.Flatten()),
        ("out", blocks.linear(channels, classes, end=True)),
    )


def resnet(depth: int, scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """ResNet-20, 32, 44, 56 or 110 of the CIFAR experiments: 16, 32, 64 channels, (depth - 2) / 6 blocks a stage."""
    count = (depth - 2) // 6
    return _staged(scheme, shape, classes, 16, [(16, count, 1), (32, count, 2), (64, count, 2)])


def resnet18(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """The ResNet-18 of Fast-SNN and TET: stem 64; 128 x 3, 256 x 3 /2, 512 x 2 /2."""
    return _staged(scheme, shape, classes, 64, [(128, 3, 1), (256, 3, 2), (512, 2, 2)])


def preact(counts: tuple[int, ...], scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """Pre-activation ResNet of basic blocks: 64, 128, 256, 512 channels, `counts` blocks a stage."""
    stages = [(64 << i, count, 1 if i == 0 else 2) for i, count in enumerate(counts)]
    return _staged(scheme, shape, classes, 64, stages, preactivated=True)
