"""A training command: data, networks, and one precision after the other, each from the one before."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from lightning.pytorch import seed_everything

from onnx2snn.errors import UsageError, located
from onnx2snn.recipes import Plan, Recipe
from onnx2snn.recipes.plan import Value
from onnx2snn.training.data import DataSet, load
from onnx2snn.training.data.splits import write_split
from onnx2snn.training.fit.processes import processes
from onnx2snn.training.fit.trainer import How, fit
from onnx2snn.training.runs import CHECKPOINTS, LOGS, NETWORK, RECORD, SPLIT, Run, Subject, build_network, load_run
from onnx2snn.training.scheme import FLOAT, REAL, scheme
from onnx2snn.training.starting import start_from

STAGE = re.compile(r"\d+-bit")
OURS = {RECORD, NETWORK, SPLIT, CHECKPOINTS, *LOGS}


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to train, where from and where to.

    bits: the precisions in turn. One is trained in `out` itself, several in `out/4-bit` and so on.  options: of the
    scheme.  changes: values of the recipe that replace the plan's.  init: the run that the first stage starts from.
    """

    plan: Plan
    arch: str
    data: str
    data_dir: Path
    scheme: str
    bits: tuple[int, ...]
    out: Path
    options: Mapping[str, Value] = field(default_factory=dict)
    changes: Mapping[str, object] = field(default_factory=dict)
    init: Path | None = None
    seed: int = 0
    limit_train: int | None = None
    size: int | None = None
    """side of the images, for data that comes in any"""
    test_data: Path | None = None
    """a file of test images other than the usual one"""
    resume: bool = False
    force: bool = False
    command: str = ""

    def folder(self, bits: int) -> Path:
        """Where the run of this precision is."""
        return self.out if len(self.bits) == 1 else self.out / f"{bits}-bit"


def train(job: Job, how: How = How()) -> list[Run]:  # noqa: B008  frozen
    """Trains every stage and returns the records. Under torchrun every process calls this, and the first one writes.

    Raises errors of one line: for a folder that would be lost, a recipe, network or data set that does not exist, a
    start that does not fit, and what `fit` raises.
    """
    if len(set(job.bits)) < len(job.bits) or not job.bits:
        raise UsageError(f"--schedule: precisions that differ expected, found {','.join(map(str, job.bits))}")
    recipes = [job.plan.at(bits, job.changes) for bits in job.bits]
    _check(job, recipes)
    share = processes()
    if share.first or job.resume:
        check_target(job)
    before = None if job.init is None else load_run(job.init)
    data = _data(job, before)
    start, runs = job.init, []
    for bits, recipe in zip(job.bits, recipes, strict=True):
        subject = Subject(
            arch=job.arch,
            scheme=job.scheme,
            bits=bits,
            options=dict(job.options),
            shape=data.shape,
            classes=data.classes,
            data=job.data,
            seed=job.seed,
            limit_train=job.limit_train,
            size=job.size,
            test_data=None if job.test_data is None else str(job.test_data),
            notes=data.notes,
        )
        seed_everything(job.seed, workers=True, verbose=False)
        network = build_network(subject)
        if before is not None:
            name = f"{start} ({before[1].arch})"
            start_from(network, before[0], same=_same_quantisers(subject, before[1]), name=name)
        made = {"recipe_name": job.plan.name, "init": start and str(start), "command": job.command}
        run = Run(**subject.model_dump(), recipe=recipe, **made)
        folder = job.folder(bits)
        if share.first:  # not before the network fits: a command that fails leaves all as it was
            if job.force and not runs and job.out.exists():
                shutil.rmtree(job.out)
            for place in {job.out, folder}:
                write_split(place / SPLIT, data.split)
        with located(f"{bits} bits") if len(job.bits) > 1 else nullcontext():
            runs.append(fit(network, data, recipe, folder, run=run, resume=job.resume, how=how))
        start, before = folder, (network, runs[-1])
    return runs


def _same_quantisers(new: Subject, old: Subject) -> bool:
    return (new.scheme, new.bits, new.options) == (old.scheme, old.bits, old.options)


def _check(job: Job, recipes: Sequence[Recipe]) -> None:
    """What can be refused before the data is read and the first stage trained."""
    for bits, recipe in zip(job.bits, recipes, strict=True):
        chosen = scheme(job.scheme, bits=bits, **job.options)
        chosen.weight(1)
        chosen.activation()
        if job.scheme in REAL and bits != FLOAT:
            raise UsageError(f"scheme {job.scheme}: 32 bits expected, as all values are real, found {bits}")
        if recipe.trains == "quantisers" and job.init is None:
            raise UsageError(
                f"recipe {job.plan.name}: trains quantisers alone: a run to start from (`init`) expected, found none"
            )


def _data(job: Job, before: tuple[object, Run] | None) -> DataSet:
    """The data, split as the run that goes on or that is started from was: it has seen its training images."""
    earlier = [job.out / SPLIT] if job.resume else []
    if job.init is not None and before is not None and before[1].data == job.data:
        earlier.append(job.init / SPLIT)
    chosen = next((path for path in earlier if path.exists()), None)
    return load(job.data, job.data_dir, seed=job.seed, split=chosen, size=job.size, test=job.test_data)


def check_target(job: Job) -> None:
    """Raises `UsageError` where training into `job.out` would lose something."""
    out = job.out
    if job.force and job.resume:
        raise UsageError("`force` replaces a run and `resume` goes on with it: one of the two expected")
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise UsageError(f"{out}: a folder to make expected, found a file")
    if job.resume:
        return
    if not all(entry.name in OURS or STAGE.fullmatch(entry.name) for entry in out.iterdir()):
        raise UsageError(f"{out}: is not a run; it is left alone, choose another folder")
    if not job.force and any([*out.glob(RECORD), *out.glob(f"*/{RECORD}")]):
        raise UsageError(f"{out}: holds a run already; `resume` goes on with it, `force` replaces it")
    if job.force and job.init is not None and job.init.resolve().is_relative_to(out.resolve()):
        raise UsageError(f"`init` {job.init}: lies in {out}, which `force` would replace")
