"""QONNX and FINN: quantisers as ops of their own domains."""

from __future__ import annotations

from typing import Any

import numpy as np

from dialects.network import Network, dialect

QONNX = "qonnx.custom_op.general"
PADS = [1, 1, 1, 1]


def quant(m: Network, x: str, scale: Any, bits: float, signed: int, narrow: int = 0, zero: float = 0) -> str:
    operands = (m.constant(scale), m.constant(zero), m.constant(bits))
    return m.node("Quant", x, *operands, domain=QONNX, signed=signed, narrow=narrow, rounding_mode="ROUND")


@dialect(opsets=((QONNX, 2),))
def qonnx_quant(m: Network) -> str:
    """Quant on input, weights (a scale for each channel), bias and activations; BatchNorm before Relu."""
    x = quant(m, "x", 0.0231, 8, 1)
    w = quant(m, m.real(3, 2, 3, 3), m.scales(3, 0.15).reshape(3, 1, 1, 1), 4, 1, 1)
    y = m.node("Relu", m.batch_norm(m.node("Conv", x, w, pads=PADS), 3, [0.7, -0.4, 0.9]))
    y = m.flat(quant(m, y, 0.137, 4, 0))
    w = quant(m, m.real(3, 4), 0.093, 4, 1, 1)
    return m.node("Add", m.node("MatMul", y, w), quant(m, m.real(4), 0.0007, 32, 1))


@dialect(opsets=((QONNX, 2),))
def qonnx_bipolar(m: Network) -> str:
    """Weights and activations of two values."""
    x = m.node("BipolarQuant", "x", m.constant(1.0), domain=QONNX)
    w = m.node("BipolarQuant", m.real(3, 2, 3, 3), m.constant(0.21), domain=QONNX)
    y = m.node("Conv", x, w, m.real(3))
    y = m.flat(m.node("BipolarQuant", y, m.constant(0.37), domain=QONNX))
    return m.node("MatMul", y, m.node("BipolarQuant", m.real(3, 4), m.constant(0.17), domain=QONNX))


def thresholds(m: Network, x: str, steps: Any, **attributes: Any) -> str:
    return m.node("MultiThreshold", x, m.constant(steps), domain=QONNX, **attributes)


@dialect(opsets=((QONNX, 1),))
def multithreshold_uniform(m: Network) -> str:
    """FINN: thresholds at equal distances, half a step from zero, one row for all channels."""
    x = thresholds(m, "x", 0.25 * np.arange(-7, 8)[None] + 0.125, out_dtype="INT4", out_scale=0.25, out_bias=-2.0)
    y = m.node("Conv", x, m.whole(3, 2, 3, 3, top=1, kind=np.float32))
    y = thresholds(m, y, 0.5 * np.arange(7)[None] + 0.25, out_dtype="UINT3")
    y = m.flat(y)
    return m.node("Mul", m.node("MatMul", y, m.whole(3, 4, top=7, kind=np.float32)), m.constant(0.137))


@dialect(opsets=((QONNX, 1),))
def multithreshold_steps(m: Network) -> str:
    """FINN after streamlining: each channel has thresholds of its own, at unequal distances."""
    x = thresholds(m, "x", 0.25 * np.arange(-7, 8)[None] + 0.125, out_dtype="INT4", out_scale=0.25, out_bias=-2.0)
    y = m.node("Conv", x, m.whole(3, 2, 3, 3, top=1, kind=np.float32))
    steps = np.sort(m.rng.normal(0.3, 0.8, (3, 5)), axis=1)
    y = m.flat(thresholds(m, y, steps, out_dtype="UINT3"))
    return m.node("MatMul", y, m.whole(3, 4, top=7, kind=np.float32))
