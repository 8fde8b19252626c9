"""What an inspection says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from onnx2snn.flow.inspection.advice import CALIBRATE
from onnx2snn.flow.inspection.levels import LevelCost

NodeClass = Literal["exact", "bounded", "analog", "unsupported"]


@dataclass(frozen=True)
class NodeReport:
    """One ONNX node and what was understood of it.

    into: the IR node it went into, "" where it became a constant.  kind: None where reading stopped before it could be
    judged.  bits, scale, low, high, rounding: of quantisers and integer weights; scale is the smallest, if several.
    scales: how many there are, one for each channel or one for all.  levels: steps of its staircase, which is how many
    timesteps each code needs to climb it.  change: what to do about it, where it stands in the way.
    """

    node: str
    op: str
    domain: str
    into: str = ""
    dialect: str = ""
    kind: NodeClass | None = None
    bits: int | None = None
    scale: float | None = None
    scales: int | None = None
    low: int | None = None
    high: int | None = None
    rounding: str | None = None
    levels: int | None = None
    note: str = ""
    change: str = ""


@dataclass(frozen=True)
class Inspection:
    """All nodes, the inject steps each code needs, and the certificate of the default conversion.

    problems: why it cannot be converted as it is, line by line as errors say it.  approximations: what conversion would
    change of its meaning.
    levels: the largest number of levels.  costs: what fewer would cost, where samples were given.
    notes: what the user should know of how the file was read.
    """

    summary: str
    nodes: tuple[NodeReport, ...]
    steps: dict[str, str] = field(default_factory=dict[str, str])
    problems: tuple[str, ...] = ()
    approximations: tuple[str, ...] = ()
    levels: int = 0
    costs: tuple[LevelCost, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything converts."""
        return not self.problems


def summary(rows: tuple[NodeReport, ...], steps: str | None) -> str:
    counts = Counter(row.kind or "not judged" for row in rows)
    kinds = ("exact", "bounded", "analog", "unsupported", "not judged")
    parts = [f"{counts[kind]} {kind}" for kind in kinds if counts[kind]]
    if steps is None:
        standing = [row.change for row in rows if row.kind == "unsupported"]
        way = (
            "convertible with --calibrate" if standing and set(standing) == {CALIBRATE} else "not convertible as it is"
        )
        return f"{len(rows)} nodes: {', '.join(parts) or 'none'}; {way}"
    return f"{len(rows)} nodes: {', '.join(parts) or 'none'}; T = {steps}"
