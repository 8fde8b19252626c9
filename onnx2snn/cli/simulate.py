"""`onnx2snn simulate`: run an artifact on samples."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from onnx2snn.cli.output import Json, interruptible, print_json, print_notes, progress

if TYPE_CHECKING:
    from onnx2snn.flow.evaluation.processes import Processes

NAME = "simulate"


def command(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="The artifact folder.", show_default=False)],
    data: Annotated[
        Path, typer.Option(help="Samples: .npz with x (N, ...) float32 and perhaps y (N,) labels.", show_default=False)
    ],
    save: Annotated[
        Optional[Path],  # noqa: UP045  typer reads the annotation
        typer.Option(help="Write output (N, ...) and steps to this .npz.", show_default=False),
    ] = None,
    csv: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="STEM", help="Write STEM.curve.csv and STEM.layers.csv.", show_default=False),
    ] = None,
    device: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(metavar="NAME|FILE.toml", help="Energy table, more than once for several.", show_default=False),
    ] = None,
    exit_rule: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--exit", metavar="RULE", help="Rule of early exit: margin (default) or confidence."),
    ] = None,
    exit_at: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="A,B,...", help="Thresholds of early exit.", show_default=False),
    ] = None,
    drop: Annotated[float, typer.Option(metavar="P", help="Lose each spike with this probability.")] = 0.0,
    drop_in: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            metavar="NAME,...", help="Lose spikes of these populations alone; patterns such as conv*, or encoder."
        ),
    ] = None,
    weight_noise: Annotated[float, typer.Option(metavar="SIGMA", help="Relative Gaussian noise on weights.")] = 0.0,
    threshold_noise: Annotated[
        float, typer.Option(metavar="SIGMA", help="Relative Gaussian noise on thresholds.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the noise.")] = 0,
    repeats: Annotated[int, typer.Option(help="Runs, each with noise of its own.")] = 1,
    in_numpy: Annotated[
        bool, typer.Option("--in-numpy", help="Run the network in the NumPy simulator, whatever its backend.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run left beside OUT.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run the artifact in DIR on DATA: accuracy at every step, latency, rates, synaptic operations, energy, noise."""
    from onnx2snn.cli.simulation import as_dictionary, check_csv, show, write_csv
    from onnx2snn.flow.evaluation.simulate import simulate
    from onnx2snn.metrics import Noise
    from onnx2snn.metrics.answers import parse_exits

    if csv is not None:
        check_csv(csv)
    rule = None if exit_rule is None and exit_at is None else parse_exits(exit_rule or "margin", exit_at)
    names = tuple(name.strip() for name in drop_in.split(",")) if drop_in else ()
    noise = Noise(drop, names, weight_noise, threshold_noise, seed, repeats)
    with interruptible(), sharing() as processes, progress("simulating") as bar:
        found = simulate(artifact, data, save, bar, device or None, rule, noise, resume, processes, in_numpy)
    if processes.rank:
        return
    if csv is not None:
        write_csv(found, csv)
    print_notes(found.notes)
    if as_json:
        print_json(as_dictionary(found))
    else:
        show(found, str(artifact))


@contextmanager
def sharing() -> Generator[Processes]:
    """The processes that torchrun started, or this one alone."""
    from onnx2snn.flow.evaluation.processes import Alone

    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Alone()
        return
    from onnx2snn.training.gloo import Gloo

    group = Gloo()
    yield group
    group.close()
