"""Nodes of a graph and samples for it as the torch module has them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from onnx2snn.backends.torch.lower import identifiers
from onnx2snn.ir import Array, Graph
from onnx2snn.reference import feed


def identifiers_of(graph: Graph) -> dict[str, str]:
    """The name in the module of each node."""
    return identifiers(node.name for node in graph)


def tensors(graph: Graph, x: Array, device: torch.device) -> list[Tensor]:
    """A batch of each input, float64."""
    return [torch.from_numpy(array.astype(np.float64)).to(device) for array in feed(graph, x).values()]
