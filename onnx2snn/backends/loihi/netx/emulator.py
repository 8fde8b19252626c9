"""What the reader makes of the file, tick by tick: LIF neurons that reset to 0, from the data sets alone.

A sample has a window of `steps` ticks in each layer, one tick later than in the layer before, at whose start the layer
is at rest: lava-dl's `reset_interval`. For one step nothing is reset between samples; what a decay of 4095 leaves of
one reaches the next, so that samples run one after the other here as there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnx2snn.backends.chains import Connections, Drive, Geometry, load_host, narrowed, read_tables
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.emulator import check_dendrite, integrate
from onnx2snn.backends.loihi.netx.file import FILE, Datasets, read_file
from onnx2snn.backends.loihi.netx.tables import NetxTables
from onnx2snn.errors import ArtifactError, DataError
from onnx2snn.ir import Array
from onnx2snn.reference import Run

CHUNK = 256  #: samples that are held at once


class LifLayer:
    """One conv or dense layer of the file."""

    def __init__(self, fields: Datasets, source: tuple[int, ...]) -> None:
        self.shape = tuple(int(n) for n in fields["shape"])
        self.connections = Connections(_geometry(fields, source), fields["weight"].astype(np.int64), narrow=True)
        self.bias = narrowed(_biases(fields["bias"], self.shape) << chip.GAIN_BITS)
        self.decays = int(fields["neuron/iDecay"]), int(fields["neuron/vDecay"])
        self.threshold = int(fields["neuron/vThMant"]) << chip.GAIN_BITS
        self.rest(1)

    def rest(self, samples: int) -> None:
        """Back to rest."""
        self.u = self.v = np.zeros((samples, int(np.prod(self.shape))), np.int32, order="F")

    def tick(self, arriving: Array) -> Array:
        """Spikes (samples, neurons) for those of the tick before."""
        a = self.connections.sum(arriving)
        check_dendrite("the file", a)
        self.u, self.v = integrate(self.u, self.v, a, self.bias, *self.decays)
        spike = self.v > self.threshold
        self.v = np.where(spike, 0, self.v)
        return spike


class NetxEmulator:
    """Runs the artifact in a folder."""

    def __init__(self, folder: Path) -> None:
        self.tables, arrays = read_tables(folder, NetxTables)
        (self.first, shape), *_ = self.tables.populations
        neurons = (int(np.prod(shape)),)
        self.drive: Drive = load_host(self.tables.host, arrays, neurons[0])
        self.theta, self.v0 = (arrays.take(name, neurons) for name in ("host.theta", "host.v0"))
        outputs = (int(np.prod(self.tables.readout)),)
        self.value, self.offset = (arrays.take(f"readout.{part}", outputs) for part in ("value", "offset"))
        try:
            self.layers = layers_of(read_file(folder))
        except (KeyError, ValueError, UnicodeDecodeError) as error:
            raise ArtifactError(f"{FILE}: no layers of the format: {str(error).partition(chr(10))[0]}") from None
        if [layer.shape for layer in self.layers] != [
            *(s for _, s in self.tables.populations[1:]),
            self.tables.readout,
        ]:
            raise ArtifactError(f"{folder}: the layers of the file are not those of the tables")

    def host_spikes(self, x: Array) -> Array:
        """Spikes of the first population, bool (steps, samples, neurons)."""
        if x.shape[1:] != self.drive.input_shape:
            raise DataError(f"samples {self.drive.input_shape} expected, found {x.shape[1:]}")
        share, rest = self.drive.split(x, self.tables.steps)
        v, spikes = self.v0 + rest, []
        for _ in range(self.tables.steps):
            v = v + share
            spikes.append(v >= self.theta)
            v = v - self.theta * spikes[-1]
        return np.stack(spikes)

    def run(self, x: Array, progress: Any = None) -> Run:
        """Emulates `x` (batch, *input shape); `progress` is called with the number of samples done so far."""
        counts = [np.zeros((len(x), int(np.prod(shape))), np.int64) for _, shape in self.tables.populations]
        sums = np.zeros((len(x), len(self.value)), np.int64)
        for start in range(0, len(x), CHUNK):
            place = slice(start, start + CHUNK)
            spikes = self.host_spikes(x[place])
            found, sums[place] = self._streamed(spikes) if self.tables.steps == 1 else self._windows(spikes)
            for total, count in zip(counts, [spikes.sum(axis=0), *found], strict=True):
                total[place] = count
            if progress is not None:
                progress(start + len(x[place]))
        named = zip(self.tables.populations, counts, strict=True)
        shaped = {name: count.reshape(len(x), *shape) for (name, shape), count in named}
        output = (self.value * sums + self.offset).reshape(len(x), *self.tables.readout)
        spent = {name: int(count.sum()) for name, count in shaped.items()}
        return Run((output,), self.tables.steps + len(self.layers), shaped, spent)

    def _windows(self, spikes: Array) -> tuple[list[Array], Array]:
        """Counts of every layer but the readout and the readout's sums, samples side by side."""
        counts: list[Array] = []
        for layer in self.layers:
            layer.rest(spikes.shape[1])
            spikes = np.stack([layer.tick(arriving) for arriving in spikes])
            counts.append(spikes.sum(axis=0))
        return counts[:-1], self.layers[-1].v >> chip.GAIN_BITS

    def _streamed(self, spikes: Array) -> tuple[list[Array], Array]:
        """The same with one sample at a time, no rest between them."""
        sent = sums = spikes[0]
        counts: list[Array] = []
        for layer in self.layers:
            rows = [(layer.tick(sample[None])[0], layer.u[0] >> chip.GAIN_BITS) for sample in sent]
            sent, sums = (np.stack(column) for column in zip(*rows, strict=True))
            counts.append(sent.astype(np.int64))
        return counts[:-1], sums


def layers_of(datasets: Datasets) -> list[LifLayer]:
    """The layers of the file in order."""
    layers: list[LifLayer] = []
    source: tuple[int, ...] = ()
    for place in range(1 + max(int(path.split("/")[1]) for path in datasets)):
        prefix = f"layer/{place}/"
        fields = {path.removeprefix(prefix): value for path, value in datasets.items() if path.startswith(prefix)}
        kind = fields["type"][0].decode()
        if kind == "input":
            source = tuple(int(n) for n in fields["shape"])
        elif kind in ("conv", "dense"):
            layers.append(LifLayer(fields, source))
            source = layers[-1].shape
    return layers


def _geometry(fields: Datasets, source: tuple[int, ...]) -> Geometry:
    makes = tuple(int(n) for n in fields["shape"])
    if fields["type"][0] == b"dense":
        return Geometry(kind="dense", source=source, reads=(int(np.prod(source)),), makes=makes)
    pads = tuple(int(n) for n in fields["padding"])
    strides, dilations = (tuple(int(n) for n in fields[name]) for name in ("stride", "dilation"))
    groups = int(fields["groups"])
    return Geometry(
        kind="conv",
        source=source,
        reads=source,
        makes=makes,
        strides=strides,
        pads=pads + pads,
        dilations=dilations,
        groups=groups,
    )


def _biases(bias: Array, shape: tuple[int, ...]) -> Array:
    """Of every neuron, int64 (neurons,), row-major over channels, y, x."""
    if bias.ndim == 3:
        return bias.transpose(2, 1, 0).reshape(-1).astype(np.int64)
    return np.repeat(bias, int(np.prod(shape[1:]))).astype(np.int64)
