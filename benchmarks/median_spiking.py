"""The median-quantised LeNets as scatter-and-gather networks: code `ladder`, one step.

    python benchmarks/median_mnist.py
    python benchmarks/median_spiking.py [--settings k1B2] [--images 10000] [--noisy-images 10000] [--repeats 3]

For each setting: accuracy and counts against ONNX Runtime, accuracy with a tenth and a fifth of the spikes lost in the
encoder and everywhere, firing sparsity and synaptic operations by our definitions and by those of the source (Zou et
al., Front. Neurosci. 2021; see docs/metrics.md). Writes benchmarks/results/median_spiking.json.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import onnx2snn
from onnx2snn.metrics import Noise
from onnx2snn.training.data import default_data, load, write_samples

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "median_spiking.json"
RUNS = ROOT / "runs" / "median_mnist"
SETTINGS = ("k0B1", "k0B2", "k0B4", "k1B1", "k1B2", "k1B4")
PUBLISHED = {"k1B2": {"0.1 in the encoder": 0.9939, "0.2 in the encoder": 0.9922}}


def measure(setting: str, samples: Path, noisy: Path, repeats: int) -> dict[str, Any]:
    """One setting."""
    run = RUNS / setting
    model, folder = run / "model.onnx", run / "ladder"
    conversion = onnx2snn.convert(model, code="ladder")
    conversion.save(folder, force=True)
    parity = onnx2snn.verify(model, folder, samples).parity
    found = onnx2snn.simulate(folder, samples, devices=())
    assert parity is not None
    assert found.totals is not None
    assert found.median is not None
    drops = {
        f"{drop} {where}": onnx2snn.simulate(
            folder, noisy, devices=(), noise=Noise(drop=drop, drop_in=names, repeats=repeats)
        )
        for where, names in (("in the encoder", ("encoder",)), ("everywhere", ()))
        for drop in (0.1, 0.2)
    }
    return {
        "accuracy": found.accuracy,
        "ann_accuracy": parity.model_accuracy,
        "same_answer": parity.argmax_agreement,
        "counts": sum(layer.counts for layer in parity.layers),
        "differing_counts": sum(layer.cumulative for layer in parity.layers),
        "float32_near_ties": sum(layer.rounding for layer in parity.layers),
        "steps": found.steps,
        "with_spikes_lost": {
            name: {"accuracy": noise.accuracy, "deviation": noise.accuracy_deviation, "repeats": repeats}
            for name, noise in drops.items()
        },
        "published_with_spikes_lost": PUBLISHED.get(setting, {}),
        "ours": {
            "units": found.totals.neurons,
            "spikes": found.totals.spikes,
            "rate": found.totals.rate,
            "sparsity": found.totals.sparsity,
            "synaptic_operations": found.totals.operations,
            "of_these_at_the_readout": found.totals.readout_operations,
            "ann_macs": found.totals.macs,
        },
        "by_the_source": vars(found.median),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=SETTINGS)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--noisy-images", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    data = load("mnist", default_data(ROOT), split=RUNS / args.settings[0] / "split.json")
    samples, noisy = RUNS / "test.npz", RUNS / "noisy.npz"
    write_samples(samples, data.test, args.images)
    write_samples(noisy, data.test, args.noisy_images)
    for setting in args.settings:
        row = measure(setting, samples, noisy, args.repeats)
        print(setting, row, flush=True)
        results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {"settings": {}}
        results |= {
            "command": f"python benchmarks/median_spiking.py --images {args.images} "
            f"--noisy-images {args.noisy_images} --repeats {args.repeats}",
            "machine": {"python": platform.python_version(), "system": platform.system()},
            "test_images": args.images,
        }
        results["settings"][setting] = row | {"noisy_test_images": args.noisy_images}
        RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
