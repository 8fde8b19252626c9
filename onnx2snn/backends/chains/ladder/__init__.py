"""Chains of code `ladder`: binary units side by side, each with a breakpoint of its own, all in one tick.

The host evaluates what lies before the first population and compares it with that population's breakpoints; the
spikes of those units are what the chip is given. Every later layer runs on the chip, one tick behind the layer before
it, with a new sample in every tick.
"""

from onnx2snn.backends.chains.ladder.compare import DecodedLadder, audit_ladder
from onnx2snn.backends.chains.ladder.emulator import LadderEmulator, LadderReadout, UnitStage
from onnx2snn.backends.chains.ladder.host import (
    Comparators,
    ComparatorsRecord,
    load_chain,
    load_comparators,
    passed,
    store_comparators,
)
from onnx2snn.backends.chains.ladder.records import LadderLayerBase, LadderTablesBase
from onnx2snn.backends.chains.ladder.walk import canonical, ladder_of

__all__ = [
    "Comparators",
    "ComparatorsRecord",
    "DecodedLadder",
    "LadderEmulator",
    "LadderLayerBase",
    "LadderReadout",
    "LadderTablesBase",
    "UnitStage",
    "audit_ladder",
    "canonical",
    "ladder_of",
    "load_chain",
    "load_comparators",
    "passed",
    "store_comparators",
]
