"""The neuron update of every code over T steps, as ratios to `if`: what signs, tracers and leaks cost.

    python benchmarks/neurons.py

writes benchmarks/results/neurons.json. `numba` is the compiled loop of the NumPy simulator, where it can be loaded.
Whole numbers in float32, T = 15 steps of random currents of both signs, up to 15 levels; a population that fits a
cache and two that do not. Interleaved, medians of processor time on one thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import torch
from interleaved import ratios

from onnx2snn.backends.numpy.drive import Drive
from onnx2snn.backends.numpy.fused import WORTH, Loop, loop
from onnx2snn.backends.numpy.populations import Population
from onnx2snn.backends.torch import runtime
from onnx2snn.ir.ops import IF, LIF, STBIF, Ladder, Neuron, SignedIF, StoreAndForward

RESULT = Path(__file__).parent / "results" / "neurons.json"
STEPS, LEVELS, THETA = 15, 15, 64
SHAPES = {"4096 neurons": (1, 16, 16, 16), "131072 neurons": (8, 16, 32, 32), "1048576 neurons": (64, 256, 8, 8)}
NUMBERS: dict[str, Any] = {"theta": THETA, "v0": THETA // 2, "bias": 0, "value": 1}
CODES: dict[str, tuple[type[Neuron], dict[str, Any]]] = {
    "if": (IF, {}),
    "signed-if": (SignedIF, {"lo": 0}),
    "lif": (LIF, {"decay": 3686 / 4096}),
    "st-bif": (STBIF, {"hi": LEVELS}),
    "st-bif, ties to even": (STBIF, {"hi": LEVELS, "ties": "even"}),
    "store-and-forward": (StoreAndForward, {"hi": LEVELS, "opens": STEPS}),
    "ladder, 1 step": (Ladder, {"hi": LEVELS}),
}


def ticks_of(code: str) -> tuple[int, int]:
    """Ticks with charge, and in all."""
    if code.startswith("ladder"):
        return 1, 1
    return STEPS, 2 * STEPS if code == "store-and-forward" else STEPS


def numpy_run(code: str, currents: np.ndarray, compiled: Loop | None = None) -> None:
    """The population of the NumPy simulator, or its compiled loop."""
    kind, options = CODES[code]
    op = kind(**{name: np.asarray(value) for name, value in NUMBERS.items()}, **options)
    charged, ticks = ticks_of(code)
    population = Population(op, currents.dtype, currents.shape[1:], ticks, loop=compiled)
    population.advance(Drive(currents.dtype, 0, currents[:charged]), 0, ticks, ticks)


def torch_run(code: str, currents: torch.Tensor) -> None:
    """The layer of the torch runtime."""
    kind, options = CODES[code]
    charged, ticks = ticks_of(code)
    clock = runtime.Clock(steps=charged, settle=ticks - charged, bound=0)
    arrays = {name: torch.tensor(value) for name, value in NUMBERS.items()}
    layer = getattr(runtime, kind.__name__)(**arrays, **options, clock=clock, number=torch.float32)
    with torch.inference_mode():
        layer(runtime.Signal(currents[:charged], still=False))


def main() -> None:
    torch.set_num_threads(1)
    measured: dict[str, Any] = {}
    for name, shape in SHAPES.items():
        currents = np.random.default_rng(0).integers(-THETA, 2 * THETA, (STEPS, *shape)).astype(np.float32)
        loops = {"numpy": None, "numba": loop(WORTH)}
        runs: dict[str, dict[str, Callable[[], None]]] = {
            **{
                backend: {code: partial(numpy_run, code, currents, found) for code in CODES}
                for backend, found in loops.items()
                if found is not None or backend == "numpy"
            },
            "torch": {code: partial(torch_run, code, torch.from_numpy(currents)) for code in CODES},
        }
        rounds = 31 if np.prod(shape) < 1 << 15 else 9
        measured[name] = {backend: ratios(found, "if", rounds, process_time) for backend, found in runs.items()}
    result = {"command": "python benchmarks/neurons.py", "steps": STEPS, "levels": LEVELS, "measured": measured}
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for name, backends in measured.items():
        for backend, found in backends.items():
            print(f"{name}, {backend}: " + ", ".join(f"{code} {entry['ratio']}" for code, entry in found.items()))


if __name__ == "__main__":
    main()
