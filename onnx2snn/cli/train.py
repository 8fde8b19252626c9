"""`onnx2snn train`: a network by its name, on a data set by its name, after a recipe."""

from __future__ import annotations

import os
import shlex
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Optional, TypeVar, cast

import typer

from onnx2snn.cli.output import Json, percent, print_json, print_table
from onnx2snn.errors import UsageError

if TYPE_CHECKING:
    from onnx2snn.training.fit import Device
    from onnx2snn.training.runs import Run

NAME = "train"
T = TypeVar("T")
DATA = "ONNX2SNN_DATA"
DEVICES = ("auto", "cpu", "gpu")


def command(
    out: Annotated[Path, typer.Option("-o", "--out", help="The run folder to make.", show_default=False)],
    recipe: Annotated[
        str, typer.Option(help="A name (see `onnx2snn recipes`) or a .toml file; it may set what follows.")
    ] = "standard",
    arch: Annotated[
        Optional[str],  # noqa: UP045  typer reads the annotation
        typer.Option(help="The network, e.g. resnet20.", show_default=False),
    ] = None,
    data: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The data set, e.g. cifar10.", show_default=False),
    ] = None,
    data_dir: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help=f"Its folder; by default ${DATA}.", show_default=False),
    ] = None,
    scheme: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="How to quantise, e.g. lsq or fast-snn (what a recipe does not set: lsq).", show_default=False
        ),
    ] = None,
    bits: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Of weights and activations; 32: real-valued.", show_default=False),
    ] = None,
    schedule: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Precisions in turn, each from the one before, e.g. 32,4,3,2.", show_default=False),
    ] = None,
    init: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="A run to start from.", metavar="RUN", show_default=False),
    ] = None,
    epochs: Annotated[Optional[int], typer.Option(help="Of every stage.", min=1, show_default=False)] = None,  # noqa: UP045
    rate: Annotated[Optional[float], typer.Option(help="Learning rate.", show_default=False)] = None,  # noqa: UP045
    batch: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Images in a step, over all processes.", min=1, show_default=False),
    ] = None,
    set_: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option("--set", help="Another value of the recipe, e.g. --set decay=1e-4.", metavar="KEY=VALUE"),
    ] = None,
    option: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="An option of the scheme, e.g. --option grid=uniform.", metavar="KEY=VALUE"),
    ] = None,
    limit_train: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Training images at most.", min=1, metavar="N", show_default=False),
    ] = None,
    size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Side of the images, for data that comes in any.", min=1, show_default=False),
    ] = None,
    test_data: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="A file of test images other than the usual one (CIFAR).", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of all random numbers.", min=0)] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu.")] = "auto",
    workers: Annotated[int, typer.Option(help="Processes that load images.", min=0)] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that was interrupted.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a run that is there already.")] = False,
    as_json: Json = False,
) -> None:
    """Train a network and keep the weights that were best on the validation images as a run folder."""
    from onnx2snn.recipes import read_plan
    from onnx2snn.training.fit import How, Job, train
    from onnx2snn.training.scheme import FLOAT, REAL

    if device not in DEVICES:
        raise UsageError(f"--device: one of {', '.join(DEVICES)} expected, found {device!r}")
    if bits is not None and schedule is not None:
        raise UsageError("--bits is one precision, --schedule several: one of the two expected")
    plan = read_plan(recipe)
    method = scheme or plan.scheme or "lsq"
    changes = {"epochs": epochs, "rate": rate, "batch": batch}
    job = Job(
        plan=plan,
        arch=_needed("--arch", arch or plan.arch),
        data=_needed("--data", data or plan.data),
        data_dir=Path(_needed(f"--data-dir (or ${DATA})", data_dir or os.environ.get(DATA))),
        scheme=method,
        bits=_bits(bits, schedule) or plan.bits or (FLOAT if method in REAL else 4,),
        out=out,
        options={**(plan.options if scheme in (None, plan.scheme) else {}), **_values("--option", option)},
        changes={**{k: v for k, v in changes.items() if v is not None}, **_values("--set", set_)},
        init=init,
        seed=seed,
        limit_train=limit_train,
        size=size or plan.size,
        test_data=test_data,
        resume=resume,
        force=force,
        command=shlex.join(["onnx2snn", *sys.argv[1:]]),
    )
    how = How(device=cast("Device", device), workers=workers, progress=sys.stderr.isatty())
    try:
        runs = train(job, how)
    except KeyboardInterrupt:
        print(
            "onnx2snn: interrupted; the same command with --resume goes on from the last whole epoch", file=sys.stderr
        )
        raise
    if int(os.environ.get("RANK", "0")) == 0:
        _report(out, runs, [job.folder(one) for one in job.bits], as_json)


def _needed(name: str, value: T | None) -> T:
    if value is None:
        raise UsageError(f"{name} expected: neither the command nor the recipe says")
    return value


def _bits(bits: int | None, schedule: str | None) -> tuple[int, ...]:
    if schedule is None:
        return () if bits is None else (bits,)
    words = schedule.split(",")
    if not all(word.strip().isdigit() for word in words):
        raise UsageError(f"--schedule: numbers of bits with commas expected, found {schedule!r}")
    return tuple(int(word) for word in words)


def _values(option: str, texts: Sequence[str] | None) -> dict[str, Any]:
    """KEY=VALUE each, the value as TOML says it, or else a word."""
    found: dict[str, Any] = {}
    for text in texts or ():
        key, sign, value = (part.strip() for part in text.partition("="))
        if not (key and sign and value):
            raise UsageError(f"{option}: KEY=VALUE expected, found {text!r}")
        try:
            found[key] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key] = value
    return found


def _report(out: Path, runs: Sequence[Run], folders: Sequence[Path], as_json: bool) -> None:
    if as_json:
        records = [{"folder": str(f), **run.model_dump()} for f, run in zip(folders, runs, strict=True)]
        print_json({"out": str(out), "runs": records})
        return
    first = runs[0]
    print(
        f"{out}: {first.arch} on {first.images} images of {first.data}, {first.scheme}, recipe {first.recipe_name}, "
        f"seed {first.seed}"
    )
    for note in first.notes:
        print(f"  data: {note}")
    rows = [
        (str(folder), run.bits, run.epochs, run.best_epoch, percent(run.validation), percent(run.test), run.seconds)
        for folder, run in zip(folders, runs, strict=True)
    ]
    print_table(str(out), ("run", "bits", "epochs", "best", "validation", "test", "seconds"), rows)
