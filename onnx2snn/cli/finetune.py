"""`onnx2snn finetune`: layer-wise fine-tuning of an artifact whose code is not exact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from onnx2snn.cli.output import Json, percent, print_json, print_table, progress

if TYPE_CHECKING:
    from onnx2snn.training.finetune import Criterion, FineTuned, LayerReport, Options

NAME = "finetune"


def command(
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="The artifact folder.", show_default=False)],
    data: Annotated[
        Path, typer.Option(help="Samples to learn from: .npz with x and perhaps labels y.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="The artifact folder to make.", show_default=False)],
    epochs: Annotated[int, typer.Option(help="Passes over the samples for each layer.")] = 5,
    batch: Annotated[int, typer.Option(help="Samples at a time.")] = 64,
    rate: Annotated[float, typer.Option(help="Learning rate, in parts of a layer's largest weight.")] = 0.001,
    validation: Annotated[float, typer.Option(help="Share of the samples that decide what is kept.")] = 0.2,
    criterion: Annotated[str, typer.Option(help="What must get better there: output, layer or accuracy.")] = "output",
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Keep every change, better or not.")] = False,
    readout: Annotated[bool, typer.Option("--readout", help="Tune the synapses into the readout as well.")] = False,
    seed: Annotated[int, typer.Option(help="Of the split and the order of the samples.")] = 0,
    device: Annotated[str, typer.Option(help="What PyTorch runs on: cpu, cuda ...")] = "cpu",
    force: Annotated[bool, typer.Option("--force", help="Replace an artifact that is there already.")] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune the weights of the artifact in DIR layer by layer, so that its counts come closer to the model's."""
    from onnx2snn.training.finetune import Options, finetune

    options = Options(epochs, batch, rate, validation, cast("Criterion", criterion), keep_all, readout, seed)
    with progress("fine-tuning") as bar:
        shown = None if bar is None else lambda name, done, total: bar(done, total)
        found = finetune(
            artifact,
            data,
            out,
            options,
            device=device,
            force=force,
            command=_words(data, options),
            progress=shown,
            after_layer=None if as_json else _show_layer,
        )
    if as_json:
        print_json(as_dictionary(found, out))
    else:
        _show(found, out)


def as_dictionary(found: FineTuned, out: Path) -> dict[str, object]:
    """What was done as JSON has it."""
    tuning = found.manifest.fine_tuning
    return {
        "artifact": str(out),
        "kept": found.report.kept,
        **vars(found.report),
        "fine_tuning": None if tuning is None else tuning.model_dump(),
    }


def _words(data: Path, options: Options) -> str:
    """The command, but for the folders and what is as by default."""
    given = {name: value for name, value in vars(options).items() if value != getattr(type(options)(), name)}
    flags = [f"--{name.replace('_', '-')}" + ("" if value is True else f" {value}") for name, value in given.items()]
    return " ".join(["onnx2snn finetune", f"--data {data.name}", *flags])


def _show_layer(layer: LayerReport) -> None:
    done = f"kept (epoch {layer.epoch})" if layer.kept else f"reverted: {layer.reason}"
    print(
        f"{layer.name}: squared error of its counts {layer.before.layer:.4g} -> {layer.after.layer:.4g}, "
        f"of the output {layer.before.output:.4g} -> {layer.after.output:.4g}; {done}",
        file=sys.stderr,
        flush=True,
    )


def _show(found: FineTuned, out: Path) -> None:
    report = found.report
    rows = [
        (
            layer.name,
            ", ".join(layer.synapses) or "bias alone",
            layer.before.layer,
            layer.after.layer,
            layer.before.output,
            layer.after.output,
            "kept" if layer.kept else "reverted",
        )
        for layer in report.layers
    ]
    columns = ("layer", "synapses", "count error", "after", "output error", "after", "change")
    print_table(f"fine-tuning on {report.samples} samples", columns, rows)
    for layer in report.layers:
        if layer.shared:
            print(f"{layer.name}: left alone, as they feed others as well: {', '.join(layer.shared)}")
    before, after = report.before, report.after
    right = ""
    if report.teacher_accuracy is not None:
        right = f", accuracy {percent(before.accuracy)} -> {percent(after.accuracy)} "
        right += f"(quantised network {percent(report.teacher_accuracy)})"
    print(
        f"on {report.validation} validation samples, which chose what to keep: agreement with the quantised network "
        f"{percent(before.agreement)} -> {percent(after.agreement)}{right}"
    )
    kind = "fine-tuned, no longer the model's" if report.kept else "nothing was better, the network is as it was"
    print(f"{out}: {found.manifest.backend} artifact, {kind}")
