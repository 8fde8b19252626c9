"""Collects the nodes and constants of one ONNX graph and writes it: the same network gives the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 8

Attribute = int | float | str | Sequence[int]


@dataclass(frozen=True)
class Writer:
    """Nodes in the order of computation. A module `block.conv` gives the node `/block/conv/Conv`."""

    nodes: list[NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, name: str, array: np.ndarray) -> str:
        """Adds an initialiser and returns its name."""
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def node(self, op: str, path: str, *inputs: str, **attributes: Attribute) -> str:
        """Adds a node with one output and returns the output's name; `op` may be `domain:Op`."""
        domain, _, op = op.rpartition(":")
        name = f"/{path.replace('.', '/')}/{op}"
        output = f"{name}_output_0"
        node = helper.make_node(op, inputs, [output], name=name, domain=domain or None)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return output

    def model(self, name: str, sample: Sequence[int], result: Sequence[int], domain: str = "") -> onnx.ModelProto:
        """The checked model, float32 `input` (N, *sample) to float32 `output` (N, *result).

        The last node's output becomes `output`. Shapes are inferred where all ops are the standard's; `domain` is
        that of the others.
        """
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *sample])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", *result])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET), *([helper.make_opsetid(domain, 1)] if domain else [])]
        model = helper.make_model(graph, producer_name="onnx2snn", opset_imports=opsets, ir_version=IR_VERSION)
        if not domain:
            model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        onnx.checker.check_model(model, full_check=not domain)
        return model


@contextmanager
def saving(model: onnx.ModelProto, path: Path) -> Iterator[Path]:
    """Writes the model beside `path`, lets the caller look at it there, and puts it in its place in one go.

    Where the caller raises, or the disk is full, nothing is left behind and what `path` held is still there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(model.SerializeToString(deterministic=True))
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)
