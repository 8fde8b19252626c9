"""Collects the nodes and constants of one ONNX graph and writes it: the same network gives the same bytes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

OPSET = 18
IR_VERSION = 8

Attribute = int | float | Sequence[int]


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
        """Adds a node with one output and returns the output's name."""
        name = f"/{path.replace('.', '/')}/{op}"
        output = f"{name}_output_0"
        node = helper.make_node(op, inputs, [output], name=name)
        node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
        self.nodes.append(node)
        return output

    def model(self, name: str, sample_shape: tuple[int, ...]) -> onnx.ModelProto:
        """The checked model, float32 `input` (N, *sample_shape) to float32 `output`, shapes inferred.

        The last node's output becomes `output`.
        """
        self.nodes[-1].output[0] = "output"
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", *sample_shape])],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
            self.constants,
        )
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="onnx2snn", opset_imports=opsets, ir_version=IR_VERSION)
        model = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
        onnx.checker.check_model(model, full_check=True)
        return model


def save(model: onnx.ModelProto, path: Path) -> None:
    """Writes the model in one go: a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(model.SerializeToString(deterministic=True))
    os.replace(unfinished, path)
