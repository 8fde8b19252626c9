"""What was read back from tables compared with the network number by number, the differences in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from onnx2snn.artifact import Network
from onnx2snn.backends.chains.host import Drive, drive_of
from onnx2snn.backends.chains.layers import Chain, ChainOf, P, Population, Synapse
from onnx2snn.backends.chains.walk import chain_of
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.ir import Array, Graph


@dataclass(frozen=True)
class Decoded:
    """A network as tables tell it."""

    chain: Chain
    drive: Drive
    steps: int


def audit(network: Network, decode: Callable[[], Decoded], chain: Callable[[Graph], Chain] = chain_of) -> list[str]:
    """What tables say otherwise than the network, or why they cannot be read.

    decode: reads them.  chain: the network in the units that they are read in.
    """
    try:
        found = decode()
    except Onnx2SnnError as error:
        return [str(error)]
    return [
        *_schedules(found, network),
        *chains_differ(found.chain, chain(network.graph), partial(_populations, found.steps)),
    ]


def _schedules(found: Decoded, network: Network) -> Iterator[str]:
    yield from values_differ("the tables", "steps", found.steps, network.schedule.steps)
    first = found.chain.populations[0]
    expected = drive_of(found.chain.host, first, found.steps)
    yield from arrays_differ(first.name, "largest charge", found.drive.most, expected.most)


def chains_differ(tables: ChainOf[P], network: ChainOf[P], differ: Callable[[P, P], Iterator[str]]) -> Iterator[str]:
    """What one chain has otherwise than the other; `differ` compares two populations."""
    if not tables.host.equal(network.host):
        yield "the host part is not the network's"
    mine, yours = ([p.name for p in chain.populations] for chain in (tables, network))
    if mine != yours:
        yield f"populations {', '.join(mine)} in the tables, {', '.join(yours)} in the network"
        return
    for found, expected in zip(tables.populations, network.populations, strict=True):
        yield from differ(found, expected)
    found, expected = tables.output, network.output
    yield from values_differ(expected.name, "shape", found.shape, expected.shape)
    for field in ("scale", "bias", "constant"):
        yield from arrays_differ(expected.name, field, getattr(found, field), getattr(expected, field))
    yield from synapses_differ(found.synapse, expected.synapse)


def _populations(steps: int, found: Population, expected: Population) -> Iterator[str]:
    name = expected.name
    yield from values_differ(name, "shape", found.shape, expected.shape)
    yield from values_differ(name, "shift", found.shift, expected.shift)
    yield from values_differ(name, "leak", found.leak, expected.leak)
    yield from arrays_differ(name, "theta", found.theta, expected.theta)
    if expected.synapse is None:
        yield from arrays_differ(name, "v0", found.v0, expected.v0)
        yield from arrays_differ(name, "bias", found.bias, expected.bias)
    else:  # tables hold the bias in parts already
        yield from arrays_differ(name, "bias per tick", found.per_tick(steps), expected.per_tick(steps))
        yield from arrays_differ(name, "initial membrane", found.start(steps), expected.start(steps))
    yield from synapses_differ(found.synapse, expected.synapse)


def synapses_differ(found: Synapse | None, expected: Synapse | None) -> Iterator[str]:
    """What one synapse has otherwise than the other."""
    if found is None or expected is None:
        if found is not expected:
            yield f"{(found or expected).name}: only in {'the tables' if found else 'the network'}"  # type: ignore[union-attr]
        return
    yield from values_differ(expected.name, "name", found.name, expected.name)
    yield from values_differ(expected.name, "units", found.units, expected.units)
    for field in type(expected.geometry).model_fields:
        yield from values_differ(
            expected.name, field, getattr(found.geometry, field), getattr(expected.geometry, field)
        )
    yield from arrays_differ(expected.name, "weight", found.weight, expected.weight)


def values_differ(name: str, what: str, found: object, expected: object) -> Iterator[str]:
    """One value against another."""
    if found != expected:
        yield f"{name}: {what} {found} in the tables, {expected} in the network"


def arrays_differ(name: str, what: str, found: Array, expected: Array) -> Iterator[str]:
    """The same entry by entry."""
    if found.shape != expected.shape:
        yield f"{name}: {what} of shape {found.shape} in the tables, {expected.shape} in the network"
    elif (found != expected).any():
        wrong = np.argwhere(found != expected)
        place = tuple(int(i) for i in wrong[0])
        yield (
            f"{name}: {what} differs in {len(wrong)} of {expected.size} entries, first at {place}: "
            f"{found[place]} in the tables, {expected[place]} in the network"
        )
