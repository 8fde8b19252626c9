"""Run folders: a trained network as numbers and a record, safe to read.

RUN/network.safetensors    the weights that were best on the validation images
RUN/run.json               `Run`: what was trained, how, and how well
RUN/checkpoints/last.ckpt  where an interrupted run goes on (only `--resume` reads it, without unpickling)
RUN/log                    metrics.csv of every start, and RUN/tensorboard where that is installed
RUN/split.json             which images trained and which selected, see onnx2snn.training.data
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from onnx2snn.errors import InputError, located
from onnx2snn.recipes import Recipe
from onnx2snn.recipes.plan import Value, first_fault
from onnx2snn.version import __version__

RECORD = "run.json"
NETWORK = "network.safetensors"
SPLIT = "split.json"
CHECKPOINTS = "checkpoints"
LOGS = ("log", "tensorboard")
CUSTOM = "custom"
"""The architecture of a network that did not come from the zoo."""

Share = Annotated[float, Field(ge=0, le=1)]


class RunError(InputError):
    """A folder is not a sound run, or not the one that is wanted."""


class Subject(BaseModel):
    """What is trained: enough to build the network again and to know its data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: str = CUSTOM
    scheme: str = CUSTOM
    bits: int = 32
    options: dict[str, Value] = Field(default_factory=dict)
    """of the scheme"""
    shape: tuple[int, int, int]
    """of one image: channels, height, width"""
    classes: tuple[str, ...]
    data: str
    seed: int = 0
    limit_train: int | None = None
    """training images at most"""
    size: int | None = None
    """side of the images, where it was chosen"""
    test_data: str | None = None
    """the file of test images, where it was chosen"""
    notes: tuple[str, ...] = ()
    """what is unusual about the data"""


class Run(Subject):
    """The record of a run; `test` is there once it has finished."""

    schema_version: Literal[1] = 1
    version: str = __version__
    recipe_name: str = CUSTOM
    recipe: Recipe
    init: str | None = None
    """the run that it started from"""
    images: int = 0
    """that it trains on"""
    processes: int = 1
    device: str = "cpu"
    command: str = ""
    finished: bool = False
    epochs: int = 0
    """done"""
    best_epoch: int = 0
    validation: Share | None = None
    """accuracy after the best epoch"""
    test: Share | None = None
    """accuracy of that network, looked at once"""
    omega: float | None = None
    """of a rate norm network: its Omega on the validation images, see onnx2snn.training.quantisers.omega"""
    at_start: tuple[float, float] | None = None
    """accuracy and Omega on the validation images before a rate inference run"""
    seconds: float = 0.0
    sha256: str = ""
    """of the network's file"""


def load_run(folder: Path, network: nn.Module | None = None) -> tuple[nn.Module, Run]:
    """The trained network, in evaluation mode, and its record.

    The network is built from the zoo; give one of your own for a run whose architecture is `custom`. Of a run that was
    interrupted, the best network so far. Raises `RunError` where something is missing, damaged or does not fit.
    """
    run = read_record(folder)
    tensors = read_network(folder, run)
    if network is None:
        network = build_network(run, folder)
    with located(str(folder / NETWORK)):
        _load(network, tensors)
    return network.eval(), run


def build_network(subject: Subject, folder: Path | str = "a run") -> nn.Module:
    """The zoo's network for this subject, untrained."""
    if CUSTOM in (subject.arch, subject.scheme):
        raise RunError(f"{folder}: its network is not of the zoo; give it to load_run(folder, network)")
    from onnx2snn.training.scheme import scheme
    from onnx2snn.training.zoo import build

    chosen = scheme(subject.scheme, bits=subject.bits, **subject.options)
    return build(subject.arch, chosen, subject.shape, len(subject.classes))


def _load(network: nn.Module, tensors: dict[str, Tensor]) -> None:
    wanted = network.state_dict()
    if missing := sorted(wanted.keys() - tensors.keys()):
        raise RunError(f"tensors {', '.join(missing)} expected, found none")
    if left := sorted(tensors.keys() - wanted.keys()):
        raise RunError(f"tensors {', '.join(left)} belong to no module")
    check_shapes(wanted, tensors)
    network.load_state_dict(tensors)


def check_shapes(wanted: dict[str, Tensor], tensors: dict[str, Tensor]) -> None:
    """Raises `RunError` for the first tensor whose shape is not the one wanted under its name."""
    for name in wanted:
        if name in tensors and wanted[name].shape != tensors[name].shape:
            expected, found = tuple(wanted[name].shape), tuple(tensors[name].shape)
            raise RunError(f"{name}: shape {expected} expected, found {found}")


def read_record(folder: Path) -> Run:
    """The record in a run folder."""
    path = folder / RECORD
    with located(str(path)):
        if not path.is_file():
            stages = sorted(p.parent.name for p in folder.glob(f"*/{RECORD}"))
            hint = f"; it holds the runs {', '.join(stages)}" if stages else ""
            raise RunError(f"a run's record expected, found none{hint}")
        try:
            return Run.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise RunError(f"a run's record expected; {first_fault(error, tuple(Run.model_fields))}") from None


def read_network(folder: Path, run: Run) -> dict[str, Tensor]:
    """The tensors of the network, checked against the record."""
    path = folder / NETWORK
    with located(str(path)):
        if not run.sha256:
            raise RunError("a network expected, found none: the run stopped before the end of its first epoch")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RunError(f"a network expected: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != run.sha256:
            raise RunError("the file that the record describes expected; it was changed after it was written")
        try:
            return load(content)
        except SafetensorError as error:
            raise RunError(f"a safetensors file expected: {error}") from None


def save_network(network: nn.Module, folder: Path) -> str:
    """Writes the weights; the file's sha256."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    content = save(tensors)
    _write(folder / NETWORK, content)
    return hashlib.sha256(content).hexdigest()


def save_record(run: Run, folder: Path) -> None:
    """Writes `run.json`."""
    _write(folder / RECORD, (run.model_dump_json(indent=2) + "\n").encode())


def _write(path: Path, content: bytes) -> None:
    """In one go: a reader never meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(content)
    os.replace(unfinished, path)


def device_name(device: torch.device) -> str:
    """What the record calls a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def sample_images(run: Run, folder: Path, count: int, data_dir: Path | None = None) -> np.ndarray:
    """`count` images (N, C, H, W) float32 as the network takes them: of its validation part, or noise without data."""
    if data_dir is None:
        pixels = np.random.default_rng(run.seed).integers(0, 256, (count, *run.shape))
        return pixels.astype(np.float32) / np.float32(255)
    from onnx2snn.training.data import load as load_data

    split = folder / SPLIT
    data = load_data(run.data, data_dir, seed=run.seed, split=split if split.exists() else None, size=run.size)
    images, _ = data.validation.batch(range(min(count, len(data.validation))))
    return images.numpy()
