"""The conformance suite: does a backend's simulator run every network exactly as the reference does?

A plugin's own test needs three lines:

    from onnx2snn.testing import conformance
    def test_conformance(tmp_path):
        assert conformance(MyBackend(), tmp_path)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from onnx2snn.artifact import Network, Source, read_manifest
from onnx2snn.backends.base import Backend
from onnx2snn.errors import BackendError, Onnx2SnnError, PassError
from onnx2snn.flow.conversion.convert import Conversion
from onnx2snn.flow.conversion.options import Options
from onnx2snn.flow.conversion.write import save
from onnx2snn.reference import Run, run
from onnx2snn.testing.cases import CASES

SAMPLES = 6


class ConformanceError(Onnx2SnnError):
    """A simulator that does not do what the reference does."""


@dataclass(frozen=True)
class Outcome:
    """One case: `refused` is the backend's own reason, or "" where it ran and was equal in every count."""

    case: str
    code: str
    arithmetic: str
    refused: str = ""


def conformance(backend: Backend, folder: Path) -> list[Outcome]:
    """Tries every case with every code and arithmetic of a backend; raises `ConformanceError` at the first difference.

    A network may be refused, with a reason, but at least one must run.
    """
    outcomes = [
        check_case(backend, case, code, arithmetic, folder / f"{case}-{code}-{arithmetic}")
        for case in CASES
        for code in backend.codes
        for arithmetic in backend.arithmetic
    ]
    if all(outcome.refused for outcome in outcomes):
        raise ConformanceError(f"backend {backend.name} refuses every network: {outcomes[0].refused}")
    return outcomes


def check_case(backend: Backend, case: str, code: str, arithmetic: str, folder: Path) -> Outcome:
    """Converts one case, writes and reads the artifact, and compares its run with the reference's."""
    try:
        network = lowered(case, backend, code, arithmetic)
    except (BackendError, PassError) as error:
        return Outcome(case, code, arithmetic, str(error))
    save(network, backend, folder, force=True)
    manifest = read_manifest(folder)
    problems = backend.audit(network, folder)
    if problems:
        raise ConformanceError(f"{backend.name}, {case}: {'; '.join(problems)}")
    x = samples(network)
    expected = run(network.graph, x, network.schedule.steps, network.schedule.settle)
    compare(backend.simulator(folder, manifest).run(x), expected, f"{backend.name}, {case}, {code}, {arithmetic}")
    return Outcome(case, code, arithmetic)


def lowered(case: str, backend: Backend, code: str, arithmetic: str) -> Network:
    """A case as `backend` takes it."""
    options = Options(code=code, integer=arithmetic == "integer")
    return Conversion(CASES[case](), Source("case.onnx", "0" * 64), options).lower(backend)


def samples(network: Network) -> np.ndarray:
    """Random input in [0, 1), the same every time."""
    return np.random.default_rng(1).random((SAMPLES, *network.input_shape)).astype(np.float32)


def compare(found: Run, expected: Run, where: str) -> None:
    """Raises `ConformanceError` unless every count is equal and every output is to 1e-5 of its size."""
    if set(found.counts) != set(expected.counts):
        raise ConformanceError(f"{where}: populations {sorted(expected.counts)} expected, found {sorted(found.counts)}")
    for name, counts in expected.counts.items():
        wrong = int((found.counts[name] != counts).sum())
        if wrong:
            raise ConformanceError(f"{where}, {name}: {wrong} of {counts.size} counts differ")
    if len(found.outputs) != len(expected.outputs):
        raise ConformanceError(f"{where}: {len(expected.outputs)} outputs expected, found {len(found.outputs)}")
    for index, (ours, truth) in enumerate(zip(found.outputs, expected.outputs, strict=True)):
        size = max(1.0, float(np.abs(truth).max()))
        error = float(np.abs(ours - truth).max())
        if error > 1e-5 * size:
            raise ConformanceError(f"{where}: output {index} differs by {error:.3g}")
