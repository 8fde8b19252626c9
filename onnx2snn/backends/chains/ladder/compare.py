"""What was read back from tables of code `ladder` compared with the network, unit by unit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from onnx2snn.artifact import Network
from onnx2snn.backends.chains.compare import arrays_differ, chains_differ, synapses_differ, values_differ
from onnx2snn.backends.chains.ladder.walk import canonical, ladder_of
from onnx2snn.backends.chains.layers import LadderChain, UnitPopulation
from onnx2snn.errors import Onnx2SnnError


@dataclass(frozen=True)
class DecodedLadder:
    """A network as tables tell it.  unsure: what about them could change a comparison, or does not fit the chip."""

    chain: LadderChain
    unsure: tuple[str, ...]


def audit_ladder(network: Network, decode: Callable[[], DecodedLadder]) -> list[str]:
    """What tables say otherwise than the network, or why they cannot be read; `decode` reads them.

    Nothing found is a proof: every unit passes at the network's breakpoint, whatever sums arrive and whatever is left
    of ticks before.
    """
    try:
        found = decode()
    except Onnx2SnnError as error:
        return [str(error)]
    return [*found.unsure, *chains_differ(found.chain, ladder_of(network.graph), _populations)]


def _populations(found: UnitPopulation, expected: UnitPopulation) -> Iterator[str]:
    name = expected.name
    for field in ("shape", "units", "lo"):
        yield from values_differ(name, field, getattr(found, field), getattr(expected, field))
    mine, yours = found.breakpoints, expected.breakpoints
    if mine.shape == yours.shape and expected.synapse is not None and found.synapse is not None:
        ends, grid = expected.synapse.range(), expected.synapse.grid
        mine, yours = canonical(mine, *ends, grid), canonical(yours, *ends, grid)
    yield from arrays_differ(name, "breakpoint", mine, yours)
    yield from synapses_differ(found.synapse, expected.synapse)
