"""Keeps the network that is best on the validation images, and the record up to date."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn

from onnx2snn.training.fit.classifier import Classifier
from onnx2snn.training.runs import Run, RunError, save_network, save_record

AfterEpoch = Callable[[Run], None]


class KeepBest(Callback):
    """Writes `network.safetensors` after every epoch that beats all before it, `run.json` after every epoch.

    A rate inference run begins with the network that it was given, so that it never ends with a worse one.
    The first process alone writes, once all have started. A loss that is no longer finite ends the run.
    """

    def __init__(self, run: Run, folder: Path, after_epoch: AfterEpoch | None = None) -> None:
        self.run = run
        self.folder = folder
        self.after_epoch = after_epoch
        self.since = time.monotonic()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        trainer.strategy.barrier()
        self.since = time.monotonic()
        if stage == "fit" and trainer.is_global_zero:
            save_record(self.run, self.folder)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics: dict[str, Any] = trainer.callback_metrics
        if trainer.state.fn == TrainerFn.VALIDATING:
            self._start_with(trainer, pl_module, metrics)
            return
        epoch, loss = trainer.current_epoch + 1, float(metrics["loss_step"])
        if not math.isfinite(loss):
            raise RunError(f"{self.folder}: the loss is {loss} after epoch {epoch}; try a smaller rate or a clip")
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Classifier)
        now = time.monotonic()
        news: dict[str, Any] = {"epochs": epoch, "seconds": round(self.run.seconds + now - self.since, 3)}
        self.since = now
        reached = _reached(metrics)
        if self._better(reached):
            news |= {**reached, "best_epoch": epoch, "sha256": save_network(pl_module.network, self.folder)}
        self.run = self.run.model_copy(update=news)
        save_record(self.run, self.folder)
        if self.after_epoch is not None:
            self.after_epoch(self.run)

    def _start_with(self, trainer: Trainer, module: LightningModule, metrics: dict[str, Any]) -> None:
        """The network as it is before training is the first to be kept."""
        if not trainer.is_global_zero:
            return
        assert isinstance(module, Classifier)
        reached = _reached(metrics)
        digest = save_network(module.network, self.folder)
        start = (reached["validation"], reached["omega"])
        self.run = self.run.model_copy(update={**reached, "at_start": start, "sha256": digest})
        save_record(self.run, self.folder)

    def _better(self, reached: dict[str, float]) -> bool:
        """More accurate; or, in a rate inference run, faster by Omega within the tolerance."""
        run = self.run
        if run.at_start is not None and run.omega is not None:
            return reached["validation"] > run.at_start[0] - run.recipe.tolerance and reached["omega"] < run.omega
        return run.validation is None or reached["validation"] > run.validation


def _reached(metrics: dict[str, Any]) -> dict[str, float]:
    reached = {"validation": round(float(metrics["validation_accuracy"]), 6)}
    if "validation_omega" in metrics:
        reached["omega"] = round(float(metrics["validation_omega"]), 6)
    return reached
