"""The chip's integer update, tick by tick; reads nothing but the tables."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import (
    NARROW,
    Arrays,
    ChainEmulator,
    Connections,
    Stage,
    load_host,
    narrowed,
    read_tables,
)
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.decode import bias_of, parts_of, start_of, theta_of
from onnx2snn.backends.tianjic.schema import P04, P08, P41, LayerRecord, TianjicTables
from onnx2snn.ir import Array


def saturated(x: Array, bits: int) -> Array:
    """The nearest number that a signed register of `bits` bits holds."""
    return np.clip(x, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def mac(bias: Array, inputs: Array, weights: Array) -> Array:
    """bias + sum over the last axis of inputs * weights, saturating at 32 bits after every product, in order."""
    total = saturated(bias, chip.ACCUMULATOR_BITS)
    for place in range(inputs.shape[-1]):
        total = saturated(total + inputs[..., place] * weights[..., place], chip.ACCUMULATOR_BITS)
    return total


def lif_plus(v: Array, uin: Array, vtheta: Array, soma: P08) -> tuple[Array, Array, Array]:
    """One tick of LIF+: (next membrane, spike, membrane before the reset); integrate, fire, reset, floor.

    v, uin: int32 only where both are below 2^29.  vtheta: int64.
    """
    vth = np.maximum(saturated(soma.vth0 + vtheta, chip.STATE_BITS), soma.vl).astype(np.int32)
    v = saturated(v + uin, chip.STATE_BITS)
    spike = v > vth
    rest = v - spike * vth if soma.reset_mode == 1 else v
    return np.maximum(saturated(rest, chip.STATE_BITS), soma.vl), spike, v


class Axon:
    """P04 or P41 with its weights and biases.  most: the largest input."""

    def __init__(self, name: str, axon: P04 | P41, bias: Array, arrays: Arrays, most: int = 1) -> None:
        parts = parts_of(name, axon, arrays)
        self.geometry = axon.geometry
        self.parts = parts.reshape(*parts.shape[:2], -1)
        largest = most * int(np.abs(self.parts).sum(axis=(0, 2)).max(initial=0)) + int(np.abs(bias).max(initial=0))
        self.safe = largest <= chip.MOST_SUM  # no order of additions saturates
        narrow = largest < NARROW
        self.bias = narrowed(bias) if narrow else bias
        self.connections = Connections(self.geometry, parts.sum(axis=0), most, narrow)

    def sum(self, spikes: Array) -> Array:
        """What the soma reads, int64 (batch, neurons), or int32 where it is below 2^29."""
        if self.safe:
            return self.bias + self.connections.sum(spikes)
        return np.concatenate([self.sum_in_order(sample[None]) for sample in spikes])

    def sum_in_order(self, spikes: Array) -> Array:
        """The same, product by product, in the memory of all of them."""
        groups = self.geometry.groups
        repeats, out, taps = self.parts.shape
        copy, tap = chip.mac_order(self.geometry, taps, repeats)
        seen = self.connections.gather(spikes.astype(np.int64))[..., tap]  # (batch, groups, positions, products)
        weights = self.parts[copy, :, tap].T.reshape(groups, out // groups, 1, -1)
        bias = self.bias.astype(np.int64).reshape(1, groups, out // groups, -1)
        return mac(bias, seen[:, :, None], weights).reshape(len(spikes), -1)


@dataclass(frozen=True)
class Loaded:
    """A layer's tables: vtheta, membrane int64 (neurons,) row-major; no axon in the first."""

    record: LayerRecord
    vtheta: Array
    membrane: Array
    axon: Axon | None


class SomaLayer:
    """Axon and soma of one layer; `sent` is what a readout's soma sends."""

    def __init__(self, tables: Loaded, uin: Array | None, membrane: Array) -> None:
        self.tables, self.uin = tables, None if uin is None else narrowed(uin)
        self.v = self.sent = narrowed(membrane)

    def tick(self, arriving: Array | None) -> Array:
        axon = self.tables.axon
        uin = self.uin if axon is None or arriving is None else axon.sum(arriving)
        assert uin is not None  # the first layer has what the host wrote
        self.v, spike, self.sent = lif_plus(self.v, uin, self.tables.vtheta, self.tables.record.soma)
        return spike


class TianjicEmulator(ChainEmulator):
    """Runs the tables in a folder, many samples at a time."""

    def __init__(self, folder: Path) -> None:
        tables, arrays = read_tables(folder, TianjicTables)
        self.layers = [_load(record, arrays) for record in (*tables.populations, tables.readout)]
        readout = tables.readout
        outputs = (readout.size,)
        self.value, self.offset = (arrays.take(f"{readout.name}/{part}", outputs) for part in ("value", "offset"))
        drive = load_host(tables.host, arrays, len(self.layers[0].membrane))
        named = [(record.name, record.shape) for record in tables.populations]
        super().__init__(drive, named, tables.steps)

    def stages(self, share: Array, rest: Array) -> list[Stage]:
        first, *others = self.layers
        stages: list[Stage] = [SomaLayer(first, share, first.membrane + rest)]
        for layer in others:
            stages.append(SomaLayer(layer, None, np.repeat(layer.membrane[:, None], len(rest), axis=1).T))
        return stages

    def output(self, readout: Stage) -> Array:
        assert isinstance(readout, SomaLayer)
        sent = np.ascontiguousarray(readout.sent)
        return (self.value * sent + self.offset).reshape(len(sent), *self.layers[-1].record.shape)


def _load(record: LayerRecord, arrays: Arrays) -> Loaded:
    vtheta = theta_of(record, arrays) - record.soma.vth0
    axon = None if record.axon is None else Axon(record.name, record.axon, bias_of(record, arrays), arrays)
    return Loaded(record, vtheta, start_of(record, arrays), axon)
