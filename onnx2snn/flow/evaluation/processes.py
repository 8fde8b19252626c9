"""Several processes that share the samples of one evaluation."""

from __future__ import annotations

from typing import Any, Protocol


class Processes(Protocol):
    """`count` processes, of which this is number `rank`; all of them run the same program on the same files."""

    rank: int
    count: int

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes in order of rank, in every process; waits until all have come here."""
        ...


class Alone:
    """One process."""

    rank, count = 0, 1

    def gathered(self, value: Any) -> list[Any]:
        return [value]
