"""Chain networks for the chip backends, and what their tests do with tables."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from models import ModelBuilder
from safetensors.numpy import load_file, save_file

from onnx2snn.artifact import Network
from onnx2snn.backends.base import Backend
from onnx2snn.flow.conversion.convert import convert

Array = np.ndarray[Any, np.dtype[Any]]


def strided_conv(m: ModelBuilder, x: str) -> str:
    y = step(m, m.conv(x, 2, 4, pads=[1] * 4), 0.4)
    y = step(m, m.conv(y, 4, 6, kernel=(3, 2), strides=[2, 1], pads=[1, 0, 1, 1]), 0.9)
    return m.gemm(m.node("Flatten", y), 6 * 4 * 8, 5)


def average_pools(m: ModelBuilder, x: str) -> str:
    y = m.node("AveragePool", step(m, m.conv(x, 2, 4, pads=[1] * 4), 0.4), kernel_shape=[2, 2], strides=[2, 2])
    y = m.node("AveragePool", step(m, m.conv(y, 4, 6, pads=[1] * 4), 0.3), kernel_shape=[2, 2], strides=[2, 2])
    return m.gemm(m.node("Flatten", y), 24, 5)


def grouped_dilated_conv(m: ModelBuilder, x: str) -> str:
    y = step(m, m.conv(x, 2, 4), 0.4)
    y = step(m, m.conv(y, 4, 6, group=2, dilations=[2, 1]), 0.5)
    return m.gemm(m.node("Flatten", y), 6 * 2 * 4, 5)


def dense(m: ModelBuilder, x: str) -> str:
    y = step(m, m.gemm(m.node("Flatten", x), 128, 20), 0.9)
    return m.gemm(step(m, m.gemm(y, 20, 12), 0.5), 12, 5)


def negative_gamma(m: ModelBuilder, x: str) -> str:
    y = step(m, m.batch_norm(m.conv(x, 2, 4, bias=False), 4, [0.8, -0.7, 0.0, 1.1]), 0.3)
    y = step(m, m.batch_norm(m.conv(y, 4, 6, bias=False), 6, [-0.8, 0.7, 1.2, -1.1, 0.0, 0.5]), 0.3)
    return m.gemm(m.node("Flatten", y), 6 * 16, 5)


def max_pool_on_the_host(m: ModelBuilder, x: str) -> str:
    y = step(m, m.conv(x, 2, 4, pads=[1] * 4), 0.4)
    y = m.node("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    return m.gemm(m.node("Flatten", step(m, m.conv(y, 4, 6), 0.8)), 24, 5)


def pooled_and_quantised_output(m: ModelBuilder, x: str) -> str:
    y = m.node("GlobalAveragePool", step(m, m.conv(x, 2, 4), 0.2))
    return step(m, m.node("Flatten", y), 0.17)


CHAINS: dict[str, Callable[[ModelBuilder, str], str]] = {
    f.__name__: f
    for f in (
        strided_conv,
        average_pools,
        grouped_dilated_conv,
        dense,
        negative_gamma,
        max_pool_on_the_host,
        pooled_and_quantised_output,
    )
}


def step(m: ModelBuilder, x: str, scale: float) -> str:
    """Relu and a 4-bit unsigned quantiser."""
    return m.quantise(m.node("Relu", x), scale)


def chain_model(name: str, path: Path, levels: int = 15) -> Path:
    """An ONNX file of one of `CHAINS` over 2 x 8 x 8 input in [0, 1]."""
    m = ModelBuilder(["N", 2, 8, 8], seed=len(name))
    return m.save(CHAINS[name](m, m.quantise("x", 1 / levels, 0, levels)), path / f"{name}.onnx")


def lowered(backend: Backend, model: Path, code: str | None = "if", **options: Any) -> Network:
    """A model as the backend takes it, its design rules checked."""
    return convert(model, code=code, **options).lower(backend)


def samples(network: Network, count: int = 24) -> Array:
    """Random input, the first two at the ends of its range and beyond."""
    x = np.random.default_rng(0).random((count, *network.input_shape)).astype(np.float32)
    x[0], x[1] = 3.0, -1.0
    return x


def edit_array(folder: Path, name: str, change: Callable[[Array], object]) -> None:
    """Changes one array of the tables in place."""
    path = folder / "tables.safetensors"
    arrays = {key: value.copy() for key, value in load_file(path).items()}
    change(arrays[name])
    save_file(arrays, path)


def edit_json(folder: Path, change: Callable[[Any], object]) -> None:
    """Changes `tables.json` in place."""
    path = folder / "tables.json"
    tables = json.loads(path.read_text())
    change(tables)
    path.write_text(json.dumps(tables))
