"""Cases of ops that move numbers."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Concat, Dilate, Gather, Pad, Transpose
from onnx2snn.testing.cases.builder import case, finish, image


@case
def channels_last_flatten() -> Graph:
    net = image()
    net.conv(4)
    net.quantise(relu=True)
    net.add(Transpose(perm=(1, 2, 0)))
    net.dense(5)
    return finish(net)


@case
def channels_last_between() -> Graph:
    net = image()
    net.conv(3)
    net.add(Transpose(perm=(1, 2, 0)))
    net.quantise(relu=True)
    net.add(Transpose(perm=(2, 0, 1)))
    net.conv(4)
    return finish(net)


@case
def transposed_image() -> Graph:
    net = image()
    net.add(Transpose(perm=(0, 2, 1)))
    net.conv(3, kernel=(2, 3))
    net.quantise(relu=True)
    net.add(Transpose(perm=(0, 2, 1)))
    net.conv(3)
    return finish(net)


@case
def split_channels() -> Graph:
    net = image(2)
    net.conv(4)
    whole = net.quantise(relu=True)
    first = net.add(Gather(axis=0, indices=np.arange(2)), whole)
    second = net.add(Gather(axis=0, indices=np.arange(2, 4)), whole)
    branch = net.conv(2, pads=(1, 1, 1, 1), source=second)
    net.quantise(relu=True)
    branch = net.last
    net.add(Concat(axis=0), first, branch)
    net.add(Gather(axis=0, indices=np.array([0, 2, 1, 3])))
    net.conv(3)
    return finish(net)


@case
def shuffled_features() -> Graph:
    net = image(1, 4)
    net.dense(6)
    net.quantise(relu=True)
    net.add(Gather(axis=0, indices=np.array([5, 0, 3, 3, 1])))
    net.dense(4)
    return finish(net)


@case
def nearest_upsampling() -> Graph:
    net = image(2, 5)
    net.conv(3)
    net.quantise(relu=True)
    for axis in (1, 2):
        net.add(Gather(axis=axis, indices=np.repeat(np.arange(3), 2)))
    net.conv(2)
    return finish(net)


@case
def padded_conv() -> Graph:
    net = image()
    net.conv(3)
    net.quantise(relu=True)
    net.add(Pad(pads=(0, 1, 2, 0, 0, 1)))
    net.conv(3, pads=(1, 0, 1, 0))
    return finish(net)


@case
def padded_channels() -> Graph:
    net = image()
    net.conv(3)
    net.quantise(relu=True)
    net.add(Pad(pads=(1, 0, 0, 0, 0, 0)))
    net.conv(3)
    return finish(net)


@case
def transposed_conv() -> Graph:
    net = image(2, 5)
    net.conv(3)
    net.quantise(relu=True)
    net.add(Dilate(strides=(2, 2)))
    net.add(Pad(pads=(0, 2, 2, 0, 1, 2)))
    net.conv(2, kernel=(3, 3))
    return finish(net)


@case
def depthwise_conv_of_unequal_scales() -> Graph:
    net = image(2)
    start = net.last
    net.conv(2, pads=(1, 1, 1, 1), source=start)
    one = net.quantise(0.25, relu=True)
    net.conv(2, pads=(1, 1, 1, 1), source=start)
    other = net.quantise(0.31, relu=True)
    net.add(Concat(axis=0), one, other)
    net.conv(4, groups=4)
    return finish(net)
