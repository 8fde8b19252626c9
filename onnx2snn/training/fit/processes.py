"""Which of how many processes this one is: torchrun says so in the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

import torch

from onnx2snn.errors import UsageError

Device = Literal["auto", "cpu", "gpu"]


@dataclass(frozen=True)
class Processes:
    """`count` processes on `count / local` machines; `rank` 0 alone writes."""

    count: int = 1
    local: int = 1
    rank: int = 0

    @property
    def first(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def placement(self, device: Device) -> dict[str, Any]:
        """Lightning's words for them: gloo between CPUs, nccl between GPUs, where batch statistics are shared."""
        gpu = device == "gpu" or (device == "auto" and torch.cuda.is_available())
        if gpu and not torch.cuda.is_available():
            raise UsageError("`device` gpu: a GPU that torch can use expected, found none")
        where = {"accelerator": "gpu" if gpu else "cpu", "devices": self.local, "num_nodes": self.count // self.local}
        if self.count == 1:
            return where
        from lightning.pytorch.strategies import DDPStrategy

        backend = "nccl" if gpu else "gloo"
        return {**where, "strategy": DDPStrategy(process_group_backend=backend), "sync_batchnorm": gpu}


def processes() -> Processes:
    """This process among those that torchrun started, or alone."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return Processes()
    count, local, rank = (int(os.environ[name]) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE", "RANK"))
    return Processes(count, local, rank)
