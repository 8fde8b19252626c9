"""Networks with average pools: the VGG16 and the small CNN of Rate Norm Layer (IJCAI 2021)."""

from __future__ import annotations

from torch import nn

from onnx2snn.training.scheme import Scheme
from onnx2snn.training.zoo.blocks import Blocks, Shape, convolved, named, numbered

VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))


def vgg16(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """VGG16 for CIFAR: an average pool behind each stage, FC 4096, 4096 without BatchNorm.

    A map of one pixel is not pooled further, so that 28 x 28 images pass as well.
    """
    blocks = Blocks(scheme)
    channels, height, width = shape
    stages: list[nn.Sequential] = []
    for stage in VGG16:
        layers: list[tuple[str, nn.Module]] = []
        for i, out in enumerate(stage, start=1):
            layers.append((f"conv{i}", blocks.conv_unit(channels, out, 3, end=not stages and i == 1)))
            channels = out
        if min(height, width) > 1:
            layers.append(("pool", nn.AvgPool2d(2)))
            height, width = height // 2, width // 2
        stages.append(named(layers))
    return blocks.network(
        *numbered("stage", stages),
        ("flatten", nn.Flatten()),
        ("fc1", blocks.linear_unit(channels * height * width, 4096, norm=False)),
        ("fc2", blocks.linear_unit(4096, 4096, norm=False)),
        ("out", blocks.linear(4096, classes, end=True)),
    )


def rnl_cnn(scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """Three 3 x 3 convolutions of 32 channels without padding, an average pool behind the first two, a linear layer."""
    blocks = Blocks(scheme)
    channels, height, width = shape
    layers: list[tuple[str, nn.Module]] = []
    for i in (1, 2, 3):
        layers.append((f"conv{i}", blocks.conv_unit(channels, 32, 3, pad=0, end=i == 1)))
        channels, height, width = 32, convolved(height, 3, pad=0), convolved(width, 3, pad=0)
        if i < 3:
            layers.append((f"pool{i}", nn.AvgPool2d(2)))
            height, width = height // 2, width // 2
    features = channels * height * width
    return blocks.network(*layers, ("flatten", nn.Flatten()), ("out", blocks.linear(features, classes, end=True)))
