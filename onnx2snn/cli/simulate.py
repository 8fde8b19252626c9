"""`onnx2snn simulate`: run an artifact on samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from onnx2snn.cli.output import Json, percent, print_json, print_table, progress

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
    as_json: Json = False,
) -> None:
    """Run the artifact in DIR on DATA: accuracy, latency, spikes and firing rates."""
    from onnx2snn.flow.simulate import simulate

    with progress("simulating") as bar:
        found = simulate(artifact, data, save, bar)
    if as_json:
        layers = [vars(layer) for layer in found.layers]
        print_json(
            {
                "samples": found.samples,
                "accuracy": found.accuracy,
                "steps": found.steps,
                "inject_steps": found.inject_steps,
                "layers": layers,
            }
        )
        return
    steps = f"{found.steps} steps ({found.inject_steps} + {found.steps - found.inject_steps})"
    print(f"{found.samples} samples, {steps}, accuracy {percent(found.accuracy)}")
    rows = [(layer.name, layer.neurons, layer.spikes / found.samples, layer.rate) for layer in found.layers]
    print_table(str(artifact), ("population", "neurons", "spikes per sample", "spikes per neuron and step"), rows)
