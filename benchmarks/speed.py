"""Simulation of the MNIST network for all T + settle steps, as ratios to one float32 pass of the ANN in ONNX Runtime.

    python benchmarks/speed.py --model runs/mnist/model.onnx --data runs/mnist/test.npz

writes benchmarks/results/speed.json. Batches of 1 and 64, code st-bif, interleaved, medians; the peak memory of a
process that simulates all images stands beside it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from interleaved import ratios

import onnx2snn
from onnx2snn.backends.numpy import NumpySimulator
from onnx2snn.backends.torch.simulator import TorchSimulator

RESULT = Path(__file__).parent / "results" / "speed.json"
MEMORY = """
import sys, numpy, onnx2snn
from onnx2snn.backends.numpy import NumpySimulator
x = numpy.load(sys.argv[2])["x"]
net = onnx2snn.convert(sys.argv[1]).network
simulator = NumpySimulator(net.graph, net.schedule.steps)
for start in range(0, int(sys.argv[3]), 256):
    simulator.run(x[start : start + 256])
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path("runs/mnist/model.onnx"))
    parser.add_argument("--data", type=Path, default=Path("runs/mnist/test.npz"))
    options = parser.parse_args()
    with np.load(options.data) as data:
        images = data["x"]
    session = onnxruntime.InferenceSession(str(options.model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    network = onnx2snn.convert(options.model).network
    steps, settle = network.schedule.steps, network.schedule.settle
    numpy_, torch_ = NumpySimulator(network.graph, steps, settle), TorchSimulator(network.graph, steps, settle)
    measured = {}
    for batch in (1, 64):
        x = images[:batch]
        runs = {
            "ANN in ONNX Runtime": lambda x=x: session.run(None, {name: x}),
            "numpy simulator, all steps": lambda x=x: numpy_.run(x),
            "torch simulator, all steps": lambda x=x: torch_.run(x),
        }
        measured[f"batch {batch}"] = ratios(runs, "ANN in ONNX Runtime", rounds=15)
    found = {
        "command": "python benchmarks/speed.py --model runs/mnist/model.onnx --data runs/mnist/test.npz",
        "code": "st-bif",
        "steps": numpy_.run(images[:64]).steps,
        "measured": measured,
        "peak_memory_mib": {f"{n} images": _memory(options.model, options.data, n) for n in (256, len(images))},
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def _memory(model: Path, data: Path, samples: int) -> int:
    arguments = [sys.executable, "-c", MEMORY, str(model), str(data), str(samples)]
    return int(subprocess.run(arguments, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
