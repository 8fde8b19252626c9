"""Weights of few bits for a network trained in floating point: what the rounding costs, and which chips then hold it.

    onnx2snn train --recipe benchmarks/recipes/fast_snn_small.toml --arch lenet --scheme lsq --data mnist \
        --limit-train 30000 --epochs 3 --seed 1 -o runs/mnist-lenet
    python benchmarks/weight_bits.py runs/mnist-lenet/32-bit [--images 1000] [--chip-images 500] [--part rows|chips]

Calibrates the 32-bit network on 256 validation images and rounds its weights to 8, 6, 4 and 3 bits, with a scale for
each channel or for the layer, by the largest weight or the least squared error. Writes, to
benchmarks/results/weight_bits.json, for code `st-bif` accuracy beside ONNX Runtime's, the counts that the rounding
changes and what is proven; and for the emulators of Loihi and TianjicX (code `if`) accuracy and cores, or why the
network was refused. One part alone leaves the other as it is in the file.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn import Calibration
from onnx2snn.analysis.weight_rounding import SCALES, SEARCHES, Scales, real_rows, shift
from onnx2snn.errors import BackendError
from onnx2snn.flow.batches import batches
from onnx2snn.flow.conversion.convert import Conversion
from onnx2snn.flow.conversion.weight_cost import weight_cost
from onnx2snn.ir.ops import Conv, Dense
from onnx2snn.passes import QuantiseWeights, run_passes
from onnx2snn.passes.text import parse_recipe
from onnx2snn.plugins import load_backend
from onnx2snn.training import export_onnx, load_run
from onnx2snn.training.data import default_data, load, write_samples

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "weight_bits.json"
BITS, LEVELS, CALIBRATION, COMPARED = (8, 6, 4, 3), 15, 256, 250
CHIPS = {"loihi": 15, "tianjic": 255}  #: levels of the input, as many as each chip takes
Array = np.ndarray[Any, np.dtype[Any]]


def rounding(conversion: Conversion) -> Iterator[dict[str, Any]]:
    """Each rounded layer: its error, and the bounds on its sums and on the counts behind it."""
    graph = conversion.ann
    for step in parse_recipe(conversion.network.staircase_passes):
        made = step(graph)
        if isinstance(step, QuantiseWeights):
            for node in graph.of(Conv, Dense):
                before, after = node.op, made[node.name].op
                assert isinstance(before, (Conv, Dense))
                assert isinstance(after, (Conv, Dense))
                found = shift(graph, node, real_rows(before), real_rows(after))
                yield {"layer": node.name, "error": found.error, "sums": found.sums, "counts": found.counts}
            return
        graph = made


def proven(model: Path, folder: Path, samples: Path, given: Array, calibration: Calibration) -> dict[str, Any]:
    """Code st-bif: what is proven, what is measured, what the rounding alone does."""
    started = time.process_time()
    conversion = onnx2snn.convert(model, calibrate=given, calibration=calibration)
    conversion.save(folder, force=True)
    checked = onnx2snn.verify(model, folder, samples)
    certificate, parity = conversion.certificate, checked.parity
    assert parity is not None
    row: dict[str, Any] = {
        "accuracy": parity.accuracy,
        "ann_accuracy": parity.model_accuracy,
        "same_answer": parity.argmax_agreement,
        "breakpoints": f"{certificate.proven} of {certificate.breakpoints}",
        "proven_as_rounded": certificate.proven_as_staircases,
        "proven_exact": certificate.exact,
        "counts_that_differ_from_it": sum(layer.cumulative for layer in parity.layers),
        "counts": sum(layer.counts for layer in parity.layers),
        "steps": parity.steps,
        "findings": list(checked.findings),
    }
    if calibration.weight_bits:
        recipe = parse_recipe(conversion.network.staircase_passes)
        with np.load(samples) as data:
            x = data["x"][:COMPARED]
        cost = weight_cost(conversion.ann, recipe, run_passes(conversion.ann, recipe), batches(x, 100))
        row |= {
            "layers": list(rounding(conversion)),
            "changed_counts": cost.differing,
            "most_counts": cost.worst,
            "same_answer_as_unrounded": cost.agreement,
        }
    return row | {"cpu_seconds": round(time.process_time() - started, 1)}


def on_chip(
    name: str, model: Path, folder: Path, samples: Path, given: Array, calibration: Calibration
) -> dict[str, Any]:
    """Code if on the emulator of a chip."""
    conversion = onnx2snn.convert(model, calibrate=given, calibration=calibration, code="if", settle=0)
    try:
        manifest = conversion.save(folder, backend=name, force=True)
    except BackendError as error:
        return {"refused": str(error)}
    found = onnx2snn.simulate(folder, samples)
    footprint = load_backend(name).footprint(folder)
    assert footprint is not None
    breakpoints, held = (sum(getattr(layer, key) for layer in manifest.layers) for key in ("breakpoints", "proven"))
    return {
        "accuracy": found.accuracy,
        "steps": found.steps,
        "breakpoints": f"{held} of {breakpoints}",
        "cores": footprint.data["cores"],
        "chips": footprint.data["chips"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of the 32-bit network")
    parser.add_argument("--images", type=int, default=1000, help="test images, from the first on")
    parser.add_argument("--chip-images", type=int, default=500, help="of the emulators")
    parser.add_argument("--part", choices=("rows", "chips"), help="st-bif or the emulators alone")
    args = parser.parse_args()
    parts = [args.part] if args.part else ["rows", "chips"]
    network, record = load_run(args.run)
    data = load(record.data, default_data(ROOT), split=args.run / "split.json", size=record.size)
    results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    results |= {
        "commands": [record.command, f"python benchmarks/weight_bits.py {args.run} --images {args.images}"],
        "machine": {"python": platform.python_version(), "system": platform.system()},
        "network": f"{record.data} {record.arch}, 32 bits",
        "test": record.test,
        "test_images": args.images,
        "chip_images": args.chip_images,
        "calibration_images": CALIBRATION,
        "compared_images": COMPARED,
        "levels": LEVELS,
        **{part: [] for part in parts},
    }

    def add(place: str, row: dict[str, Any]) -> None:
        results[place].append(row)
        print(row, flush=True)
        RESULT.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model, samples, few, seen = (folder / name for name in ("model.onnx", "test.npz", "few.npz", "seen.npz"))
        write_samples(samples, data.test, args.images)
        write_samples(few, data.test, args.chip_images)
        write_samples(seen, data.validation, CALIBRATION)
        export_onnx(network, record.shape, model, samples=data.test[0][0][None].numpy())
        with np.load(seen) as found:
            given = found["x"]
        if "rows" in parts:
            for row in _rows(model, folder / "net", samples, given):
                add("rows", row)
        if "chips" in parts:
            for row in _chips(model, folder, few, given):
                add("chips", row)


def _rows(model: Path, folder: Path, samples: Path, given: Array) -> Iterator[dict[str, Any]]:
    plain = Calibration("mse", levels=LEVELS, input_levels=255)
    yield {"bits": None} | proven(model, folder, samples, given, plain)
    for bits, scales, search in product(BITS, SCALES, SEARCHES):
        chosen = replace(_chosen(bits, scales, 255), weight_search=search)
        row = proven(model, folder, samples, given, chosen)
        yield {"bits": bits, "scale": scales, "search": search} | row


def _chips(model: Path, folder: Path, samples: Path, given: Array) -> Iterator[dict[str, Any]]:
    for (name, levels), bits, scales in product(CHIPS.items(), BITS, SCALES):
        row = on_chip(name, model, folder / name, samples, given, _chosen(bits, scales, levels))
        yield {"chip": name, "input_levels": levels, "bits": bits, "scale": scales} | row


def _chosen(bits: int, scales: Scales, input_levels: int) -> Calibration:
    return Calibration("mse", levels=LEVELS, input_levels=input_levels, weight_bits=bits, weight_scales=scales)


if __name__ == "__main__":
    main()
