"""Why a count differs: the way from the model's count to the network's, one change at a time.

For one neuron and one sample the counts on that way are, all in levels of its staircase:

    model      as the model's own executor has it
    exact      the staircase in exact arithmetic, on the model's own counts before it
    coarse     the staircase of the code, where there are fewer steps than levels
    table      the neuron at rest (its integers, its range) after the whole charge of those counts
    arrived    the neuron at rest after the whole charge that reached it in the network
    found      the neuron as the run left it

Each change has a cause: model to exact is a tie, exact to coarse quantisation, coarse to table integer rounding (a tie
where the value lies on a breakpoint, clipping where the neuron's range ends before the staircase's), table to arrived
is inherited, and arrived to found is a matter of time. That last one is split again: leak, where the neuron leaks by
design; clipping, where the charge lies above the staircase and the neuron fired above it; late, where the neuron would
still go to its count if it were left to settle; irreversible, where it fired too often and has no negative spikes to
take that back.

A differing count belongs to the one cause that changed it most; of changes equally large, to the one nearest the end of
the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from onnx2snn.ir import Array
from onnx2snn.ir.ops import IF, LIF, Neuron, Staircase
from onnx2snn.reference import counts_of, exact

Cause = Literal["ties", "quantisation", "integer rounding", "clipping", "inherited", "leak", "late", "irreversible"]
CAUSES: tuple[Cause, ...] = (
    "ties", "quantisation", "integer rounding", "clipping", "inherited", "leak", "late", "irreversible",
)  # fmt: skip
TIMING: tuple[Cause, ...] = ("clipping", "leak", "late", "irreversible")  #: what the order of arrival and the code make
NEAR = 1e-9  #: nearer to a breakpoint than this, of its place in steps, counts as on it


@dataclass(frozen=True)
class Population:
    """One population and the staircase it stands for.

    stairs: as trained.  climbed: as the code climbs it, coarser where there are fewer steps than levels.
    worth: levels of `stairs` that one spike stands for.
    """

    op: Neuron
    stairs: Staircase
    climbed: Staircase
    worth: float

    @property
    def ends(self) -> tuple[int, int]:
        """Least and greatest count that the neuron is to have."""
        low, high = self.op.range
        return low, self.climbed.hi if high is None else high

    def levels(self, counts: Array) -> Array:
        """Counts of spikes as levels of the staircase."""
        return counts if self.worth == 1 else np.rint(counts * self.worth).astype(np.int64)

    def spikes(self, levels: Array) -> Array:
        """The count of spikes nearest to levels of the staircase; halves upward."""
        return levels if self.worth == 1 else np.floor(levels / self.worth + 0.5).astype(np.int64)


def at_rest(op: Neuron, charge: Array) -> Array:
    """The count that a charge (v0 and bias included) comes to with time enough, were there no range: int64."""
    theta = exact(op.theta)
    count = np.floor_divide(charge, theta).astype(np.int64)
    if op.ties == "even" and op.exact:
        count = count - ((count % 2 == 1) & (charge == count * theta))
    return count


@dataclass(frozen=True)
class Given:
    """What arrived at a population, and what came of it; all (batch, *features).

    model, found: counts, the model's in levels and the network's in spikes.
    value: the input of the trained staircase on the model's own counts.  coarse: that of the climbed one on the counts
    that are forced on the network.  forced, arrived: whole charges, v0 and bias included, on those counts and in the
    run.
    """

    model: Array
    value: Array
    coarse: Array
    forced: Array
    arrived: Array
    found: Array


def causes(population: Population, given: Given) -> dict[Cause, Array]:
    """Which counts differ for which reason: masks like the counts; a count that does not differ is in none."""
    op, (low, high) = population.op, population.ends
    reached = at_rest(op, given.arrived)
    table, arrived = np.clip(at_rest(op, given.forced), low, high), np.clip(reached, low, high)
    climbed = counts_of(population.climbed, given.coarse)
    way = [
        given.model,
        counts_of(population.stairs, given.value),
        *(population.levels(counts) for counts in (climbed, table, arrived, given.found)),
    ]
    sizes = np.stack([np.abs(after - before) for before, after in pairwise(way)])
    step = len(sizes) - 1 - np.argmax(sizes[::-1], axis=0)
    tie, rounding, clipped = _table_step(population, given.coarse, climbed, table)
    above, late = _time_step(population, reached, arrived, given.found)
    blurred = (step == 4) & _blurred(population, given)
    step = np.where(way[-1] != way[0], step, -1)
    timed = (step == 4) & ~blurred
    leak = timed & isinstance(op, LIF)
    timed &= ~leak
    masks: dict[Cause, Array] = {
        "ties": (step == 0) | ((step == 2) & tie) | blurred,
        "quantisation": step == 1,
        "integer rounding": (step == 2) & rounding,
        "clipping": ((step == 2) & clipped) | (timed & above),
        "inherited": step == 3,
        "leak": leak,
        "late": timed & late & ~above,
        "irreversible": timed & ~late & ~above,
    }
    masks["ties"] &= step >= 0
    return masks


def tally(masks: Mapping[Cause, Array]) -> dict[Cause, int]:
    """How many counts differ for each reason."""
    return {cause: int(mask.sum()) for cause, mask in masks.items()}


def _table_step(population: Population, value: Array, climbed: Array, table: Array) -> tuple[Array, Array, Array]:
    """Why the neuron at rest is not where its staircase is: a tie, its integers, or an end of its range."""
    low, high = population.ends
    clipped = ((table == high) & (climbed > high)) | ((table == low) & (climbed < low))
    scale = exact(population.climbed.scale)
    margin = NEAR * (np.abs(value) + scale)
    below, above = (counts_of(population.climbed, value + sign * margin) for sign in (-1, 1))
    tie = (table >= below) & (table <= above) & ~clipped
    return tie, ~tie & ~clipped, clipped


def _time_step(population: Population, reached: Array, arrived: Array, found: Array) -> tuple[Array, Array]:
    """Where the neuron fired above its staircase as its charge told it to, and where it has not yet come to rest."""
    above = (found > arrived) & (reached > arrived)
    takes_back = not isinstance(population.op, IF)
    late = (found < arrived) | ((found > arrived) & takes_back)
    return above, late


def _blurred(population: Population, given: Given) -> Array:
    """Where real arithmetic decided a breakpoint that the charge lies on."""
    op = population.op
    if op.integer:
        return np.zeros(given.found.shape, bool)
    low, high = population.ends
    margin = NEAR * (np.abs(given.arrived) + op.theta)
    below, above = (np.clip(at_rest(op, given.arrived + sign * margin), low, high) for sign in (-1, 1))
    return (given.found >= below) & (given.found <= above)
