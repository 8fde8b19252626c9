"""The MNIST table: every code against the quantised network, on all test images.

    python examples/train_mnist.py
    python benchmarks/mnist.py --model runs/mnist/model.onnx --data runs/mnist/test.npz

writes benchmarks/results/mnist.json: accuracy of the ANN in ONNX Runtime; for each code and arithmetic accuracy, argmax
agreement and the share of equal counts per population; whether float and integer `st-bif` agree in every count; whether
the NumPy simulator, the torch module and the emitted model.py give the same counts; the certificate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import onnx2snn
from onnx2snn.artifact import Source
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.flow.batches import batches
from onnx2snn.flow.verification.reference import OnnxTruth
from onnx2snn.passes import STAIRCASES, run_passes

Array = np.ndarray[Any, np.dtype[Any]]
RESULT = Path(__file__).parent / "results" / "mnist.json"
BATCH = 250
STANDALONE = """
import sys
sys.modules["onnx2snn"] = sys.modules["safetensors"] = None
sys.path.insert(0, sys.argv[1])
import numpy, torch
from model import Net
net = Net.load(sys.argv[1])
x = torch.from_numpy(numpy.load(sys.argv[2]).astype("float64"))
counts = {}
with torch.inference_mode():
    for batch in x.split(int(sys.argv[4])):
        net(batch)
        for name, found in net.counts.items():
            counts.setdefault(name, []).append(found.numpy().astype("int16"))
numpy.savez(sys.argv[3], **{name: numpy.concatenate(found) for name, found in counts.items()})
"""


@dataclass
class Tally:
    """Sums over batches for one code and arithmetic."""

    correct: int = 0
    agree: int = 0
    steps: int = 0
    spikes: dict[str, int] = field(default_factory=dict)
    equal: dict[str, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)


def measure(model: Path, x: Array, y: Array) -> dict[str, Any]:
    """Everything but the standalone file, batch by batch."""
    conversions = {
        (code, arithmetic): onnx2snn.convert(model, code=code, integer=arithmetic == "integer")
        for code in ("if", "signed-if", "st-bif")
        for arithmetic in ("integer", "float")
    }
    simulators = {
        key: NumpySimulator(c.network.graph, c.network.schedule.steps, c.network.schedule.settle)
        for key, c in conversions.items()
    }
    truth = OnnxTruth(model, run_passes(conversions["if", "integer"].ann, STAIRCASES))
    tallies = {key: Tally() for key in conversions}
    ann, twins = 0, {"equal": 0, "counts": 0}
    for images, labels in zip(batches(x, BATCH), batches(y, BATCH), strict=True):
        expected = truth.of(images)
        answers = expected.outputs[0].argmax(axis=1)
        ann += int((answers == labels).sum())
        runs = {}
        for key, simulator in simulators.items():
            run = runs[key] = simulator.run(images)
            tally = tallies[key]
            found = run.output.argmax(axis=1)
            tally.correct += int((found == labels).sum())
            tally.agree += int((found == answers).sum())
            tally.steps = max(tally.steps, run.steps)
            for name, counts in run.counts.items():
                tally.equal[name] = tally.equal.get(name, 0) + int((counts == expected.counts[name]).sum())
                tally.counts[name] = tally.counts.get(name, 0) + counts.size
                tally.spikes[name] = tally.spikes.get(name, 0) + run.spikes[name]
        for name, counts in runs["st-bif", "integer"].counts.items():
            twins["equal"] += int((counts == runs["st-bif", "float"].counts[name]).sum())
            twins["counts"] += counts.size
    certificate = conversions["st-bif", "integer"].certificate
    return {
        "ann_accuracy": ann / len(x),
        "codes": [_row(code, arithmetic, tally, len(x)) for (code, arithmetic), tally in tallies.items()],
        "st_bif_float_equals_integer": twins,
        "certificate": {
            "exact": certificate.exact,
            "breakpoints": certificate.breakpoints,
            "proven": certificate.proven,
            "accumulator_bits": {v.name: v.accumulator_bits for v in certificate.verdicts if v.breakpoints},
        },
    }


def _row(code: str, arithmetic: str, tally: Tally, samples: int) -> dict[str, Any]:
    return {
        "code": code,
        "arithmetic": arithmetic,
        "accuracy": tally.correct / samples,
        "argmax_agreement": tally.agree / samples,
        "steps": tally.steps,
        "equal_counts": {name: f"{tally.equal[name]} of {tally.counts[name]}" for name in tally.counts},
        "equal_share": {name: tally.equal[name] / tally.counts[name] for name in tally.counts},
        "spikes_per_sample": sum(tally.spikes.values()) / samples,
    }


def same_counts(model: Path, x: Array) -> dict[str, Any]:
    """NumPy simulator, torch module in memory and standalone model.py, in every count of every image."""
    from onnx2snn.backends.torch.simulator import TorchSimulator

    conversion = onnx2snn.convert(model)
    network = conversion.network
    steps, settle = network.schedule.steps, network.schedule.settle
    numpy_, torch_ = NumpySimulator(network.graph, steps, settle), TorchSimulator(network.graph, steps, settle)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "net"
        conversion.save(folder, backend="torch")
        np.save(Path(scratch) / "x.npy", x)
        out = Path(scratch) / "counts.npz"
        arguments = [str(folder), str(Path(scratch) / "x.npy"), str(out), str(BATCH)]
        subprocess.run([sys.executable, "-c", STANDALONE, *arguments], check=True)
        with np.load(out) as standalone:
            emitted = {name: standalone[name] for name in standalone.files}
    result = {"counts": 0, "torch_module_equal": 0, "standalone_model_equal": 0}
    for start in range(0, len(x), BATCH):
        images = x[start : start + BATCH]
        ours, theirs = numpy_.run(images).counts, torch_.run(images).counts
        for name, counts in ours.items():
            result["counts"] += counts.size
            result["torch_module_equal"] += int((theirs[name] == counts).sum())
            result["standalone_model_equal"] += int((emitted[name][start : start + BATCH] == counts).sum())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/mnist/model.onnx"))
    parser.add_argument("--data", type=Path, default=Path("runs/mnist/test.npz"))
    options = parser.parse_args()
    with np.load(options.data) as data:
        x, y = data["x"], data["y"]
    found = {
        "command": "python benchmarks/mnist.py --model runs/mnist/model.onnx --data runs/mnist/test.npz",
        "model": Source.of(options.model).sha256,
        "images": len(x),
        **measure(options.model, x, y),
        "same_counts": same_counts(options.model, x),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
