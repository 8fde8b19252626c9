"""Channel by channel, which breakpoints of a population are not the staircase's."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from onnx2snn.analysis.breakpoints import Climb
from onnx2snn.analysis.rationals import least_whole
from onnx2snn.ir import Array, Shape


@dataclass(frozen=True)
class Fault:
    """A channel of a population with breakpoints that differ from the staircase's.

    channel: its index; None where all channels are alike.  differing: how many of its breakpoints.  ties: those of them
    that differ only in where a value exactly between two counts goes.
    count, expected, found: the first of them: from which accumulator value on the count is to be reached, and is.
    """

    channel: int | None
    differing: int
    ties: int
    count: int
    expected: int
    found: int


def faults(climb: Climb, truth: Array, table: Array, agree: Array, rows: Array, shape: Shape) -> tuple[Fault, ...]:
    """The faulty channels of a population whose neurons are of few kinds.

    climb, truth, table, agree: staircase, its breakpoints, the table's and which are proven, a row for each kind.
    rows: the kind of each neuron, flat.  shape: of the neurons, channels first.
    """
    ties = _ties(climb, truth, table) & ~agree
    channels = rows.reshape(shape[0] if shape else 1, prod(shape[1:]))
    found: list[Fault] = []
    for channel, kinds in enumerate(channels):
        wrong = kinds[(~agree[kinds]).any(axis=1)]
        if len(wrong):
            kind, step = wrong[0], int(np.argmin(agree[wrong[0]]))
            found.append(
                Fault(
                    channel=channel if len(channels) > 1 else None,
                    differing=int((~agree[wrong]).sum()),
                    ties=int(ties[wrong].sum()),
                    count=climb.lo + 1 + step,
                    expected=int(truth[kind, step]),
                    found=int(table[kind, step]),
                )
            )
    return tuple(found)


def _ties(climb: Climb, truth: Array, table: Array) -> Array:
    """Where the two breakpoints are neighbours and the value at the lower one is exactly half-way between counts."""
    result = np.zeros(truth.shape, bool)
    rows, columns = np.nonzero(np.abs(truth - table) == 1)
    unit, offset, scale = (array[rows] for array in (climb.unit, climb.offset, climb.scale))
    k = columns + climb.lo + 1
    least, tie = least_whole(np.stack([scale, offset]), np.stack([2 * k - 1, np.full_like(k, -2)]), 2 * unit)
    result[rows, columns] = tie & (least == np.minimum(truth, table)[rows, columns])
    return result
