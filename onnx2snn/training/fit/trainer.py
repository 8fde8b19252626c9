"""Trains one network at one precision."""

from __future__ import annotations

import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer, seed_everything
from lightning.pytorch.callbacks import ModelCheckpoint, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from pydantic import BaseModel
from torch import nn
from torch.utils.data import DataLoader

from onnx2snn.errors import UsageError
from onnx2snn.recipes import Recipe
from onnx2snn.training.fit.classifier import Classifier
from onnx2snn.training.fit.keep_best import KeepBest
from onnx2snn.training.fit.loaders import LabelledImages, evaluation_loader, limited, size, training_loader
from onnx2snn.training.fit.objectives import RateInference
from onnx2snn.training.fit.optimiser import frozen
from onnx2snn.training.fit.processes import Device, Processes, processes
from onnx2snn.training.fit.quiet import quiet
from onnx2snn.training.runs import (
    CHECKPOINTS,
    LOGS,
    RECORD,
    Run,
    RunError,
    device_name,
    read_network,
    read_record,
    save_record,
)

CHECKPOINT = Path(CHECKPOINTS) / "last.ckpt"
FREE = {"version", "processes", "device", "command", "finished", "epochs", "best_epoch", "validation", "test"}
FREE |= {"seconds", "sha256", "recipe", "images", "omega", "at_start"}
"""What may differ between a run and the one that goes on with it; the recipe's values are compared one by one."""


@dataclass(frozen=True, kw_only=True)
class How:
    """What does not change the result: where it runs and what it shows."""

    device: Device = "auto"
    workers: int = 0
    """processes that load images, for each that trains"""
    progress: bool = False
    """a bar on standard error"""
    after_epoch: Callable[[Run], None] | None = None


def fit(
    network: nn.Module,
    data: LabelledImages,
    recipe: Recipe,
    folder: str | PathLike[str],
    *,
    run: Run | None = None,
    seed: int = 0,
    resume: bool = False,
    how: How = How(),
) -> Run:
    """Trains `network` in place; it ends with the weights that were best on the validation images, as in `folder`.

    `run` is the record to fill in, by default that of a network of your own with `seed`. The first weights are the
    caller's affair, all other random numbers come from the record's seed. `resume` goes on from the last whole epoch of
    a run in `folder` that was interrupted, and returns one that has finished as it is. Under torchrun all processes
    call this and the first one writes. Test images are looked at once, at the end.

    Raises `UsageError` where `folder` holds a run and `resume` is not asked for, or holds one of another making.
    """
    folder = Path(folder)
    run = run or Run(shape=data.shape, classes=data.classes, data=data.name, recipe=recipe, seed=seed)
    share = processes()
    checkpoint = folder / CHECKPOINT
    before = _before(folder, run, share, resume)
    if before is not None and before.finished:
        network.load_state_dict(read_network(folder, before))
        return before
    start = checkpoint if before is not None and checkpoint.is_file() else None
    seed_everything(run.seed, workers=True, verbose=False)
    images = limited(data.train, run.limit_train, run.seed)
    loader = training_loader(images, recipe.batch, run.seed, share.count, share.rank, how.workers)
    watch = evaluation_loader(data.validation, recipe.batch, share.count, share.rank, how.workers)
    tested = evaluation_loader(data.test, recipe.batch, share.count, share.rank, how.workers)
    module = Classifier(network, recipe, len(data.classes), len(loader) * recipe.epochs, run.seed, data.augment)
    keeper = KeepBest(run if start is None or before is None else before, folder, how.after_epoch)
    with quiet(), frozen(network, recipe):
        trainer = _trainer(recipe, folder, share, how, keeper, len(loader))
        where = {"images": size(images), "processes": share.count, "device": device_name(trainer.strategy.root_device)}
        keeper.run = keeper.run.model_copy(update=where)
        _train(trainer, module, loader, watch, start)
        return _finish(trainer, module, tested, folder)


def _before(folder: Path, run: Run, share: Processes, resume: bool) -> Run | None:
    """The record of the run that goes on; None where there is none."""
    if not (resume or share.first) or not (folder / RECORD).exists():
        return None
    if not resume:
        raise UsageError(f"{folder}: holds a run already; `resume` goes on with it, `force` replaces it")
    before = read_record(folder)
    made = [change for change in _differences(before, run) if change[0] not in FREE]
    for name, expected, found in [*made, *_differences(before.recipe, run.recipe)]:
        raise UsageError(f"{folder}: a run goes on as it was started: {name} {expected} expected, found {found}")
    return before


def _differences(before: BaseModel, now: BaseModel) -> list[tuple[str, object, object]]:
    values = [(name, getattr(before, name), getattr(now, name)) for name in type(before).model_fields]
    return [(name, old, new) for name, old, new in values if old != new]


def _trainer(recipe: Recipe, folder: Path, share: Processes, how: How, keeper: KeepBest, batches: int) -> Trainer:
    last = ModelCheckpoint(
        folder / CHECKPOINT.parent, CHECKPOINT.stem, save_on_train_epoch_end=True, enable_version_counter=False
    )
    callbacks: list[Callback] = [keeper, last]
    if how.progress:
        callbacks.append(RichProgressBar(console_kwargs={"stderr": True}))
    return Trainer(
        **share.placement(how.device),
        max_epochs=recipe.epochs,
        callbacks=callbacks,
        logger=_loggers(folder),
        log_every_n_steps=max(1, min(50, batches // 10)),
        gradient_clip_val=recipe.clip,
        num_sanity_val_steps=0,  # a first batch sets the steps of quantisers: let it be one of training
        use_distributed_sampler=False,  # the loaders share the images out themselves
        enable_progress_bar=how.progress,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _loggers(folder: Path) -> list[Logger]:
    found: list[Logger] = [CSVLogger(folder, name=LOGS[0])]
    if find_spec("tensorboard") or find_spec("tensorboardX"):
        found.append(TensorBoardLogger(folder, name=LOGS[1]))
    return found


def _train(
    trainer: Trainer, module: Classifier, loader: DataLoader[Any], watch: DataLoader[Any], start: Path | None
) -> None:
    if start is not None:
        _check(start)
    handler = signal.getsignal(signal.SIGINT)
    try:
        if start is None and isinstance(module.objective, RateInference):
            trainer.validate(module, watch, verbose=False)
        module.train()  # as the caller hands it over, it may be in evaluation mode
        trainer.fit(module, loader, watch, ckpt_path=start, weights_only=True)
    except SystemExit:  # Lightning's way to end after Ctrl-C; it also stops listening to the key
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def _check(checkpoint: Path) -> None:
    """Raises `RunError` for anything but tensors and plain values; nothing in the file is executed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch has to say of a damaged file
            torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        reason = str(error).split("\n")[0]
        raise RunError(f"{checkpoint}: a checkpoint of plain tensors and values expected: {reason}") from None


def _finish(trainer: Trainer, module: Classifier, tested: DataLoader[Any], folder: Path) -> Run:
    """The best network, tested; every process reads what the first one wrote."""
    trainer.strategy.barrier()
    run = read_record(folder)
    module.network.load_state_dict(read_network(folder, run))
    (found,) = trainer.test(module, tested, verbose=False)
    run = run.model_copy(update={"test": round(float(found["test_accuracy"]), 6), "finished": True})
    if trainer.is_global_zero:
        save_record(run, folder)
    trainer.strategy.barrier()
    module.network.eval()
    return run
