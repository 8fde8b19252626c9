"""What the metadata of a file say that a spike does, and what the user says of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

from onnx2snn.frontends.nir.fields import word
from onnx2snn.frontends.nir.file import Raw, Value
from onnx2snn.ir.ops import Reset

MANY = 3  #: nodes that are named


def own_resets(nodes: Mapping[str, Raw], other: str) -> dict[str, str]:
    """Nodes whose own metadata say another reset than `other`, and which."""
    found = {name: word(node.metadata, "reset") for name, node in nodes.items()}
    return {name: said for name, said in found.items() if said in get_args(Reset) and said != other}


def overridden(asked: str, metadata: Mapping[str, Value], nodes: Mapping[str, Raw]) -> tuple[str, ...]:
    """A sentence on whose metadata say another reset than the one asked for; none where nothing does."""
    of_file, found = word(metadata, "reset"), own_resets(nodes, asked)
    where = ["the file"] if of_file and of_file != asked else []
    where += [few(list(found))] if found else []
    if not where:
        return ()
    said = next(iter(found.values()), of_file)
    return (f"reset {asked}, as asked, overrides {said}, which the metadata of {', '.join(where)} say",)


def few(names: Sequence[str]) -> str:
    """The first of some nodes by name, and how many more there are."""
    more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
    return ", ".join(f"node {name!r}" for name in names[:MANY]) + more
