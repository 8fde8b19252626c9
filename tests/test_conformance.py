"""Every op and code on every backend that can simulate, against the reference; and the staircases themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend, Simulator
from onnx2snn.errors import BackendError, MissingExtraError
from onnx2snn.ir.ops import ALL_OPS, Clip, Staircase
from onnx2snn.passes import STAIRCASES, run_passes
from onnx2snn.plugins import load_backend
from onnx2snn.reference import evaluate, run
from onnx2snn.testing import CASES, ConformanceError, check_case, conformance
from onnx2snn.testing.conformance import lowered, samples

SIMULATED = ("numpy", "torch", "loihi", "tianjic")
EVERYTHING = ("numpy", "torch")


def _backend(name: str):
    try:
        return load_backend(name)
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", SIMULATED)
def test_backend_runs_as_the_reference_does(name: str, tmp_path: Path) -> None:
    outcomes = conformance(_backend(name), tmp_path)
    refused = {outcome.case: outcome.refused for outcome in outcomes if outcome.refused}
    if name in EVERYTHING:
        assert all("cannot hold" in reason or "use --float" in reason for reason in refused.values()), refused
    assert len({o.case for o in outcomes if not o.refused}) >= 5


@pytest.mark.parametrize("code", ["st-bif", "store-and-forward", "ladder"])
@pytest.mark.parametrize("case", CASES)
def test_counts_of_exact_codes_are_the_quantised_networks(case: str, code: str) -> None:
    backend = load_backend("numpy")
    reference = run_passes(CASES[case](), STAIRCASES)
    network = lowered(case, backend, code, "integer")
    x = samples(network)
    truth = evaluate(reference, x)
    found = run(network.graph, x, network.schedule.steps)
    if case != "analog-input":
        assert network.certificate.exact, [v for v in network.certificate.verdicts if v.exactness != "exact"]
    for name, counts in found.counts.items():
        stairs = reference[name].op
        assert isinstance(stairs, Staircase)
        np.testing.assert_array_equal(counts, np.rint(truth[name] / stairs.scale))
    for output, name in zip(found.outputs, reference.outputs, strict=True):
        np.testing.assert_allclose(output, truth[name], atol=1e-9)


def test_cases_show_every_op() -> None:
    backend = load_backend("numpy")
    seen = {type(node.op) for case in CASES.values() for node in case()}
    for case in CASES:
        seen |= {type(node.op) for node in run_passes(CASES[case](), STAIRCASES)}
        signed = case in ("signed-counts", "quantised-output")
        codes = ("st-bif", "store-and-forward", "ladder") if signed else backend.codes
        for code in codes:
            seen |= {type(node.op) for node in lowered(case, backend, code, "integer").graph}
    assert set(ALL_OPS) - seen == {Clip}


@pytest.mark.parametrize("name", ["loihi", "tianjic"])
def test_chips_fold_moves_and_refuse_a_tail(name: str) -> None:
    for case in ("channels-last-flatten", "shuffled-features", "padded-conv"):
        lowered(case, load_backend(name), "if", "integer")
    with pytest.raises(BackendError, match=r"softmax .* stays real-valued behind the readout; cut it off"):
        lowered("softmax-head", load_backend(name), "if", "integer")


def test_a_wrong_simulator_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = load_backend("numpy")
    simulator = type(backend).simulator

    def late(self, folder, manifest):
        return simulator(self, folder, manifest.model_copy(update={"settle": 0, "steps": manifest.steps - 1}))

    monkeypatch.setattr(type(backend), "simulator", late)
    with pytest.raises(ConformanceError, match="counts differ"):
        check_case(backend, "conv-chain", "st-bif", "integer", tmp_path / "x")


def test_a_backend_need_not_be_installed(tmp_path: Path) -> None:
    class Unregistered(Backend):
        name = "unregistered"

        def emit(self, network: Network, folder: Path) -> None:
            (folder / "net.txt").write_text("")

        def simulator(self, folder: Path, manifest: Manifest) -> Simulator:
            return load_backend("numpy").simulator(folder, manifest)

    assert check_case(Unregistered(), "conv-chain", "if", "integer", tmp_path / "x").refused == ""
