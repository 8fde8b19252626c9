"""Every real ONNX file at hand: what is understood of it, whether it converts, and how its network compares with it.

    python benchmarks/real_models.py [DATA [PART]]

runs every file, or those with PART in their names and leaves the other rows as they are. It reads the models in
DATA/onnx (see `onnx2snn.training.data.default_data`) and writes benchmarks/results/real_models.json. Each file is
inspected, converted to code st-bif (real-valued ones calibrated first, on 256 samples or on 8 where an input has more
than 20,000 entries: method mse, 31 levels) and verified on 64 samples: real
images where the model is for MNIST or CIFAR-10, else random ones over the range of the input. Time and peak memory are
those of inspect and convert, in a process of their own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parent
RESULT = ROOT / "results" / "real_models.json"
SAMPLES, CALIBRATION = 64, 256
LARGE = 20_000  #: entries of an input from which on 8 samples to calibrate with have to do
MOST_SECONDS = 7200


def main() -> None:
    if len(sys.argv) == 5 and sys.argv[1] == "--one":
        print(json.dumps(measure(Path(sys.argv[2]), Path(sys.argv[3]), compare=sys.argv[4] == "compare")))
        return
    from onnx2snn.training.data import default_data

    data = Path(sys.argv[1]) if len(sys.argv) > 1 else default_data(ROOT.parent)
    files = sorted((data / "onnx").glob("*/*.onnx"))
    if not files:
        sys.exit(f"{data / 'onnx'}: ONNX files expected, found none")
    part = sys.argv[2] if len(sys.argv) > 2 else ""
    rows: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))["models"] if part else {}
    for path in (path for path in files if part in path.name):
        rows[f"{path.parent.name}/{path.name}"] = row = run(path, data, "compare")
        print(f"{path.parent.name}/{path.name}: {json.dumps(row)}", file=sys.stderr)
        found = {"command": "python benchmarks/real_models.py", "seed": 0, "models": rows}
        RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def run(path: Path, data: Path, how: str) -> dict[str, Any]:
    """One file in a process of its own; once more without the comparison where that is too much for the machine."""
    command = [sys.executable, __file__, "--one", str(path), str(data), how]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=MOST_SECONDS)
        code, error = done.returncode, done.stderr
    except subprocess.TimeoutExpired:
        code, error, done = -1, f"not done after {MOST_SECONDS} s", None
    if done is not None and not code:
        return json.loads(done.stdout.splitlines()[-1])
    if code < 0 and how == "compare":
        why = error.strip() or "out of memory"
        return {**run(path, data, "convert"), "not_compared": why}
    return {"failed": (error.strip() or "out of memory").splitlines()[-1]}


def measure(path: Path, data: Path, compare: bool) -> dict[str, Any]:
    """What `main` reports of one file; `compare`: run the network as well."""
    import onnxruntime  # noqa: F401  what is imported does not count as memory of the conversion
    import onnxscript.optimizer  # noqa: F401

    import onnx2snn
    from onnx2snn.errors import Onnx2SnnError

    before = peak()
    start = time.perf_counter()
    inspection = onnx2snn.inspect(path)
    row: dict[str, Any] = {
        "dialects": sorted({node.dialect for node in inspection.nodes if node.dialect}),
        "nodes": dict(Counter(node.kind or "not judged" for node in inspection.nodes)),
    }
    calibrated = not inspection.ok
    try:
        x, count, kind = samples(path, data)
        row |= {"inputs": kind, "samples": count}
        how = onnx2snn.Calibration(method="mse", levels=31)
        given = {"calibrate": x[count:], "calibration": how} if calibrated else {}
        conversion = onnx2snn.convert(path, code="st-bif", **given)
        network = conversion.network
    except Onnx2SnnError as error:
        return {**row, "converted": False, "reason": str(error)}
    row |= {"converted": True, "calibrated": calibrated, "seconds": round(time.perf_counter() - start, 2)}
    row["peak_mb"] = round((peak() - before) / 1024, 1)
    row |= {"steps": network.schedule.steps, "arithmetic": "integer" if network.integer else "float"}
    row["certificate"] = f"{network.certificate.proven} of {network.certificate.breakpoints}"
    row["proven_exact"] = network.certificate.exact
    if not compare:
        return row
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "x.npz", x=x[:count])
        conversion.save(Path(folder) / "net")
        return {**row, **parity(onnx2snn.verify(path, Path(folder) / "net", Path(folder) / "x.npz"))}


def parity(found: Any) -> dict[str, Any]:
    """The measured comparison in a few numbers; `rounding`: counts that float64 decides as the network does."""
    measured = found.parity
    layers = measured.layers
    return {
        "argmax_agreement": measured.argmax_agreement,
        "largest_output_error": measured.largest_output_error,
        "counts": sum(layer.counts for layer in layers),
        "differing": sum(layer.cumulative for layer in layers),
        "rounding": sum(layer.rounding for layer in layers),
        "largest_count_difference": max((layer.worst for layer in layers), default=0),
        "ticks": measured.steps,
        "findings": list(found.findings),
    }


def samples(path: Path, data: Path) -> tuple[np.ndarray, int, str]:
    """Inputs in the model's own layout, how many are to compare with (the rest calibrates), and what they are."""
    from onnx2snn.errors import Onnx2SnnError
    from onnx2snn.frontends.onnx import read_onnx
    from onnx2snn.ir.ops import Encoder, Input
    from onnx2snn.passes import STAIRCASES, run_passes

    graph = read_onnx(path).graph
    shape = graph.shape(graph.of(Input)[0].name)
    compared = SAMPLES
    count = compared + (8 if int(np.prod(shape)) > LARGE else CALIBRATION)
    random = np.random.default_rng(0)
    if shape == (1, 28, 28) and "mnist" in path.name.lower():
        from onnx2snn.training.data import arrays, load

        images, _ = arrays(load("mnist", data).test, count)
        raw = "Input3" in {node.origin.tensor for node in graph.of(Input)} or path.parent.name.startswith("integer")
        return images * np.float32(255 if raw else 1), compared, "MNIST test images"
    if sorted(shape) == [3, 32, 32]:
        whole = whole_type(path)
        record = np.fromfile(data / "cifar10" / "test_batch_first1000.bin", np.uint8).reshape(-1, 3073)[:count, 1:]
        images = record.reshape(-1, 3, 32, 32).astype(np.float32)
        images = images if shape[0] == 3 else images.transpose(0, 2, 3, 1)
        offset = 0 if whole is None else whole.min
        return images + np.float32(offset), compared, f"CIFAR-10 test images, {offset} to {offset + 255}"
    try:
        encoders = [n.op for n in run_passes(graph, STAIRCASES).of(Encoder) if isinstance(n.op, Encoder)]
    except Onnx2SnnError:  # a float model, refused until it is calibrated
        encoders = []
    if path.parent.name.startswith("integer"):
        return random.integers(0, 256, (count, *shape)).astype(np.float32), compared, "whole numbers from 0 to 255"
    if not encoders:
        return random.normal(0, 1, (count, *shape)).astype(np.float32), compared, "standard normal"
    op = encoders[0]
    low, high = (float(np.max(op.scale)) * end for end in (op.lo, op.hi))
    whole = whole_type(path)
    if whole is not None:
        codes = random.integers(whole.min, whole.max + 1, (count, *shape))
        return codes.astype(np.float32), compared, f"whole numbers from {whole.min} to {whole.max}"
    return random.uniform(low, high, (count, *shape)).astype(np.float32), compared, f"uniform, {low:.4g} to {high:.4g}"


def whole_type(path: Path) -> np.iinfo[Any] | None:
    """The range of the model's input type, where that is an integer one."""
    import onnx

    proto = onnx.load(str(path))
    constants = {tensor.name for tensor in proto.graph.initializer}
    value = next(value for value in proto.graph.input if value.name not in constants)
    kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
    return np.iinfo(kind) if kind.kind in "iu" else None


def peak() -> int:
    """The most memory that this process has held, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
