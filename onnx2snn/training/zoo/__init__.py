"""The model zoo: every network of the methods trained here, built of one scheme's layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.training.scheme import Scheme
from onnx2snn.training.zoo.blocks import Blocks, Shape
from onnx2snn.training.zoo.median import lenet, vggnet
from onnx2snn.training.zoo.plain import alexnet, alexnet_imagenet, chipnet, vgg11, vgg16_imagenet
from onnx2snn.training.zoo.pooled import rnl_cnn, vgg16
from onnx2snn.training.zoo.resnet import preact, resnet, resnet18

Architecture = Callable[[Scheme, Shape, int], nn.Sequential]

ARCHITECTURES: Mapping[str, Architecture] = {
    "alexnet": alexnet,
    "vgg11": vgg11,
    "vgg16": vgg16,
    "resnet18": resnet18,
    **{f"resnet{depth}": partial(resnet, depth) for depth in (20, 32, 44, 56, 110)},
    "preact18": partial(preact, (2, 2, 2, 2)),
    "preact34": partial(preact, (3, 4, 6, 3)),
    "lenet": lenet,
    "chipnet": chipnet,
    "vggnet": vggnet,
    "rnl-cnn": rnl_cnn,
    "alexnet-imagenet": alexnet_imagenet,
    "vgg16-imagenet": vgg16_imagenet,
}


def build(arch: str, scheme: Scheme, shape: Shape, classes: int) -> nn.Sequential:
    """A new network: images (N, *shape), shape = (C, H, W), to logits (N, classes).

    arch: a name of `ARCHITECTURES`.  Raises `UnknownNameError`, and `UsageError` for images that are too small.
    """
    if arch not in ARCHITECTURES:
        raise UnknownNameError(f"no architecture {arch!r}; known: {', '.join(ARCHITECTURES)}")
    if classes < 2 or min(shape) < 1:
        raise UsageError(f"{arch}: at least 2 classes and images of some size expected, found {classes}, {shape}")
    return ARCHITECTURES[arch](scheme, shape, classes)


__all__ = ["ARCHITECTURES", "Architecture", "Blocks", "build"]
