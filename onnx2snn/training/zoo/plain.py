"""Networks without branches and with strided convolutions for pooling: Fast-SNN's AlexNets and VGGs."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from onnx2snn.training.scheme import Scheme
from onnx2snn.training.zoo.blocks import Blocks, Shape, convolved, numbered

Conv = tuple[int, int, int, int]
"""output channels, kernel, stride, padding"""


def _strided(scheme: Scheme, shape: Shape, classes: int, convs: Sequence[Conv], hidden: Sequence[int]) -> nn.Sequential:
    blocks = Blocks(scheme)
    channels, height, width = shape
    units: list[nn.Sequential] = []
    for i, (out, kernel, stride, pad) in enumerate(convs):
        units.append(blocks.conv_unit(channels, out, kernel, stride, pad, end=i == 0))
        channels = out
        height, width = (convolved(size, kernel, stride, pad) for size in (height, width))
    features, dense = channels * height * width, list[nn.Sequential]()
    for out in hidden:
        dense.append(blocks.linear_unit(features, out))
        features = out
    return blocks.network(
        *numbered("conv", units),
        ("flatten", nn.Flatten()),
        *numbered("fc", dense),
        ("out", blocks.linear(features, classes, end=True)),
    )


def chipnet(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """7 5 x 5 /2, 12 3 x 3 /2, 12 3 x 3 /2, FC: no neuron behind the first layer has more than 192 inputs (28 x 28).

    Small enough for one Loihi in code `ladder` with 15 levels, each input an axon for every level.
    """
    return _strided(scheme, shape, classes, [(7, 5, 2, 2), (12, 3, 2, 1), (12, 3, 2, 1)], [])


def _three(*channels_strides: tuple[int, int]) -> list[Conv]:
    return [(channels, 3, stride, 1) for channels, stride in channels_strides]


def alexnet(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """96, 256/2, 384/2, 384, 256/2 (3 x 3 convolutions, /2: stride 2), FC 2048; for CIFAR, MNIST and 64 x 64 faces."""
    convs = _three((96, 1), (256, 2), (384, 2), (384, 1), (256, 2))
    return _strided(scheme, shape, classes, convs, [2048])


def vgg11(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """64, 128/2, 256, 256/2, 512, 512/2, 512, 512/2 (3 x 3 convolutions), FC 4096, 4096."""
    convs = _three((64, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2), (512, 1), (512, 2))
    return _strided(scheme, shape, classes, convs, [4096, 4096])


def alexnet_imagenet(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """64 11 x 11 /4, 192 5 x 5 /2, 384 /2, 256, 256 /2, FC 4096, 4096; BatchNorm everywhere, no dropout."""
    convs = [(64, 11, 4, 2), (192, 5, 2, 1), (384, 3, 2, 0), (256, 3, 1, 1), (256, 3, 2, 0)]
    return _strided(scheme, shape, classes, convs, [4096, 4096])


def vgg16_imagenet(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """VGG16 whose last convolution of each stage has stride 2 instead of a pool, FC 4096, 4096."""
    stages = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
    convs = _three(*((channels, 1 + (i == count - 1)) for channels, count in stages for i in range(count)))
    return _strided(scheme, shape, classes, convs, [4096, 4096])
