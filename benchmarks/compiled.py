"""The compiled loop over ticks and neurons (numba, extra `fast`) beside NumPy and C, and what it costs to load.

    python benchmarks/compiled.py

writes benchmarks/results/compiled.json. Populations as in benchmarks/neurons.py; the loop alone beside the same loop
in C (`cc -O3 -march=native -ffp-contract=off`); a LeNet of random whole weights with 4-bit activations, 256 samples,
T = 15 and until silence. Interleaved, medians of processor time on one thread.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from interleaved import ratios
from neurons import CODES, NUMBERS, SHAPES, STEPS, THETA, numpy_run

from onnx2snn.backends.numpy import NumpySimulator, fused
from onnx2snn.backends.numpy.compiled import advance
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Conv, Dense, Encoder, Input, Readout, Reshape, SumPool

RESULT = Path(__file__).parent / "results" / "compiled.json"
SAMPLES = 256
C = """
#include <stdint.h>
#define LOOP(NAME, UP, DOWN) \\
void NAME(int ticks, long size, const float *x, float *v, int16_t *n, const float *theta, int8_t *out) { \\
  for (long a = 0; a < size; a += 2048) for (int t = 0; t < ticks; t++) { \\
    const float *restrict c = x + t * size, *restrict th = theta; int8_t *restrict o = out + t * size; \\
    float *restrict m = v; int16_t *restrict k = n; \\
    long z = a + 2048 < size ? a + 2048 : size; \\
    for (long i = a; i < z; i++) { \\
      float w = m[i] + c[i]; int odd = k[i] & 1; (void) odd; int s = (UP) - (DOWN); \\
      o[i] = s; k[i] += s; m[i] = w - th[i] * (float) s; } } }
LOOP(plain, w >= th[i], 0)
LOOP(even, ((w > th[i]) | (odd & (w == th[i]))) & (k[i] < 15), ((w < 0) | (odd & (w == 0))) & (k[i] > 0))
"""
FIRST = """
import time
start = time.process_time()
from onnx2snn.backends.numpy import drive, populations
import numpy
before = time.process_time()
from onnx2snn.backends.numpy.compiled import advance
loaded = time.process_time()
from onnx2snn.ir.ops import STBIF
one = numpy.asarray(1)
op = STBIF(theta=one, v0=one, bias=one, value=one, hi=3)
x = numpy.ones((2, 1, 8), numpy.float32)
population = populations.Population(op, x.dtype, (1, 8), 2, loop=advance)
population.advance(drive.Drive(x.dtype, 0, x), 0, 2, 2)
print(loaded - before, time.process_time() - loaded)
"""


def loading() -> dict[str, dict[str, float]]:
    """Seconds of processor time to import the loop and to run it first, without and with its cache on disk."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder}

        def process() -> dict[str, float]:
            command = [sys.executable, "-c", FIRST]
            printed = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout
            return dict(zip(("import", "first call"), (round(float(s), 2) for s in printed.split()), strict=True))

        return {"compiled": process(), "from the cache on disk": process()}


def in_c(folder: Path) -> ctypes.CDLL:
    """The C loops, compiled."""
    (folder / "loop.c").write_text(C, encoding="utf-8")
    command = ["cc", "-O3", "-march=native", "-ffp-contract=off", "-shared", "-fPIC", "loop.c", "-o", "loop.so"]
    subprocess.run(command, cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "loop.so"))


def alone(size: int, library: ctypes.CDLL) -> dict[str, Any]:
    """The loops by themselves, as ratios to C."""
    x = np.random.default_rng(0).integers(-THETA, 2 * THETA, (STEPS, 1, size)).astype(np.float32)
    v, n, theta = np.full((1, size), 32, x.dtype), np.zeros((1, size), np.int16), np.full(size, THETA, x.dtype)
    train, fired, part = np.zeros((STEPS, 1, size), np.int8), np.zeros(STEPS, np.int64), np.zeros((1, size), x.dtype)
    block = fused.Block(0, STEPS, 0, 0, STEPS)
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, v, n, theta, train)]
    found: dict[str, Any] = {}
    for code, function in (("if", library.plain), ("st-bif, ties to even", library.even)):
        kind, options = CODES[code]
        op = kind(**{name: np.asarray(value) for name, value in NUMBERS.items()}, **options)
        rule = fused.rule_of(op, x.dtype, n.dtype, 1)
        times = range(max(1, (1 << 18) // size))
        runs: dict[str, Callable[[], object]] = {
            "C": lambda f=function, times=times: [f(STEPS, ctypes.c_long(size), *pointers) for _ in times],
            "numba": lambda r=rule, times=times: [
                advance(r, block, v, theta, n, x, (part, part), train, fired) for _ in times
            ],
        }
        found[code] = ratios(runs, "C", 15, process_time)["numba"]["ratio"]
    return found


def lenet(code: str) -> Graph:
    """LeNet-5 for 28 x 28 images: random whole weights of 4 bits, counts up to 15."""
    random = np.random.default_rng(0)
    graph = Graph()
    at = graph.add("x", Input(shape=(1, 28, 28)))
    at = graph.add(
        "encoder", Encoder(scale=np.asarray(1 / 15), lo=0, hi=15, rounding="half-even", value=np.asarray(1)), (at,)
    )
    kind, options = CODES[code]

    def fire(name: str, source: str, theta: int) -> str:
        numbers = {"theta": theta, "v0": theta // 2, "bias": 0, "value": 1}
        return graph.add(name, kind(**{key: np.asarray(value) for key, value in numbers.items()}, **options), (source,))

    pool = SumPool(kernel=(2, 2), strides=(2, 2), pads=(0,) * 4, dilations=(1, 1))
    for name, shape, theta, pads in (("one", (6, 1, 5, 5), 24, 2), ("two", (16, 6, 5, 5), 128, 0)):
        weight = random.integers(-6, 8, shape)
        conv = Conv(weight=weight, groups=1, strides=(1, 1), pads=(pads,) * 4, dilations=(1, 1))
        at = fire(f"fire_{name}", graph.add(f"conv_{name}", conv, (at,)), theta)
        at = graph.add(f"pool_{name}", pool, (at,))
    at = graph.add("flat", Reshape(shape=(400,)), (at,))
    for name, shape, theta in (("three", (120, 400), 256), ("four", (84, 120), 64)):
        at = fire(f"fire_{name}", graph.add(f"dense_{name}", Dense(weight=random.integers(-6, 8, shape)), (at,)), theta)
    at = graph.add("dense", Dense(weight=random.integers(-6, 8, (10, 84))), (at,))
    graph.outputs = (graph.add("out", Readout(scale=np.ones(10), bias=np.zeros(10)), (at,)),)
    return graph


def whole(code: str) -> dict[str, Any]:
    """The LeNet with NumPy and with numba; that both give the same is checked on the way."""
    simulator = NumpySimulator(lenet(code), STEPS)
    x = np.random.default_rng(1).random((SAMPLES, 1, 28, 28)).astype(np.float32)

    def run(switch: str) -> Any:
        os.environ[fused.SWITCH] = switch
        return simulator.run(x)

    slow, fast = run("0"), run("1")
    assert slow.spikes == fast.spikes
    np.testing.assert_array_equal(slow.output, fast.output)
    found = ratios({"numpy": lambda: run("0"), "numba": lambda: run("1")}, "numpy", 9, process_time)
    return found | {"steps": slow.steps, "neuron_updates": SAMPLES * simulator.plan.neurons * slow.steps}


def main() -> None:
    populations: dict[str, Any] = {}
    for name, shape in SHAPES.items():
        currents = np.random.default_rng(0).integers(-THETA, 2 * THETA, (STEPS, *shape)).astype(np.float32)
        populations[name] = {}
        for code in (code for code in CODES if not code.startswith("ladder")):
            runs = {"numpy": partial(numpy_run, code, currents), "numba": partial(numpy_run, code, currents, advance)}
            populations[name][code] = ratios(runs, "numpy", 31 if np.prod(shape) < 1 << 15 else 9, process_time)
    with tempfile.TemporaryDirectory() as folder:
        library = in_c(Path(folder))
        beside_c = {name: alone(int(np.prod(shape)), library) for name, shape in SHAPES.items()}
    result = {
        "command": "python benchmarks/compiled.py",
        "seconds_to_load": loading(),
        "populations": populations,
        "loop_alone_as_ratio_to_c": beside_c,
        "lenet": {code: whole(code) for code in ("if", "signed-if", "st-bif", "st-bif, ties to even")},
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
