"""The chip's integer update for code `ladder`; reads nothing but the tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import Arrays, LadderEmulator, LadderReadout, load_comparators, narrowed, read_tables
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.emulator import Axon, saturated
from onnx2snn.backends.tianjic.ladder.decode import thresholds_of
from onnx2snn.backends.tianjic.ladder.schema import LadderRecord, TianjicLadderTables
from onnx2snn.ir import Array


class UnitSomas:
    """Axon and somas of one layer; their membranes are 0 before every tick."""

    def __init__(self, record: LadderRecord, arrays: Arrays) -> None:
        self.axon = _axon(record, arrays)
        thresholds = saturated(thresholds_of(record, arrays), chip.STATE_BITS)
        self.thresholds = narrowed(np.maximum(thresholds, record.soma.vl))

    def fire(self, passing: Array) -> Array:
        """Spikes of all calls of P08, added up (ticks, neurons), for those of the layer before."""
        v = saturated(self.axon.sum(passing), chip.STATE_BITS)
        found = np.zeros_like(v, np.int32)
        for call in self.thresholds:
            found += v > call
        return found


class TianjicLadderEmulator(LadderEmulator):
    """Runs the tables in a folder, a sample in every tick."""

    def __init__(self, folder: Path) -> None:
        tables, arrays = read_tables(folder, TianjicLadderTables)
        self.layers = [UnitSomas(record, arrays) for record in tables.populations]
        record = tables.readout
        last, outputs = _axon(record, arrays), (record.size,)

        def membranes(passing: Array) -> Array:
            return saturated(last.sum(passing), chip.STATE_BITS)

        value, constant, offset = (
            arrays.take(f"{record.name}/{part}", outputs) for part in ("value", "constant", "offset")
        )
        named = [
            (tables.host.name, tables.host.shape, tables.host.lo),
            *((p.name, p.shape, p.lo) for p in tables.populations),
        ]
        readout = LadderReadout(record.shape, value, constant, offset, membranes)
        super().__init__(load_comparators(tables.host, arrays), self.layers, readout, named)


def _axon(record: LadderRecord, arrays: Arrays) -> Axon:
    return Axon(record.name, record.axon, np.zeros(record.size, np.int64), arrays, record.arriving)
