"""Processes that torchrun started, on one machine or several, exchanging results over gloo."""

from __future__ import annotations

from typing import Any

import torch.distributed as dist


class Gloo:
    """A `Processes` of torch.distributed: joins the group that the environment names."""

    def __init__(self) -> None:
        dist.init_process_group("gloo")
        self.rank, self.count = dist.get_rank(), dist.get_world_size()

    def gathered(self, value: Any) -> list[Any]:
        """The values of all processes in order of rank."""
        found: list[Any] = [None] * self.count
        dist.all_gather_object(found, value)
        return found

    def close(self) -> None:
        """Leaves the group."""
        dist.destroy_process_group()
