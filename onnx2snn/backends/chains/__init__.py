"""Chain networks: what the backends of spiking chips share.

A chain is host, population, synapse, population, ..., synapse, readout. The host evaluates everything before the
first population and hands each of its neurons a constant charge; every later layer runs on the chip, one tick of
latency behind the layer before it.
"""

from onnx2snn.backends.chains.backend import ChainBackend
from onnx2snn.backends.chains.compare import Decoded, audit
from onnx2snn.backends.chains.connections import NARROW, Connections, narrowed
from onnx2snn.backends.chains.emulator import ChainEmulator, Progress, Stage
from onnx2snn.backends.chains.fit_grid import FitGrid
from onnx2snn.backends.chains.geometry import Geometry
from onnx2snn.backends.chains.host import Drive, HostRecord, load_host, store_host
from onnx2snn.backends.chains.ladder import (
    Comparators,
    DecodedLadder,
    LadderEmulator,
    LadderLayerBase,
    LadderReadout,
    LadderTablesBase,
    UnitStage,
    audit_ladder,
    canonical,
    ladder_of,
    load_chain,
    load_comparators,
    passed,
    store_comparators,
)
from onnx2snn.backends.chains.layers import Chain, LadderChain, Leak, Output, Population, Synapse, UnitPopulation
from onnx2snn.backends.chains.limits import (
    Layer,
    LayerRule,
    Limit,
    broken,
    ends,
    in_every_layer,
    layers_if_sound,
    within,
)
from onnx2snn.backends.chains.on_chip import OnChip
from onnx2snn.backends.chains.records import LayerBase, TablesBase
from onnx2snn.backends.chains.rules import (
    STRUCTURE,
    STRUCTURE_OF_ALL,
    STRUCTURE_OF_BOTH,
    chain_if_sound,
    is_chain,
    ladder_if_sound,
)
from onnx2snn.backends.chains.tables import Arrays, Record, Sizes, read_tables, write_tables
from onnx2snn.backends.chains.walk import chain_of, synapse_of

__all__ = [
    "NARROW",
    "STRUCTURE",
    "STRUCTURE_OF_ALL",
    "STRUCTURE_OF_BOTH",
    "Arrays",
    "Chain",
    "ChainBackend",
    "ChainEmulator",
    "Comparators",
    "Connections",
    "Decoded",
    "DecodedLadder",
    "Drive",
    "FitGrid",
    "Geometry",
    "HostRecord",
    "LadderChain",
    "LadderEmulator",
    "LadderLayerBase",
    "LadderReadout",
    "LadderTablesBase",
    "Layer",
    "LayerBase",
    "LayerRule",
    "Leak",
    "Limit",
    "OnChip",
    "Output",
    "Population",
    "Progress",
    "Record",
    "Sizes",
    "Stage",
    "Synapse",
    "TablesBase",
    "UnitPopulation",
    "UnitStage",
    "audit",
    "audit_ladder",
    "broken",
    "canonical",
    "chain_if_sound",
    "chain_of",
    "ends",
    "in_every_layer",
    "is_chain",
    "ladder_if_sound",
    "ladder_of",
    "layers_if_sound",
    "load_chain",
    "load_comparators",
    "load_host",
    "narrowed",
    "passed",
    "read_tables",
    "store_comparators",
    "store_host",
    "synapse_of",
    "within",
    "write_tables",
]
