"""Chain networks: what the backends of spiking chips share.

A chain is host, population, synapse, population, ..., synapse, readout. The host evaluates everything before the
first population and hands each of its neurons a constant charge; every later layer runs on the chip, one tick of
latency behind the layer before it.
"""

from onnx2snn.backends.chains.backend import ChainBackend
from onnx2snn.backends.chains.compare import Decoded, audit
from onnx2snn.backends.chains.connections import Connections
from onnx2snn.backends.chains.emulator import ChainEmulator, Progress, Stage
from onnx2snn.backends.chains.fit_grid import FitGrid
from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.host import Drive, HostRecord, load_host, store_host
from onnx2snn.backends.chains.layers import Chain, Output, Population, Synapse
from onnx2snn.backends.chains.limits import Layer, LayerRule, Limit, ends, in_every_layer, within
from onnx2snn.backends.chains.records import LayerBase, TablesBase
from onnx2snn.backends.chains.rules import STRUCTURE, chain_if_sound
from onnx2snn.backends.chains.tables import Arrays, Record, Sizes, read_tables, write_tables
from onnx2snn.backends.chains.walk import chain_of

__all__ = [
    "STRUCTURE",
    "Arrays",
    "Chain",
    "ChainBackend",
    "ChainEmulator",
    "Connections",
    "Decoded",
    "Drive",
    "FitGrid",
    "Geometry",
    "HostRecord",
    "Layer",
    "LayerBase",
    "LayerRule",
    "Limit",
    "Output",
    "Population",
    "Progress",
    "Record",
    "Sizes",
    "Stage",
    "Synapse",
    "TablesBase",
    "audit",
    "chain_if_sound",
    "chain_of",
    "ends",
    "in_every_layer",
    "load_host",
    "read_tables",
    "store_host",
    "within",
    "write_tables",
]
