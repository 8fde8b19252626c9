"""Networks that the netx format takes: one scale of weights a layer, equal pads."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chain_models import step
from models import ModelBuilder


def _conv(m: ModelBuilder, x: str, inside: int, out: int, **attributes: Any) -> str:
    weight = m.weights((out, inside, 3, 3), per_channel=False)
    return m.node("Conv", x, weight, m.constant(m.rng.normal(0.1, 0.1, out)), **attributes)


def _dense(m: ModelBuilder, x: str, inside: int, out: int) -> str:
    weight = m.weights((out, inside), per_channel=False)
    return m.node("Gemm", x, weight, m.constant(m.rng.normal(0.1, 0.1, out)), transB=1)


def convolutions(path: Path) -> Path:
    """Two convolutions, one of stride 2 with pads, then a hidden and an output layer, over 2 x 8 x 7 input."""
    m = ModelBuilder(["N", 2, 8, 7], seed=3)
    y = step(m, _conv(m, m.quantise("x", 1 / 15, 0, 15), 2, 4, pads=[1] * 4), 0.1)
    y = step(m, _conv(m, y, 4, 6, pads=[1, 0, 1, 0], strides=[2, 1]), 0.1)
    y = step(m, _conv(m, y, 6, 5), 0.15)
    y = step(m, _dense(m, m.node("Flatten", y), 5 * 2 * 3, 12), 0.15)
    return m.save(_dense(m, y, 12, 5), path)


def dense(path: Path) -> Path:
    """Three dense layers behind the host's."""
    m = ModelBuilder(["N", 20], seed=5)
    y = step(m, _dense(m, m.quantise("x", 1 / 15, 0, 15), 20, 24), 0.1)
    y = step(m, _dense(m, y, 24, 16), 0.1)
    y = step(m, _dense(m, y, 16, 12), 0.15)
    return m.save(_dense(m, y, 12, 4), path)


NETX_MODELS: dict[str, Callable[[Path], Path]] = {"convolutions": convolutions, "dense": dense}
