"""Quantisers of trained networks spelled with elementwise ops: QCFS, LSQ, PACT, DoReFa, median quantisation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dialects.network import Network, dialect


def _small_net(m: Network, act: Callable[[str], str]) -> str:
    """Quantised input, convolution, activation, averages, output layer; real weights."""
    x = m.qdq("x", m.grid(0.0231, 128))
    y = act(m.node("Conv", x, m.real(3, 2, 3, 3), m.real(3)))
    return m.node("Gemm", m.flat(y), m.real(4, 3), m.real(4), transB=1)


@dialect(becomes="analog")
def qcfs(m: Network) -> str:
    """y = th floor(clip(x / th, 0, 1) L + 1/2) / L, half up."""

    def act(y: str) -> str:
        threshold, levels = m.constant([0.83]), m.constant(4.0)
        y = m.node("Clip", m.node("Div", y, threshold), m.constant(0.0), m.constant(1.0))
        y = m.node("Floor", m.node("Add", m.node("Mul", y, levels), m.constant(0.5)))
        return m.node("Mul", m.node("Div", y, levels), threshold)

    return _small_net(m, act)


@dialect(becomes="analog")
def lsq(m: Network) -> str:
    """y = s round(clip(x / s, 0, Q)), half to even."""

    def act(y: str) -> str:
        step = m.constant(0.137)
        y = m.node("Clip", m.node("Div", y, step), m.constant(0.0), m.constant(15.0))
        return m.node("Mul", m.node("Round", y), step)

    return _small_net(m, act)


@dialect(becomes="analog")
def pact(m: Network) -> str:
    """y = round(k (|x| - |x - a| + a) / 2) / k: a clip to [0, a] spelled with absolute values."""

    def act(y: str) -> str:
        bound, steps = m.constant(1.37), m.constant(np.float32(15 / 1.37))
        y = m.node("Sub", m.node("Abs", y), m.node("Abs", m.node("Sub", y, bound)))
        y = m.node("Mul", m.node("Mul", m.node("Add", y, bound), m.constant(0.5)), steps)
        return m.node("Div", m.node("Round", y), steps)

    return _small_net(m, act)


@dialect(becomes="analog")
def dorefa(m: Network) -> str:
    """y = round((2^k - 1) clip(x, 0, 1)) / (2^k - 1)."""

    def act(y: str) -> str:
        y = m.node("Clip", y, m.constant(0.0), m.constant(1.0))
        return m.node("Div", m.node("Round", m.node("Mul", y, m.constant(7.0))), m.constant(7.0))

    return _small_net(m, act)


@dialect(becomes="analog")
def median(m: Network) -> str:
    """Median quantisation, k = 1 and B = 2: y = round(2^k clip(relu(x), 0, B) + 1e-5) / 2^k; ternary weights."""

    def act(y: str) -> str:
        y = m.node("Clip", m.node("Relu", m.batch_norm(y, 3, [0.7, -0.4, 0.9])), m.constant(0.0), m.constant(2.0))
        y = m.node("Add", m.node("Mul", y, m.constant(2.0)), m.constant(1e-5))
        return m.node("Div", m.node("Round", y), m.constant(2.0))

    x = m.qdq("x", m.grid(0.0231, 128))
    y = act(m.node("Conv", x, m.real(3, 2, 3, 3)))
    y = act(m.node("Conv", y, m.whole(3, 3, 3, 3, top=1, kind=np.float32)))
    return m.node("Gemm", m.node("Flatten", y), m.real(12, 4))
