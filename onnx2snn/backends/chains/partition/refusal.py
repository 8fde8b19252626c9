"""Why a block fits no core, and the nearest change that would make it fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from onnx2snn.backends.chains.partition.blocks import Block, Projection
from onnx2snn.backends.chains.partition.profile import Resource
from onnx2snn.backends.chains.partition.search import Search
from onnx2snn.errors import BackendError


def refusal(search: Search, readers: Sequence[str]) -> BackendError:
    """One sentence for each resource, what lies behind the block, and how many source channels would do.

    search: finds nothing.  readers: the blocks behind it with the cores they lie on, in words.
    """
    found = [
        f"a single neuron needs {need} {resource.name}, a core has {resource.limit}; {resource.advice}"
        for resource, need in search.misfits()
    ]
    words = [*found, *readers, *_nearest(search)]
    return BackendError(f"{search.block.label} fits no core of {search.profile.name}", words)


def _nearest(search: Search) -> list[str]:
    """The most channels (inputs of a dense synapse) before the block with which its neurons would fit."""
    if len(search.block.projections) != 1 or search.block.projections[0].geometry.groups > 1:
        return []
    (projection,) = search.block.projections
    channels, what = projection.inside, "channels" if projection.kernel else "inputs"
    low, high = 0, channels  # `low` fits or is 0, `high` does not
    while high - low > 1:
        middle = (low + high) // 2
        if _misfits_with(search, projection, middle):
            high = middle
        else:
            low = middle
    return [f"with at most {low} of its {channels} {what} it would fit"] if low else []


def _misfits_with(search: Search, projection: Projection, channels: int) -> list[tuple[Resource, int]]:
    geometry = projection.geometry
    reads = (channels, *geometry.reads[1:])
    source = reads if geometry.kind == "conv" else (channels,)
    fewer = replace(projection, geometry=geometry.model_copy(update={"reads": reads, "source": source}))
    block: Block = replace(search.block, projections=(fewer,))
    return replace(search, block=block).misfits()
