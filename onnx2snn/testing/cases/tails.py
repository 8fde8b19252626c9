"""Cases of what stays real-valued behind the readouts, and of several outputs."""

from __future__ import annotations

import numpy as np

from onnx2snn.ir import Graph
from onnx2snn.ir.ops import LeakyRelu, Maximum, Minimum, Multiply, Softmax, Steps, Unary
from onnx2snn.testing.cases.builder import NetworkBuilder, case, finish, image


def _hidden() -> NetworkBuilder:
    net = image()
    net.conv(3)
    net.quantise(relu=True)
    net.dense(4)
    return net


@case
def softmax_head() -> Graph:
    net = _hidden()
    finish(net)
    net.add(Softmax(axis=0))
    return net.done()


@case
def sigmoid_gate() -> Graph:
    net = _hidden()
    value = net.last
    gate = net.add(Unary(function="sigmoid"), value)
    net.add(Multiply(), value, gate)
    return net.done()


@case
def bounded_head() -> Graph:
    net = _hidden()
    value = net.last
    leaky = net.add(LeakyRelu(slope=np.array(0.125)), value)
    steps = net.add(Steps(breakpoints=np.array([-1.0, 0.5]), heights=np.array([1.0, 2.0])), value)
    least = net.add(Minimum(), leaky, steps)
    net.add(Maximum(), least, net.add(Unary(function="tanh"), value))
    return net.done()


@case
def two_outputs() -> Graph:
    net = _hidden()
    box = net.last
    hidden = net.quantise(relu=True)
    net.dense(3)
    net.add(Softmax(axis=0, log=True))
    return net.done(net.last, box, hidden)
