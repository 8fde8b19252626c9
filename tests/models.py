"""Tiny quantised ONNX models, written node by node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = np.ndarray[Any, np.dtype[Any]]


class ModelBuilder:
    """Adds nodes one after the other; every method returns the name of the tensor it makes."""

    def __init__(self, shape: Sequence[int | str], seed: int = 0, opset: int = 18) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.shape = list(shape)
        self.opset = opset
        self.rank = 2  # axes of the output, batch included

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def node(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        number = sum(node.op_type == op for node in self.nodes) + 1
        output = f"{op.lower()}{number}"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"/{op}_{number}", domain=domain, **attributes))
        return output

    def split(self, x: str, parts: int, *inputs: str, **attributes: Any) -> list[str]:
        """A Split into several tensors."""
        names = [f"split{len(self.nodes)}.{i}" for i in range(parts)]
        self.nodes.append(
            helper.make_node("Split", [x, *inputs], names, name=f"/Split_{len(self.nodes)}", **attributes)
        )
        return names

    def cast(self, x: str, kind: str) -> str:
        """A Cast to a type by its ONNX name."""
        return self.node("Cast", x, to=onnx.TensorProto.DataType.Value(kind))

    def positive(self, x: str, bound: float = 0.0) -> str:
        """Whether x is above a bound."""
        return self.node("Greater", x, self.constant(bound))

    def quantise(self, x: str, scale: Any = 0.1, low: int = 0, high: int = 15, zero: int = 0, axis: int = 1) -> str:
        """QuantizeLinear, Clip, DequantizeLinear; int8 where low is negative."""
        dtype = np.int8 if low < 0 else np.uint8
        steps = np.asarray(scale, np.float32)
        grid = (self.constant(steps), self.constant(np.full(steps.shape, zero), dtype))
        codes = self.node("QuantizeLinear", x, *grid, axis=axis)
        info = np.iinfo(dtype)
        if (low, high) != (info.min, info.max):
            codes = self.node("Clip", codes, self.constant(low, dtype), self.constant(high, dtype))
        return self.node("DequantizeLinear", codes, *grid, axis=axis)

    def weights(self, shape: Sequence[int], bits: int = 4, axis: int = 0, per_channel: bool = True) -> str:
        """Random whole weights and a scale for each output channel."""
        top = 2 ** (bits - 1) - 1
        codes = self.constant(self.rng.integers(-top, top + 1, shape), np.int8)
        count = shape[axis] if per_channel else 1
        scale = self.rng.uniform(0.02, 0.2, count) if per_channel else self.rng.uniform(0.02, 0.2)
        zeros = np.zeros(np.shape(scale))
        return self.node("DequantizeLinear", codes, self.constant(scale), self.constant(zeros, np.int8), axis=axis)

    def conv(
        self, x: str, inside: int, out: int, kernel: Sequence[int] = (3, 3), bias: bool = True, **attributes: Any
    ) -> str:
        groups = attributes.get("group", 1)
        extra = [self.constant(self.rng.normal(0, 0.2, out))] if bias else []
        return self.node("Conv", x, self.weights((out, inside // groups, *kernel)), *extra, **attributes)

    def gemm(self, x: str, inside: int, out: int) -> str:
        return self.node("Gemm", x, self.weights((out, inside)), self.constant(self.rng.normal(0, 0.2, out)), transB=1)

    def batch_norm(self, x: str, channels: int, gamma: Any = None) -> str:
        values = self.rng.normal(1, 0.3, channels) if gamma is None else gamma
        mean, beta = self.rng.normal(0, 0.3, (2, channels))
        var = self.rng.uniform(0.5, 2, channels)
        return self.node("BatchNormalization", x, *(self.constant(v) for v in (values, beta, mean, var)))

    def model(self, output: str, opsets: Sequence[tuple[str, int]] = ()) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "tiny",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["N", *("d" * (self.rank - 1))])],
            self.constants,
        )
        imports = [helper.make_opsetid("", self.opset), *(helper.make_opsetid(d, v) for d, v in opsets)]
        return helper.make_model(graph, opset_imports=imports, ir_version=10)

    def save(self, output: str, path: Path) -> Path:
        onnx.save(self.model(output), str(path))
        return path


def lenet(path: Path, seed: int = 0) -> Path:
    """Conv, BatchNorm, Relu, 4-bit staircase, max-pool; conv, average pool; two dense layers; 8-bit input."""
    m = ModelBuilder(["N", 1, 12, 12], seed)
    x = m.quantise("x", 1 / 255, 0, 255)
    gamma = m.rng.normal(0.6, 0.5, 4)
    gamma[:2] = -0.7, 0.0
    y = m.node("Relu", m.batch_norm(m.conv(x, 1, 4, bias=False, pads=[1, 1, 1, 1]), 4, gamma))
    y = m.node("MaxPool", m.quantise(y, 0.13), kernel_shape=[2, 2], strides=[2, 2])
    y = m.node("Relu", m.conv(y, 4, 6))
    y = m.node("AveragePool", m.quantise(y, 0.21), kernel_shape=[2, 2], strides=[2, 2])
    y = m.node("Flatten", y)
    y = m.quantise(m.node("Relu", m.gemm(y, 24, 10)), 0.3)
    return m.save(m.gemm(y, 10, 5), path)


def residual(path: Path, seed: int = 0) -> Path:
    """A residual block whose identity branch has another scale than the synapse it joins, and a 1 x 1 shortcut."""
    m = ModelBuilder(["N", 2, 6, 6], seed)
    x = m.quantise("x", 1 / 15, 0, 15)
    a = m.quantise(m.node("Relu", m.conv(x, 2, 4, pads=[1] * 4)), 0.17)
    b = m.quantise(m.node("Relu", m.conv(a, 4, 4, pads=[1] * 4)), 0.23)
    c = m.node("Add", m.conv(b, 4, 4, pads=[1] * 4), a)
    d = m.quantise(m.node("Relu", c), 0.31)
    e = m.node("Add", m.conv(d, 4, 6, strides=[2, 2], pads=[1] * 4), m.conv(d, 4, 6, kernel=(1, 1), strides=[2, 2]))
    f = m.quantise(m.node("Relu", e), 0.29)
    y = m.node("Flatten", m.node("GlobalAveragePool", f))
    return m.save(m.gemm(y, 6, 3), path)
