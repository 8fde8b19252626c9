"""What `onnx2snn simulate` prints and writes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnx2snn.cli.output import percent, print_table
from onnx2snn.cli.sparkline import sparkline
from onnx2snn.errors import DataError
from onnx2snn.words import amount

if TYPE_CHECKING:
    from onnx2snn.flow.evaluation.simulate import Simulation

MARKS = (0.5, 0.9, 0.99)  #: shares of the final accuracy whose first step is named


def as_dictionary(found: Simulation) -> dict[str, Any]:
    """The simulation as JSON has it; everything but the outputs."""
    totals = None if found.totals is None else asdict(found.totals) | {"sparsity": found.totals.sparsity}
    return {
        "samples": found.samples,
        "simulator": found.simulator,
        "accuracy": found.accuracy,
        "steps": found.steps,
        "inject_steps": found.inject_steps,
        "most_steps": found.most_steps,
        "layers": [asdict(layer) | {"sparsity": layer.sparsity} for layer in found.layers],
        "inputs": found.inputs,
        "totals": totals,
        "curve": found.curve,
        "exit_rule": found.exit_rule,
        "exits": found.exits,
        "energy": found.energy,
        "median": found.median,
        "noise": found.noise,
        "repeats": found.repeats,
        "accuracy_deviation": found.accuracy_deviation,
        "notes": found.notes,
    }


def show(found: Simulation, title: str) -> None:
    """The simulation in tables."""
    parts = f"{found.inject_steps} + {found.steps - found.inject_steps}"
    steps = f"{amount(found.steps, 'step')} ({parts}; never more than {found.most_steps})"
    print(f"{amount(found.samples, 'sample')}, {steps}, accuracy {percent(found.accuracy)}{_deviation(found)}")
    _show_curve(found)
    _show_exits(found)
    _show_layers(found, title)
    _show_energy(found)


def _deviation(found: Simulation) -> str:
    """What the noise was, and how much the accuracy varies with it."""
    noise = found.noise
    where = ", ".join(noise.drop_in) or "all populations"
    said = [
        f"spikes of {where} lost with probability {noise.drop:g}" if noise.drop else "",
        f"weights disturbed by {noise.weight:g}" if noise.weight else "",
        f"thresholds disturbed by {noise.threshold:g}" if noise.threshold else "",
    ]
    spread = found.accuracy_deviation
    over = "" if spread is None else f" +- {percent(spread)} over {noise.repeats} runs"
    return over + "".join(f", {text}" for text in said if text)


def _show_curve(found: Simulation) -> None:
    name = "agreement with the last step" if found.accuracy is None else "accuracy"
    shares = [moment.agreement if found.accuracy is None else moment.accuracy for moment in found.curve]
    known = [share for share in shares if share is not None]
    if len(known) < 2:
        return
    print(f"{name} after step 1 to {len(known)}: {sparkline(known)} ({percent(known[0])} to {percent(known[-1])})")
    first = [f"{100 * mark:g} % of the last at step {_first(known, mark * known[-1])}" for mark in MARKS]
    print("  " + ", ".join(first))


def _first(shares: Sequence[float], wanted: float) -> int:
    """The first step from which on a share is reached."""
    below = [step for step, share in enumerate(shares, 1) if share < wanted]
    return (below[-1] if below else 0) + 1


def _show_exits(found: Simulation) -> None:
    """The earliest exit that costs at most a tenth of a point, of the thresholds tried."""
    from onnx2snn.flow.evaluation.curve import earliest

    best = earliest(found.exits, found.accuracy)
    if best is None or best.steps >= found.steps:
        return
    what = "accuracy" if best.accuracy is not None else "agreement"
    print(
        f"early exit at {found.exit_rule} {best.threshold:g}: {best.steps:.2f} steps on average, "
        f"{what} {percent(best.agreement if best.accuracy is None else best.accuracy)}"
    )


def _show_layers(found: Simulation, title: str) -> None:
    runs = found.samples * found.noise.repeats
    rows = [
        (
            layer.name,
            layer.role,
            layer.neurons,
            layer.spikes / runs,
            layer.rate,
            layer.sparsity,
            *_each(runs, layer.operations, layer.macs),
        )
        for layer in found.layers
    ]
    columns = ("population", "role", "neurons", "spikes", "rate", "sparsity", "synaptic operations", "MACs")
    print_table(f"{title}, per sample", columns, rows)
    sums = found.totals
    if sums is None:
        print("accuracy at every step, synaptic operations, MACs and energy: run the network in NumPy (--in-numpy)")
    else:
        rate = f"{sums.rate:.4f}" if sums.neurons else "-"
        print(
            f"per sample: {sums.spikes:.6g} spikes, rate {rate}, {sums.operations:.6g} synaptic operations "
            f"({sums.readout_operations:.6g} at the readout), {sums.updates:.6g} neuron updates, input layer "
            f"{sums.input_macs:.6g} MACs; the same layers as an ANN: {sums.macs:.6g} MACs, "
            f"{sums.macs_active:.6g} without zeros"
        )


def _each(samples: int, *values: int | None) -> list[float | None]:
    return [None if value is None else value / samples for value in values]


def _show_energy(found: Simulation) -> None:
    if not found.energy:
        return
    rows = [(e.device, e.total, e.ann, e.ann_active, ", ".join(e.unpriced)) for e in found.energy]
    print_table(
        "energy estimate, nJ per sample: arithmetic alone",
        ("device", "spiking, nJ", "ANN, nJ", "ANN without zeros, nJ", "no price for"),
        rows,
    )
    print("energy: estimates of the arithmetic alone, without memory, control and leakage")


def check_csv(stem: Path) -> None:
    """Raises `DataError` where `STEM.layers.csv` could not be written: said before the run, not after it."""
    if stem.is_dir():
        raise DataError(f"{stem}: the beginning of file names expected, such as {stem / 'run'}, found a folder")
    if not stem.parent.is_dir():
        raise DataError(f"{stem.parent}: a folder to write to expected, found none")


def write_csv(found: Simulation, stem: Path) -> None:
    """Writes `STEM.layers.csv`, and `STEM.curve.csv` where the simulator tells what happens at each step."""
    layers = [asdict(layer) | {"sparsity": layer.sparsity} for layer in found.layers]
    for name, rows in (("curve", [asdict(moment) for moment in found.curve]), ("layers", layers)):
        if not rows:
            continue
        path = stem.with_name(f"{stem.name}.{name}.csv")
        try:
            with path.open("w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        except OSError as error:
            raise DataError(f"{path}: cannot be written: {error.strerror}") from None
