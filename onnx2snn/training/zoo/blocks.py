"""What the networks of the zoo are made of: a scheme's layers, by short names."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from torch import nn

from onnx2snn.errors import UsageError
from onnx2snn.training.layers import QuantConv2d, QuantLinear
from onnx2snn.training.scheme import Scheme

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Blocks:
    """Makes the layers of one scheme. `end=True` is for the first and the last layer of a network."""

    scheme: Scheme

    def conv(
        self, channels: int, out: int, kernel: int, stride: int = 1, pad: int | None = None, end: bool = False
    ) -> nn.Module:
        """A convolution without bias; `pad` is that of an odd kernel's centre unless it is given."""
        pad = kernel // 2 if pad is None else pad
        quantiser = (self.scheme.ends if end else self.scheme.weight)(out)
        return QuantConv2d(channels, out, kernel, stride=stride, padding=pad, bias=False, quantiser=quantiser)

    def linear(self, features: int, out: int, end: bool = False, bias: bool = True) -> nn.Module:
        """A fully connected layer."""
        quantiser = (self.scheme.ends if end else self.scheme.weight)(out)
        return QuantLinear(features, out, bias=bias, quantiser=quantiser)

    def conv_bn(
        self, channels: int, out: int, kernel: int, stride: int = 1, pad: int | None = None, end: bool = False
    ) -> list[tuple[str, nn.Module]]:
        """conv -> BatchNorm: the convolution's own bias would be one number too many."""
        return [("conv", self.conv(channels, out, kernel, stride, pad, end)), ("bn", nn.BatchNorm2d(out))]

    def conv_unit(
        self, channels: int, out: int, kernel: int, stride: int = 1, pad: int | None = None, end: bool = False
    ) -> nn.Sequential:
        """conv -> BatchNorm -> activation."""
        return named([*self.conv_bn(channels, out, kernel, stride, pad, end), ("act", self.scheme.activation())])

    def linear_unit(self, features: int, out: int, norm: bool = True) -> nn.Sequential:
        """linear -> [BatchNorm] -> activation."""
        layers = [("linear", self.linear(features, out, bias=not norm))]
        if norm:
            layers.append(("bn", nn.BatchNorm1d(out)))
        return named([*layers, ("act", self.scheme.activation())])

    def network(self, *layers: tuple[str, nn.Module]) -> nn.Sequential:
        """The input quantiser, if any, and the layers; weights start as He et al. (ICCV 2015) have it, by fan-out."""
        entry = self.scheme.input()
        whole = named([*([] if entry is None else [("input", entry)]), *layers])
        for module in whole.modules():
            if isinstance(module, QuantConv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        return whole


def named(layers: list[tuple[str, nn.Module]]) -> nn.Sequential:
    """A sequence of named layers."""
    return nn.Sequential(OrderedDict(layers))


def numbered(name: str, layers: list[nn.Sequential]) -> list[tuple[str, nn.Module]]:
    """name1, name2 ..."""
    return [(f"{name}{i}", layer) for i, layer in enumerate(layers, start=1)]


def convolved(size: int, kernel: int, stride: int = 1, pad: int | None = None) -> int:
    """The size of a map behind a window, as `Blocks.conv` pads."""
    pad = kernel // 2 if pad is None else pad
    after = (size + 2 * pad - kernel) // stride + 1
    if after < 1:
        raise UsageError(
            f"images of at least {kernel} pixels expected before a {kernel} x {kernel} window, found {size}"
        )
    return after
