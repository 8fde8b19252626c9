"""Whole-number counters that add up over chunks, batches, processes and interrupted runs in any order."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from onnx2snn.ir import Array

Counters = dict[str, Array]  #: int64 (n,) by name; entries that one lacks are zeros


def add(total: Counters, name: str, values: Array) -> None:
    """Adds whole numbers (n,) to a counter, which grows where it must."""
    before = total.get(name)
    if before is None:
        total[name] = values.astype(np.int64)
    elif len(values) <= len(before):
        before[: len(values)] += values
    else:
        grown = values.astype(np.int64)
        grown[: len(before)] += before
        total[name] = grown


def merged(parts: Iterable[Counters]) -> Counters:
    """The sum of all counters of one name."""
    total: Counters = {}
    for part in parts:
        for name, values in part.items():
            add(total, name, values)
    return total
