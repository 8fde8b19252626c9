"""The chip's integer update for code `ladder`; reads nothing but the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import (
    Arrays,
    Connections,
    LadderEmulator,
    LadderReadout,
    load_comparators,
    narrowed,
    passed,
    read_tables,
)
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.decode import weight_of
from onnx2snn.backends.loihi.emulator import check_dendrite, integrate
from onnx2snn.backends.loihi.ladder.decode import biases_in
from onnx2snn.backends.loihi.ladder.schema import LadderLayerRecord, LoihiLadderTables, UnitsRecord
from onnx2snn.backends.loihi.ladder.sums import share
from onnx2snn.backends.loihi.ladder.units import grid_of, realised
from onnx2snn.ir import Array


class UnitLayer:
    """One layer: its compartments spike where v > threshold 2^6, and then v = 0.

    forgets: whether nothing that is left of a tick can change a comparison in the next. The ticks of a batch are then
    worked out side by side, else one after the other with every register.
    """

    def __init__(self, record: UnitsRecord, arrays: Arrays) -> None:
        self.record, self.connections = record, _connections(record, arrays)
        self.biases = biases_in(record, arrays)
        least, greatest = realised(self.biases, grid_of(record.synapse.weight_exponent))
        self.breakpoints, self.forgets = narrowed(least), bool((least == greatest).all())
        self.u = self.v = np.zeros(least.shape, np.int64)

    def fire(self, passing: Array) -> Array:
        """Passing units (ticks, neurons) for those of the layer before."""
        sums = self.sums(passing)
        if self.forgets:
            return passed(sums, self.breakpoints)
        return np.stack([self.tick(row).sum(axis=0) for row in sums])

    def sums(self, passing: Array) -> Array:
        """Synaptic sums (ticks, neurons), the same for all units of a neuron."""
        sums = self.connections.sum(passing)
        check_dendrite(self.record.name, sums)
        return sums

    def tick(self, sums: Array) -> Array:
        """One tick of all registers: spikes (units, neurons) for sums (neurons,)."""
        record = self.record
        bias = self.biases.mantissas << record.bias_exponent
        self.u, v = integrate(self.u, self.v, sums[None], bias, record.decay_u, record.decay_v)
        v = np.maximum(v, 1 - (1 << record.floor_bits))
        spike = v > record.threshold << chip.GAIN_BITS
        self.v = np.where(spike, 0, v)
        return spike


class LoihiLadderEmulator(LadderEmulator):
    """Runs the tables in a folder, a sample in every tick."""

    def __init__(self, folder: Path) -> None:
        tables, arrays = read_tables(folder, LoihiLadderTables)
        self.layers = [UnitLayer(record, arrays) for record in tables.populations]
        record = tables.readout
        sums, outputs = _connections(record, arrays), (record.size,)
        part = share(int(np.prod(record.synapse.geometry.source)), record.parts)

        def currents(passing: Array) -> Array:
            found = np.zeros((len(passing), record.size), np.int64)
            for each in range(record.parts):
                some = sums.sum(np.where(part == each, passing, 0))
                check_dendrite(record.name, some)
                found += some
            return found

        value, constant, offset = (
            arrays.take(f"{record.name}/{part}", outputs) for part in ("value", "constant", "offset")
        )
        named = [(p.name, p.shape, p.lo) for p in (tables.host, *tables.populations)]
        readout = LadderReadout(record.shape, value, constant, offset, currents)
        super().__init__(load_comparators(tables.host, arrays), self.layers, readout, named)


def _connections(record: LadderLayerRecord, arrays: Arrays) -> Connections:
    weight = weight_of(record.name, record.synapse, arrays)
    return Connections(record.synapse.geometry, weight, record.arriving, narrow=True)
