"""The chip's integer update, tick by tick; reads nothing but the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import Arrays, ChainEmulator, Connections, Stage, load_host, narrowed, read_tables
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.decode import reset_of, weight_of
from onnx2snn.backends.loihi.schema import LoihiTables, PopulationRecord, ReadoutRecord
from onnx2snn.errors import BackendError
from onnx2snn.ir import Array

HALF = 1 << (chip.MEMBRANE_BITS - 1)


def decay(x: Array, rate: int) -> Array:
    """What one tick leaves of x: (4096 - rate) / 4096 of it, cut toward zero; no product is beyond 32 bits."""
    left = chip.DECAY_UNIT - rate
    if left in (0, chip.DECAY_UNIT):
        return x if left else np.zeros_like(x)
    size = np.abs(x)
    return np.sign(x) * ((size >> 12) * left + ((size & 4095) * left >> 12))


def wrap(x: Array) -> Array:
    """Two's complement in 24 bits."""
    return ((x + HALF) & (2 * HALF - 1)) - HALF


def integrate(u: Array, v: Array, a: Array, bias: Array | int, decay_u: int, decay_v: int) -> tuple[Array, Array]:
    """Synaptic current and membrane after one tick without a spike: u wraps, v saturates.

    u, v, a: int32 or int64; a: synaptic sum of at most 16 bits.  bias: in membrane units, int32 only where it is below
    2^29.  decay_u, decay_v: effective decays, 0 to 4096.
    """
    u = wrap(decay(u, decay_u) + (a << chip.GAIN_BITS))
    return u, np.clip(decay(v, decay_v) + u + bias, 1 - HALF, HALF - 1)


def lif(
    u: Array, v: Array, a: Array, bias: Array | int, decay_u: int, decay_v: int, threshold: Array | int
) -> tuple[Array, Array, Array]:
    """One tick of a single compartment with hard reset: (u, v, spike); spike where v > threshold 2^6, then v = 0."""
    u, v = integrate(u, v, a, bias, decay_u, decay_v)
    spike = v > np.asarray(threshold) << chip.GAIN_BITS
    return u, np.where(spike, 0, v), spike


@dataclass(frozen=True)
class Loaded:
    """A population's tables in chip units: reset, membrane, bias int64 (neurons,); no bias in the first.

    reset: None where a spike sets the membrane to 0.
    """

    record: PopulationRecord
    reset: Array | None
    membrane: Array
    bias: Array | None
    connections: Connections | None


class NeuronLayer:
    """Neurons of any reset. One to 0 is the chip's own. A soft one takes the reset off: at once in microcode; of two
    compartments through a synapse, with what arrives in the next tick. Both come to the same before the next
    comparison.
    """

    def __init__(self, tables: Loaded, bias: Array, membrane: Array) -> None:
        self.tables = tables
        self.bias = narrowed(bias << tables.record.bias_exponent)
        taken = None if tables.reset is None else -tables.reset
        synapse = tables.record.reset == "two-compartment"
        self.by_synapse = narrowed(taken) if taken is not None and synapse else None
        self.at_once = None if taken is None or synapse else narrowed(taken << chip.GAIN_BITS)
        self.v = narrowed(membrane << chip.GAIN_BITS)
        self.u, self.spike = np.zeros_like(self.v), np.zeros_like(self.v, bool)
        if tables.record.decay_u < chip.DECAY_UNIT:
            self.u = self.u - self.bias

    def tick(self, arriving: Array | None) -> Array:
        tables, record = self.tables, self.tables.record
        a = np.zeros_like(self.v) if self.by_synapse is None else self.spike * self.by_synapse
        if tables.connections is not None and arriving is not None:
            a = a + tables.connections.sum(arriving)
        check_dendrite(record.name, a)
        self.u, self.v = integrate(self.u, self.v, a, self.bias, record.decay_u, record.decay_v)
        self.spike = self.v > (record.threshold << chip.GAIN_BITS) - record.soma_bias
        if record.reset == "zero":
            self.v = np.where(self.spike, 0, self.v)
        elif self.at_once is not None:
            self.v = self.v + self.spike * self.at_once
        return self.spike


class AccumulatingLayer:
    """The readout's compartments: they integrate and never spike."""

    def __init__(self, record: ReadoutRecord, connections: Connections, samples: int) -> None:
        self.record, self.connections = record, connections
        self.u = self.v = np.zeros((samples, record.size), np.int32, order="F")

    def tick(self, arriving: Array | None) -> Array:
        assert arriving is not None  # a population is before it
        a = self.connections.sum(arriving)
        check_dendrite(self.record.name, a)
        self.u, self.v = integrate(self.u, self.v, a, 0, self.record.decay_u, self.record.decay_v)
        spike = self.v > self.record.threshold << chip.GAIN_BITS
        if spike.any():
            raise BackendError(f"{self.record.name}: the readout reached its threshold, so its sums are lost")
        return spike


def check_dendrite(name: str, a: Array) -> None:
    """Raises `BackendError` where a synaptic sum overflows the chip's 16 bits."""
    half = 1 << (chip.DENDRITE_BITS - 1)
    if a.size and (a.min() < -half or a.max() >= half):
        raise BackendError(f"{name}: synaptic sums of {a.min()} to {a.max()} in one tick overflow 16 bits")


class LoihiEmulator(ChainEmulator):
    """Runs the tables in a folder, many samples at a time."""

    def __init__(self, folder: Path) -> None:
        tables, arrays = read_tables(folder, LoihiTables)
        self.layers = [_load(record, arrays) for record in tables.populations]
        self.readout, readout = tables.readout, tables.readout
        self.sums = _connections(readout, arrays)
        outputs = (readout.size,)
        self.value, self.offset = (arrays.take(f"{readout.name}/{part}", outputs) for part in ("value", "offset"))
        drive = load_host(tables.host, arrays, len(self.layers[0].membrane))
        named = [(record.name, record.shape) for record in tables.populations]
        super().__init__(drive, named, tables.steps)

    def stages(self, share: Array, rest: Array) -> list[Stage]:
        stages: list[Stage] = []
        for layer in self.layers:
            if layer.bias is None:
                stages.append(NeuronLayer(layer, share, layer.membrane + rest))
            else:
                membrane = np.repeat(layer.membrane[:, None], len(rest), axis=1).T
                stages.append(NeuronLayer(layer, layer.bias, membrane))
        assert self.sums is not None
        return [*stages, AccumulatingLayer(self.readout, self.sums, len(rest))]

    def output(self, readout: Stage) -> Array:
        assert isinstance(readout, AccumulatingLayer)
        total = np.ascontiguousarray(readout.v >> chip.GAIN_BITS)
        return (self.value * total + self.offset).reshape(len(total), *self.readout.shape)


def _load(record: PopulationRecord, arrays: Arrays) -> Loaded:
    neurons = (record.size,)
    return Loaded(
        record,
        reset_of(record, arrays) if record.reset_exponents else None,
        arrays.take(f"{record.name}/membrane", neurons),
        None if record.synapse is None else arrays.take(f"{record.name}/bias", neurons),
        _connections(record, arrays),
    )


def _connections(record: PopulationRecord | ReadoutRecord, arrays: Arrays) -> Connections | None:
    if record.synapse is None:
        return None
    return Connections(record.synapse.geometry, weight_of(record.name, record.synapse, arrays), narrow=True)
