"""Simulating an artifact with PyTorch, from its graph and arrays alone, in chunks that keep memory bounded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from onnx2snn.backends.torch.module import build
from onnx2snn.ir import Array, Graph
from onnx2snn.reference import Run, feed, in_chunks

CHUNK_BYTES = 64 << 20
Progress = Callable[[int], None]


class TorchSimulator:
    """Runs a spiking graph for `steps` inject steps and `settle` more; None: until every population is silent."""

    def __init__(
        self,
        graph: Graph,
        steps: int,
        settle: int | None = None,
        device: str | torch.device = "cpu",
        chunk_bytes: int = CHUNK_BYTES,
    ) -> None:
        self.graph, self.device = graph, torch.device(device)
        self.module = build(graph, steps, settle).to(self.device)
        largest = max(int(np.prod(graph.shape(node.name))) for node in graph)
        ticks = min(self.module.clock.most, steps + 8) if settle is None else steps + settle
        self.chunk = max(1, chunk_bytes // (8 * largest * ticks))  #: samples at a time

    def run(self, x: Array, progress: Progress | None = None) -> Run:
        """Simulates `x` (batch, *input shape); `progress` is called with the number of samples done so far."""
        return in_chunks(x, self.chunk, self._run, progress)

    def _run(self, x: Array) -> Run:
        module = self.module
        with torch.inference_mode():
            inputs = feed(self.graph, x.astype(np.float64)).values()
            found = module(*(torch.from_numpy(array).to(self.device) for array in inputs))
        outputs = found if isinstance(found, tuple) else (found,)
        counts = {name: tensor.cpu().numpy() for name, tensor in module.counts.items()}
        return Run(tuple(output.cpu().numpy() for output in outputs), module.steps, counts, module.spikes)
