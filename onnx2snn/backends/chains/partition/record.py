"""`cores.json`: where the neurons of a network lie, and what every core holds.

Neuron (c, y, x) of a layer of boxes (tc, ty, tx) lies in box (c // tc, y // ty, x // tx); boxes count in row-major
order and take `parts` cores each, from `first_core` on; the first of these holds the neurons, the others add up a share
of their inputs for it. Within its core, neurons lie channels last: neuron n is the one at place
((y - y0) w + x - x0) d + c - c0 of a box that starts at (c0, y0, x0) and is d channels and w columns wide, and its
compartments are n k ... n k + k - 1 where a neuron has k. Vectors have one axis, convolutions any number.
A core has an input axon for every source neuron with a target on it, in the order of those neurons, and one for each
of its own neurons where resets are synapses. A neuron has an output axon for every core with a target of its.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import NonNegativeInt, PositiveInt, ValidationError

from onnx2snn.backends.chains.partition.partition import Partition, Placed
from onnx2snn.backends.chains.partition.profile import Profile
from onnx2snn.backends.chains.tables import Record, Sizes
from onnx2snn.errors import ArtifactError

CORES = "cores.json"
UNBOUND = "no limit binds: every layer fits one core"


class ResourceRecord(Record):
    """A resource of a core and how much of it there is."""

    name: str
    limit: PositiveInt


class Fullest(Record):
    """The core that has least left of one resource that cutting saves.  core: counted over all chips."""

    layer: str
    core: NonNegativeInt
    resource: str
    used: NonNegativeInt
    limit: PositiveInt

    def __str__(self) -> str:
        return f"{self.resource}: {self.used} of {self.limit}"


class LayerCores(Record):
    """A layer on its cores.  shape, box: (channels, *space).  use: of each resource, core by core."""

    name: str
    shape: Sizes
    box: Sizes
    parts: PositiveInt
    first_core: NonNegativeInt
    cores: PositiveInt
    fullest: Fullest
    use: tuple[tuple[NonNegativeInt, ...], ...]


class Cores(Record):
    """The file.  binding: what keeps the network from fewer cores, in words.  host: populations that lie on no core."""

    format: Literal["onnx2snn cores"] = "onnx2snn cores"
    version: Literal[1] = 1
    chip: str
    cores_of_a_chip: PositiveInt
    cores: PositiveInt
    chips: PositiveInt
    accounting: str
    assumptions: tuple[str, ...]
    resources: tuple[ResourceRecord, ...]
    fullest: Fullest
    binding: str
    host: tuple[str, ...] = ()
    layers: tuple[LayerCores, ...]


def record_of(partition: Partition, populations: Sequence[str] = ()) -> Cores:
    """The file of a partition of a network with these populations."""
    profile = partition.profile
    layers = tuple(_layer(placed, profile) for placed in partition.placed)
    return Cores(
        chip=profile.name,
        cores_of_a_chip=profile.cores,
        cores=partition.cores,
        chips=partition.chips,
        accounting=profile.accounting,
        assumptions=profile.assumptions,
        resources=tuple(ResourceRecord(name=r.name, limit=r.limit) for r in profile.resources),
        fullest=max((layer.fullest for layer in layers), key=lambda f: f.used / f.limit),
        binding=_binding(layers),
        host=tuple(name for name in populations if name not in {layer.name for layer in layers}),
        layers=layers,
    )


def write_cores(folder: Path, record: Cores) -> None:
    """Writes `cores.json`; the same record gives the same bytes."""
    (folder / CORES).write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_cores(folder: Path) -> Cores:
    """Reads `cores.json`; raises `ArtifactError` where it is damaged."""
    path = folder / CORES
    try:
        return Cores.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise ArtifactError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def differences(found: Cores, expected: Cores) -> list[str]:
    """What `cores.json` says otherwise than the network's partition, in words."""
    wrong: list[str] = []
    for layer in found.layers:
        for core, use in enumerate(layer.use, layer.first_core):
            over = [r for r, used in zip(found.resources, use, strict=False) if used > r.limit]
            wrong += [f"{CORES}: core {core} of {layer.name} takes more {r.name} than {r.limit}" for r in over]
    for field in Cores.model_fields:
        if field != "layers" and getattr(found, field) != getattr(expected, field):
            wrong.append(f"{CORES}: {field} {getattr(found, field)!s:.80}, {getattr(expected, field)!s:.80} expected")
    if len(found.layers) != len(expected.layers):
        wrong.append(f"{CORES}: {len(found.layers)} layers, {len(expected.layers)} expected")
    for mine, yours in zip(found.layers, expected.layers, strict=False):
        wrong += [
            f"{CORES}: {yours.name}: {field} is not the network's"
            for field in LayerCores.model_fields
            if getattr(mine, field) != getattr(yours, field)
        ]
    return wrong


def _layer(placed: Placed, profile: Profile) -> LayerCores:
    return LayerCores(
        name=placed.block.name,
        shape=placed.block.shape,
        box=placed.tiling.box,
        parts=placed.tiling.parts,
        first_core=placed.first,
        cores=placed.tiling.cores,
        fullest=_fullest(placed, profile),
        use=tuple(tuple(row) for row in placed.use.tolist()),
    )


def _fullest(placed: Placed, profile: Profile) -> Fullest:
    limits = np.array([resource.limit for resource in profile.resources])
    share = np.where([resource.grows for resource in profile.resources], placed.use / limits, 0)
    core, which = (int(i) for i in np.unravel_index(np.argmax(share), share.shape))
    return Fullest(
        layer=placed.block.name,
        core=placed.first + core,
        resource=profile.resources[which].name,
        used=int(placed.use[core, which]),
        limit=int(limits[which]),
    )


def _binding(layers: tuple[LayerCores, ...]) -> str:
    most = max(layers, key=lambda layer: layer.cores)
    if most.cores == 1:
        return UNBOUND
    return f"{most.name} takes {most.cores} cores, most of all layers, because of {most.fullest} on one of them"
