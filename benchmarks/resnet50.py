"""Converting a quantised network of the size of ResNet-50, as a ratio to loading it in ONNX Runtime.

    python benchmarks/resnet50.py [--memory]

writes benchmarks/results/resnet50.json. The files are made in a temporary folder: random weights with one scale a
channel, one scale for each activation, residual adds whose branches have unequal scales. Weights are `whole` (int8 in
the file, as ONNX Runtime's quantize_static writes them) or `real` (float32 behind QuantizeLinear, Clip and
DequantizeLinear, as trainers export them). `plain` adds the accumulators of a block to its identity branch; `quantised`
quantises every branch before it is added, as quantize_static does. 8 bits: QuantizeLinear, DequantizeLinear; 4 bits:
with a Clip of the codes between them.
Times are interleaved medians, peak memory is that of a process of its own above what its imports take; --memory
measures it alone and leaves the times that are there, which need a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from interleaved import ratios
from onnx import TensorProto, helper, numpy_helper

import onnx2snn

Array = np.ndarray[Any, np.dtype[Any]]
RESULT = Path(__file__).parent / "results" / "resnet50.json"
STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
FLOAT32_MIB = 25_503_912 * 4 / 2**20  #: all weights as float32
MEMORY = """
import sys, threading, time, onnx, onnxruntime, onnx_ir, onnxscript.optimizer, onnx2snn
from onnx2snn.flow.conversion import convert
import onnx2snn.backends.numpy
page = 4096
def resident(): return int(open("/proc/self/statm").read().split()[1]) * page
base, peak, done = resident(), 0, False
def watch():
    global peak
    while not done:
        peak = max(peak, resident())
        time.sleep(0.001)
thread = threading.Thread(target=watch)
thread.start()
if sys.argv[2] == "onnx2snn": kept = onnx2snn.convert(sys.argv[1]).network
else: kept = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
done = True
thread.join()
print((max(peak, resident()) - base) / 2**20)
"""


@dataclass
class Writer:
    """Nodes and tensors of a model being made; every method returns the name of what it made."""

    bits: int
    quantised: bool
    real_weights: bool = False
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    scales: dict[str, np.float32] = field(default_factory=dict)

    def constant(self, name: str, array: Array) -> str:
        self.tensors.append(numpy_helper.from_array(array, name))
        return name

    def node(self, op: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=name, **attributes))
        return name

    def quantise(self, source: str, signed: bool = False, largest: float = 4.0) -> str:
        """Codes of the writer's bits, one scale for the whole tensor; signed ones around a zero point of 0."""
        kind, levels = (np.int8, 2 ** (self.bits - 1) - 1) if signed else (np.uint8, 2**self.bits - 1)
        scale = np.float32(largest * self.rng.uniform(0.7, 1.4) / levels)
        grid = (
            self.constant(f"{source}.scale", np.array(scale)),
            self.constant(f"{source}.zero", np.zeros((), kind)),
        )
        codes = self.node("QuantizeLinear", f"{source}.q", source, *grid)
        if self.bits < 8:
            ends = (
                self.constant(f"{source}.{end}", np.array(bound, kind))
                for end, bound in (("least", -levels if signed else 0), ("most", levels))
            )
            codes = self.node("Clip", f"{source}.clip", codes, *ends)
        made = self.node("DequantizeLinear", f"{source}.dq", codes, *grid)
        self.scales[made] = scale
        return made

    def weights(self, name: str, shape: tuple[int, ...], source: str) -> tuple[str, str]:
        """Weights and bias behind DequantizeLinear, one scale for each output channel, spread as after training."""
        levels = 2 ** (self.bits - 1) - 1
        fan_in = int(np.prod(shape[1:]))
        spread = self.rng.uniform(0.5, 2.0, shape[0]) * np.sqrt(2 / fan_in)
        scale = (spread * 4 / levels).astype(np.float32)
        whole = np.rint(self.rng.standard_normal(shape, np.float32) * (levels / 4))
        steps = self.constant(f"{name}.weight.scale", scale)
        if self.real_weights:
            weight = self.real(name, whole * scale.reshape(-1, *[1] * (len(shape) - 1)), steps, levels)
        else:
            quantised = self.constant(f"{name}.weight.codes", np.clip(whole, -levels, levels).astype(np.int8))
            weight = self.node("DequantizeLinear", f"{name}.weight", quantised, steps, axis=0)
        steps = self.constant(f"{name}.bias.scale", scale * self.scales[source])
        bias = np.rint(self.rng.uniform(-0.5, 0.5, shape[0]) / (scale * self.scales[source])).astype(np.int32)
        quantised = self.constant(f"{name}.bias.codes", bias)
        return weight, self.node("DequantizeLinear", f"{name}.bias", quantised, steps, axis=0)

    def real(self, name: str, weight: Array, scale: str, levels: int) -> str:
        """Real-valued weights that the file itself quantises, as trainers export them."""
        zero = self.constant(f"{name}.weight.zero", np.zeros(weight.shape[0], np.int8))
        codes = self.node(
            "QuantizeLinear", f"{name}.weight.q", self.constant(f"{name}.weight.real", weight), scale, zero, axis=0
        )
        ends = (
            self.constant(f"{name}.weight.{end}", np.array(bound, np.int8))
            for end, bound in (("least", -levels), ("most", levels))
        )
        codes = self.node("Clip", f"{name}.weight.clip", codes, *ends)
        return self.node("DequantizeLinear", f"{name}.weight", codes, scale, zero, axis=0)

    def conv(self, name: str, source: str, channels: tuple[int, int], kernel: int, stride: int = 1) -> str:
        parameters = self.weights(name, (channels[1], channels[0], kernel, kernel), source)
        square = {"strides": [stride] * 2, "pads": [kernel // 2] * 4, "kernel_shape": [kernel] * 2}
        return self.node("Conv", name, source, *parameters, **square)

    def relu(self, source: str) -> str:
        return self.quantise(self.node("Relu", f"{source}.relu", source))

    def block(self, name: str, source: str, channels: tuple[int, int, int], stride: int) -> str:
        """A bottleneck: 1 x 1, 3 x 3, 1 x 1, and the branch beside it."""
        wide, narrow, out = channels
        x = self.relu(self.conv(f"{name}.conv1", source, (wide, narrow), 1))
        x = self.relu(self.conv(f"{name}.conv2", x, (narrow, narrow), 3, stride))
        x = self.conv(f"{name}.conv3", x, (narrow, out), 1)
        if self.quantised:
            x = self.quantise(x, signed=True)
        if wide != out:
            source = self.quantise(self.conv(f"{name}.beside", source, (wide, out), 1, stride), signed=True)
        return self.relu(self.node("Add", f"{name}.add", x, source))

    def network(self, path: Path) -> None:
        x = self.quantise("input", signed=True)
        x = self.relu(self.conv("stem", x, (3, 64), 7, 2))
        x = self.node("MaxPool", "stem.pool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
        self.scales[x] = self.scales["stem.relu.dq"]
        wide = 64
        for stage, (narrow, blocks) in enumerate(STAGES):
            for index in range(blocks):
                stride = 2 if stage and not index else 1
                x = self.block(f"stage{stage}.{index}", x, (wide, narrow, 4 * narrow), stride)
                wide = 4 * narrow
        x = self.quantise(self.node("GlobalAveragePool", "pool", x), largest=2.0)
        x_flat = self.node("Flatten", "flat", x)
        weight, bias = self.weights("fc", (1000, wide), x)
        self.node("Gemm", "output", x_flat, weight, bias, transB=1)
        ends = (("input", ["N", 3, 224, 224]), ("output", ["N", 1000]))
        values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends]
        graph = helper.make_graph(self.nodes, "resnet50", values[:1], values[1:], self.tensors)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def make(path: Path, bits: int, adds: str, weights: str) -> Path:
    """Writes the file."""
    Writer(bits, adds == "quantised", weights == "real").network(path)
    return path


def measure(path: Path, rounds: int) -> dict[str, Any]:
    """Times of both tools, their peak memory, and what was proven."""
    runs = {
        "ONNX Runtime loads it": lambda: onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]),
        "onnx2snn converts it": lambda: onnx2snn.convert(path).network,
    }
    certificate = onnx2snn.convert(path).certificate
    return {
        "times": ratios(runs, "ONNX Runtime loads it", rounds=rounds),
        **peaks(path),
        "exact": certificate.exact,
        "proven": f"{certificate.proven} of {certificate.breakpoints}",
        "ops": {
            kind: sum(v.exactness == kind for v in certificate.verdicts) for kind in ("exact", "bounded", "analog")
        },
    }


def peaks(path: Path) -> dict[str, Any]:
    """Peak memory of both tools."""
    peak = {name: round(memory(path, name)) for name in ("onnx2snn", "onnxruntime")}
    return {"peak_memory_mib": peak, "peak_memory_of_float32_weights": round(peak["onnx2snn"] / FLOAT32_MIB, 2)}


def memory(path: Path, tool: str) -> float:
    """MiB above the imports, in a process of its own."""
    command = [sys.executable, "-c", MEMORY, str(path), tool]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="only write the files, into this folder")
    parser.add_argument("--memory", action="store_true", help="measure memory alone")
    options = parser.parse_args()
    found: dict[str, Any] = {"command": "python benchmarks/resnet50.py", "optimisation": "ORT_ENABLE_ALL", "files": {}}
    if options.memory:
        found = json.loads(RESULT.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as scratch:
        for bits, adds, weights in product((8, 4), ("plain", "quantised"), ("whole", "real")):
            name = f"{bits}-bit, {adds} adds, {weights} weights"
            path = make((options.keep or Path(scratch)) / f"{name}.onnx", bits, adds, weights)
            if options.keep is None:
                known = found["files"].get(name, {})
                found["files"][name] = known | peaks(path) if options.memory else measure(path, options.rounds)
                print(name, json.dumps(found["files"][name], indent=2), flush=True)
    if options.keep is None:
        RESULT.parent.mkdir(parents=True, exist_ok=True)
        RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
