"""Every code on trained networks: how accurate, how equal, how fast, how many spikes, how much energy.

    onnx2snn train --recipe benchmarks/recipes/fast_snn_small.toml --arch lenet --scheme lsq --data mnist --epochs 3 \
        --seed 1 -o runs/mnist-lenet
    python benchmarks/codes.py runs/mnist-lenet [--bits 4 3 2] [--images 1000] [--codes st-bif ladder]

For each precision and code, on the first test images: accuracy beside ONNX Runtime's, the share of equal answers and of
equal counts of all populations, steps, spikes per neuron, synaptic operations and energy (`45nm-int8`). Adds the
network, under the names of its data and architecture, to benchmarks/results/codes.json.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from pathlib import Path
from typing import Any

import onnx2snn
from onnx2snn.passes.map_neurons import CODES
from onnx2snn.training import export_onnx, load_run
from onnx2snn.training.data import default_data, load, write_samples

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "benchmarks" / "results" / "codes.json"
DEVICE = "45nm-int8"


def measure(model: Path, folder: Path, samples: Path, code: str) -> dict[str, Any]:
    """One code."""
    started = time.process_time()
    conversion = onnx2snn.convert(model, code=code)
    conversion.save(folder, force=True)
    found = onnx2snn.simulate(folder, samples, devices=(DEVICE,))
    checked = onnx2snn.verify(model, folder, samples)
    parity, totals = checked.parity, found.totals
    assert parity is not None
    assert totals is not None
    (energy,) = found.energy
    counts = sum(layer.counts for layer in parity.layers)
    return {
        "accuracy": found.accuracy,
        "ann_accuracy": parity.model_accuracy,
        "same_answer": parity.argmax_agreement,
        "counts": counts,
        "differing_counts": sum(layer.cumulative for layer in parity.layers),
        "float32_near_ties": sum(layer.rounding for layer in parity.layers),
        "proven": conversion.certificate.exact,
        "breakpoints": f"{conversion.certificate.proven} of {conversion.certificate.breakpoints}",
        "findings": list(checked.findings),
        "inject_steps": found.inject_steps,
        "steps": found.steps,
        "proven_most_steps": found.most_steps,
        "neurons": totals.neurons,
        "spikes_per_sample": totals.spikes,
        "spikes_per_neuron": totals.spikes / totals.neurons,
        "synaptic_operations": totals.operations,
        "ann_macs": totals.macs,
        "ann_macs_without_zeros": totals.macs_active,
        "energy_nanojoules": energy.total,
        "ann_energy_nanojoules": energy.ann,
        "cpu_seconds": round(time.process_time() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", type=Path, help="the folder that train made")
    parser.add_argument("--bits", type=int, nargs="+", default=[4, 3, 2])
    parser.add_argument("--images", type=int, default=1000, help="test images")
    parser.add_argument("--codes", nargs="+", choices=sorted(CODES), default=[c for c in CODES if c != "lif"])
    args = parser.parse_args()
    for bits in args.bits:
        run = args.runs / f"{bits}-bit"
        network, record = load_run(run)
        test = None if record.test_data is None else Path(record.test_data)
        data = load(record.data, default_data(ROOT), split=run / "split.json", size=record.size, test=test)
        samples, model = run / "codes.npz", run / "model.onnx"
        write_samples(samples, data.test, args.images)
        export_onnx(network, record.shape, model, samples=data.test[0][0][None].numpy())
        for code in args.codes:
            row = measure(model, run / f"codes-{code}", samples, code)
            print(record.data, record.arch, bits, code, row, flush=True)
            results: dict[str, Any] = json.loads(RESULT.read_text()) if RESULT.exists() else {}
            entry = results.setdefault(f"{record.data} {record.arch} {bits}", {"codes": {}})
            entry |= {
                "commands": [record.command, f"python benchmarks/codes.py {args.runs} --images {args.images}"],
                "machine": {"python": platform.python_version(), "system": platform.system()},
                "scheme": record.scheme,
                "training_images": record.limit_train or record.images,
                "epochs": record.epochs,
                "test": record.test,
                "test_images": args.images,
                "device": DEVICE,
            }
            entry["codes"][code] = row
            RESULT.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
