"""Cases of layers, neurons, pools and branches."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Add, Affine, AveragePool, Concat, MaxPool
from onnx2snn.testing.cases.builder import NetworkBuilder, case, finish, image


@case
def dense_chain() -> Graph:
    net = NetworkBuilder((9,))
    net.quantise(1 / 15, 0, 15)
    net.dense(8)
    net.quantise(relu=True)
    net.dense(6)
    return finish(net)


@case
def conv_chain() -> Graph:
    net = image()
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.conv(5, strides=(2, 2))
    return finish(net)


@case
def dilated_grouped_conv() -> Graph:
    net = image(4, 8)
    net.conv(4, dilations=(2, 2), groups=2)
    net.quantise(relu=True)
    net.conv(8, kernel=(2, 3), pads=(0, 1, 1, 0), groups=4)
    return finish(net)


@case
def conv_1d() -> Graph:
    net = NetworkBuilder((2, 12))
    net.quantise(1 / 15, 0, 15)
    net.conv(4, kernel=(3,))
    net.quantise(relu=True)
    net.conv(4, kernel=(3,), strides=(2,))
    return finish(net)


@case
def batch_norm_signs() -> Graph:
    net = image()
    net.conv(4)
    net.batch_norm([0.8, -0.9, 0.0, 1.2])
    net.quantise(relu=True)
    net.conv(3)
    net.batch_norm([-0.7, 0.6, 1.0])
    return finish(net)


@case
def average_pool() -> Graph:
    net = image(2, 8)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.add(AveragePool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    net.conv(4)
    return finish(net)


@case
def padded_average_pool() -> Graph:
    net = image()
    net.conv(3)
    net.quantise(relu=True)
    net.add(AveragePool(kernel=(3, 3), strides=(2, 2), pads=(1,) * 4, dilations=(1, 1)))
    net.quantise(0.2)
    net.dense(4)
    return finish(net)


@case
def max_pool_first() -> Graph:
    net = image(2, 8)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.add(MaxPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    net.conv(4)
    return finish(net)


@case
def max_pool_later() -> Graph:
    net = image(2, 8)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.conv(4, pads=(1, 1, 1, 1))
    net.quantise(relu=True)
    net.add(MaxPool(kernel=(3, 3), strides=(2, 2), pads=(1,) * 4, dilations=(1, 1)))
    return finish(net)


@case
def max_pool_behind_a_shared_neuron() -> Graph:
    net = image(2, 6)
    net.conv(3, pads=(1, 1, 1, 1))
    shared = net.quantise(relu=True)
    pool = net.add(MaxPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    net.conv(3, kernel=(2, 2), strides=(2, 2), source=shared)
    net.quantise(0.3, relu=True)
    net.add(Concat(axis=0), pool, net.last)
    return finish(net)


@case
def residual_add_of_equal_scales() -> Graph:
    net = image(3)
    net.conv(3, pads=(1, 1, 1, 1))
    first = net.quantise(0.25, relu=True)
    net.conv(3, pads=(1, 1, 1, 1))
    second = net.quantise(0.25, relu=True)
    net.add(Add(), first, second)
    return finish(net)


@case
def residual_add_of_unequal_scales() -> Graph:
    net = image(3)
    net.conv(4, pads=(1, 1, 1, 1))
    first = net.quantise(0.21, relu=True)
    branch = net.conv(4, pads=(1, 1, 1, 1), source=first)
    net.add(Add(), branch, first)
    return finish(net)


@case
def max_pool_behind_a_residual_add() -> Graph:
    net = image(3)
    net.conv(4, pads=(1, 1, 1, 1))
    first = net.quantise(0.21, relu=True)
    branch = net.conv(4, pads=(1, 1, 1, 1), source=first)
    net.add(Add(), branch, first)
    net.quantise(0.27, relu=True)
    net.add(MaxPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1)))
    return finish(net)


@case
def add_of_a_node_to_itself() -> Graph:
    net = image(2)
    net.conv(3)
    one = net.quantise(0.2, relu=True)
    net.add(Add(), one, one)
    return finish(net)


@case
def concat() -> Graph:
    net = image(2)
    start = net.last
    net.conv(2, source=start)
    first = net.quantise(0.25, relu=True)
    net.conv(3, source=start)
    second = net.quantise(0.25, relu=True)
    net.add(Concat(axis=0), first, second)
    net.conv(4)
    return finish(net)


@case
def signed_counts() -> Graph:
    net = image(2)
    net.conv(3)
    net.quantise(0.4, -3, 4)
    net.conv(3)
    return finish(net)


@case
def affine_after_a_neuron() -> Graph:
    net = image(3)
    net.conv(4)
    net.quantise(0.2, relu=True)
    scale, shift = np.array([0.5, -1.5, 2.0, 0.0]), np.array([0.1, 0.2, -0.3, 0.7])
    net.add(Affine(scale=scale.reshape(4, 1, 1), shift=shift.reshape(4, 1, 1)))
    net.quantise(0.3, 0, 7)
    net.dense(4)
    return finish(net)


@case
def quantised_output() -> Graph:
    net = image(2)
    net.conv(3)
    net.quantise(relu=True)
    net.dense(4)
    net.quantise(0.2, -8, 7)
    return net.done()


@case
def analog_input() -> Graph:
    net = NetworkBuilder((2, 6, 6))
    net.conv(3)
    net.quantise(0.2, relu=True)
    net.conv(3)
    return finish(net)
