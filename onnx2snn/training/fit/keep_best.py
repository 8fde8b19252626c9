"""Keeps the network that is best on the validation images, and the record up to date."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from onnx2snn.training.fit.classifier import Classifier
from onnx2snn.training.runs import Run, RunError, save_network, save_record

AfterEpoch = Callable[[Run], None]


class KeepBest(Callback):
    """Writes `network.safetensors` after every epoch that beats all before it, `run.json` after every epoch.

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
        epoch, loss = trainer.current_epoch + 1, float(metrics["loss_step"])
        if not math.isfinite(loss):
            raise RunError(f"{self.folder}: the loss is {loss} after epoch {epoch}; try a smaller rate or a clip")
        if not trainer.is_global_zero:
            return
        assert isinstance(pl_module, Classifier)
        now = time.monotonic()
        news: dict[str, Any] = {"epochs": epoch, "seconds": round(self.run.seconds + now - self.since, 3)}
        self.since = now
        reached = round(float(metrics["validation_accuracy"]), 6)
        if self.run.validation is None or reached > self.run.validation:
            digest = save_network(pl_module.network, self.folder)
            news |= {"validation": reached, "best_epoch": epoch, "sha256": digest}
        self.run = self.run.model_copy(update=news)
        save_record(self.run, self.folder)
        if self.after_epoch is not None:
            self.after_epoch(self.run)
