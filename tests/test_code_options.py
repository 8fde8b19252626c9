"""How a code is asked for, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from code_neurons import whole
from emitted_model import emitted_model

from onnx2snn.backends.torch import TorchBackend
from onnx2snn.errors import BackendError, UsageError
from onnx2snn.flow.conversion.options import Options
from onnx2snn.ir.ops import Ladder
from onnx2snn.passes import MapNeurons
from onnx2snn.passes.text import parse_recipe, print_recipe
from onnx2snn.plugins import load_backend
from onnx2snn.reference import run, settle_bound
from onnx2snn.testing.conformance import lowered, samples


def test_the_pass_prints_and_parses_its_leak() -> None:
    text = 'map-neurons{code="lif", decay=0.75, reset="zero"}'
    (step,) = parse_recipe(text)
    assert step == MapNeurons(code="lif", decay=0.75, reset="zero")
    assert print_recipe((step,)) == text
    assert parse_recipe('map-neurons{code="lif", decay=1}') == (MapNeurons(code="lif", decay=1.0),)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"code": "ladder", "steps": 2}, "steps: code ladder runs in one step"),
        ({"code": "ladder", "settle": 3}, "settle: code ladder is done after its one step"),
        ({"passes": 'map-neurons{code="ladder"}', "steps": 7}, "steps: code ladder runs in one step"),
        ({"code": "lif", "decay": 1.5}, "decay: a number from 0 to 1 expected, found 1.5"),
        ({"code": "lif", "reset": "none"}, "reset: subtract or zero expected, found 'none'"),
        ({"code": "if", "decay": 0.5}, "decay, reset: go with code lif"),
        ({"reset": "zero"}, "decay, reset: go with code lif"),
    ],
)
def test_what_a_code_cannot_do_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Options(**options)


def test_the_pass_refuses_the_same() -> None:
    with pytest.raises(UsageError, match="steps 1 expected, found 3"):
        MapNeurons(code="ladder", steps=3)
    with pytest.raises(UsageError, match="which alone leaks; found code st-bif"):
        MapNeurons(decay=0.5)


@pytest.mark.parametrize("name", ["loihi", "tianjic", "nir"])
@pytest.mark.parametrize("code", ["store-and-forward", "st-bif", "lif"])
def test_backends_refuse_codes_that_they_cannot_run(name: str, code: str) -> None:
    if (name, code) == ("loihi", "lif"):
        return
    with pytest.raises(BackendError, match=f"backend {name} cannot run code {code}; it runs: .*if$"):
        lowered("conv-chain", load_backend(name), code, "integer")


@pytest.mark.parametrize("steps", [1, 15])
def test_a_ladder_has_one_step_whatever_the_levels(steps: int) -> None:
    network = lowered("conv-chain", load_backend("numpy"), "ladder", "integer")
    assert (network.schedule.steps, network.schedule.settle) == (1, 0)
    assert settle_bound(network.graph, steps) == 0


@pytest.mark.parametrize("code", ["store-and-forward", "ladder", "lif"])
@pytest.mark.parametrize("arithmetic", ["integer", "float"])
def test_the_standalone_file_runs_as_the_reference(
    code: str, arithmetic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    made = lowered("residual-add-of-unequal-scales", TorchBackend(), code, arithmetic)
    x = samples(made)
    TorchBackend().emit(made, tmp_path)
    net = emitted_model(tmp_path, monkeypatch).Net.load(tmp_path)
    found = net(torch.from_numpy(x.astype(np.float64))).detach().numpy()
    expected = run(made.graph, x, made.schedule.steps, made.schedule.settle)
    np.testing.assert_allclose(found, expected.output, rtol=0, atol=1e-9)
    assert (net.steps, net.spikes) == (expected.steps, expected.spikes)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(net.counts[name].numpy(), counts)


def test_signals_of_many_units_are_wider_than_a_byte() -> None:
    x = np.array([[1000, -1000, 300]])
    for lo, hi, kind in ((-100, 27, np.int8), (-100, 28, np.int16), (0, 1 << 15, np.int32)):
        op = whole(Ladder, 2, 0, lo=lo, hi=hi)
        from onnx2snn.backends.numpy.drive import Drive
        from onnx2snn.backends.numpy.populations import Population

        population = Population(op, np.dtype(np.int64), x.shape, 1)
        train = population.advance(Drive(x.dtype, 0, x[None]), 0, 1, 1)
        assert train.dtype == kind
        np.testing.assert_array_equal(train[0], np.clip(x // 2, lo, hi))
        assert population.spikes == int(np.abs(train).sum())
