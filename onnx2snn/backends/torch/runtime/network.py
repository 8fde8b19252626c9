"""The network itself, and the file that its arrays are in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.neurons import Neuron
from onnx2snn.backends.torch.runtime.signals import Clock

DTYPES = {"F64": torch.float64, "F32": torch.float32, "I64": torch.int64, "I8": torch.int8}


class SpikingNet(nn.Module):
    """A spiking network. `counts`, `spikes` and `steps` tell about its last run.

    Moves between devices with .to(device). Where it computes in whole numbers it is exact on each of them, as long
    as its encoder and readout stay float64. Where it computes in real ones, weights, biases and thresholds are
    parameters to train, in float64 or, after .float(), in float32; thresholds must stay positive, so give them a
    smaller learning rate.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    @property
    def neurons(self) -> dict[str, Neuron]:
        """The neuron populations by name."""
        return {layer.name: layer for layer in self.modules() if isinstance(layer, Neuron)}

    @property
    def counts(self) -> dict[str, Tensor]:
        """Net spikes of every neuron, (batch, *features) int64, by population."""
        return {name: neuron.counts for name, neuron in self.neurons.items()}

    @property
    def spikes(self) -> dict[str, int]:
        """Spikes of either sign over the whole batch, by population."""
        return {name: int(neuron.activity.sum()) for name, neuron in self.neurons.items()}

    @property
    def steps(self) -> int:
        """Ticks from the first inject step to the last settle step, or to the last spike where it settles by itself."""
        if self.clock.settle is not None:
            return self.clock.most
        active = [neuron.activity.nonzero() for neuron in self.neurons.values()]
        return max([self.clock.steps, *(int(ticks.max()) + 1 for ticks in active if len(ticks))])


def part(arrays: dict[str, Tensor], layer: str) -> dict[str, Tensor]:
    """The arrays of one layer by their own names."""
    return {name.rpartition(".")[2]: array for name, array in arrays.items() if name.rpartition(".")[0] == layer}


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The arrays of a safetensors file: 8 bytes of header length, a JSON header, the bytes of all arrays.

    Raises ValueError where the file does not hold what its header says.
    """
    data = bytearray(path.read_bytes())
    begin = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or begin > len(data):
        raise ValueError(f"{path}: is no safetensors file")
    header = json.loads(data[8:begin])
    return {name: _tensor(data, begin, name, entry) for name, entry in header.items() if name != "__metadata__"}


def _tensor(data: bytearray, begin: int, name: str, entry: dict[str, Any]) -> Tensor:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"{name}: one of the types {', '.join(DTYPES)} expected, found {entry['dtype']}")
    dtype, shape = DTYPES[entry["dtype"]], torch.Size(entry["shape"])
    start, end = (begin + offset for offset in entry["data_offsets"])
    if not begin <= start <= end <= len(data) or end - start != shape.numel() * dtype.itemsize:
        raise ValueError(f"{name}: {shape.numel()} entries of {dtype} expected, found bytes {start} to {end}")
    if start == end:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(data, dtype=dtype, count=shape.numel(), offset=start).reshape(shape).clone()
