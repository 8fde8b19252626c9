"""Out through the `nir` backend, back in through the NIR frontend: the same counts. And what is proven on the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command import onnx2snn
from hypothesis import given
from hypothesis import strategies as st

nir = pytest.importorskip("nir", reason="needs the extra nir")

from nir_files import cuba, ends, integrate_and_fire, lif, spikes, synapse, write  # noqa: E402
from nir_interpreter import convert as to_nir  # noqa: E402

from onnx2snn import convert, simulate, verify  # noqa: E402
from onnx2snn.backends.nir import FILE  # noqa: E402
from onnx2snn.flow.conversion.write import save  # noqa: E402
from onnx2snn.flow.opening import open_artifact  # noqa: E402
from onnx2snn.ir import Array, Graph  # noqa: E402
from onnx2snn.ir.ops import Encoder, Neuron  # noqa: E402
from onnx2snn.plugins import load_backend  # noqa: E402
from onnx2snn.reference import apply, run  # noqa: E402
from onnx2snn.testing.strategies import inputs, networks  # noqa: E402

MODEL = Path("onnx2snn/demo/digits.onnx")


def encoded(graph: Graph, x: Array) -> Array:
    encoders = graph.of(Encoder)
    return apply(encoders[0].op, x.astype(np.float64)) if encoders else x.astype(np.float64)


@given(st.data())
def test_a_network_goes_out_and_comes_back_with_every_count(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Few-bit scales and a power of two of steps: every sum is exact, so all counts are equal."""
    trained = data.draw(networks(dyadic=True, plain=True))
    network = to_nir(trained, steps=data.draw(st.sampled_from([1, 4, 16])))
    folder = tmp_path_factory.mktemp("round")
    save(network, load_backend("nir"), folder / "net")
    x = data.draw(inputs(trained))
    expected = run(network.graph, x, network.schedule.steps, 0)

    found = open_artifact(folder / "net").simulator().run(x)
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts, err_msg=name)
    np.testing.assert_allclose(found.output, expected.output, rtol=1e-12, atol=1e-12)

    if not network.neurons:
        return
    back = convert(folder / "net" / FILE, integer=False)  # whole numbers read a real-valued input to 2^-16 of a step
    assert (back.network.code, back.network.schedule.steps) == ("if", network.schedule.steps)
    again = run(back.network.graph, encoded(network.graph, x) / network.schedule.steps, network.schedule.steps, 0)
    assert [c.tolist() for c in again.counts.values()] == [c.tolist() for c in expected.counts.values()]


# -- whole numbers ----------------------------------------------------------------------------------------------------


def trained(folder: Path, scale: float, theta: float, bias: float = 0.0, seed: int = 0) -> Path:
    """Three layers with weights that are whole numbers times `scale`."""
    rng = np.random.default_rng(seed)
    first, last = ends(12, 4)
    codes = rng.integers(-7, 8, (20, 16)), rng.integers(-7, 8, (4, 20))
    nodes = (
        first,
        nir.Linear(rng.normal(size=(16, 12))),
        integrate_and_fire(16),
        nir.Affine(weight=codes[0] * scale, bias=np.full(20, bias)),
        integrate_and_fire(20, theta),
        nir.Linear(codes[1] * scale),
        integrate_and_fire(4, theta),
        last,
    )
    return write(folder / "snn.nir", *nodes, reset="subtract")


@pytest.mark.parametrize(
    ("scale", "theta", "bias"), [(0.25, 1.0, 0.0), (0.25, 1.0, 0.125), (0.125, 0.8125, -0.0625), (0.07, 1.0, 0.0)]
)
def test_whole_weights_times_a_scale_become_whole_numbers_that_spike_at_the_same_steps(
    scale: float, theta: float, bias: float, tmp_path: Path
) -> None:
    path = trained(tmp_path, scale, theta, bias)
    x = np.random.default_rng(3).random((40, 12)).astype(np.float32)
    whole, real = convert(path, steps=16), convert(path, steps=16, integer=False)
    assert whole.network.integer
    certificate = whole.certificate
    for name in ("n4", "n6"):
        verdict = certificate[name]
        assert (verdict.exactness, verdict.proven) == ("exact", verdict.breakpoints), verdict.reason
    assert certificate["n2"].exactness == "analog"
    found, expected = whole.simulate(x), real.simulate(x)
    assert sum(int(c.sum()) for c in expected.counts.values()) > 500
    # the first synapse is read to 2^-16 of a threshold; here no charge comes as near to one
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(found.counts[name], counts, err_msg=name)


def test_what_no_grid_holds_is_called_rounded(tmp_path: Path) -> None:
    """Real weights are rounded, and no more is claimed than that a count lies between 0 and T."""
    first, last = ends(3, 2)
    weight = np.random.default_rng(0).normal(size=(2, 2))
    nodes = nir.Linear(np.ones((2, 3))), integrate_and_fire(2), nir.Linear(weight), integrate_and_fire(2)
    path = write(tmp_path / "r.nir", first, *nodes, last, reset="subtract")
    found = convert(path, steps=8, integer=True).certificate["n4"]
    assert (found.exactness, found.bound) == ("bounded", 8)
    assert "its weights are not the model's own" in found.reason


def test_settle_steps_are_not_proven(tmp_path: Path) -> None:
    found = convert(trained(tmp_path, 0.25, 1.0), steps=16, settle=2).certificate["n4"]
    assert (found.exactness, found.proven) == ("bounded", 0)
    assert "2 settle steps" in found.reason


def test_real_weights_can_be_rounded_first(tmp_path: Path) -> None:
    """Eight bits a weight, as for any model: from then on whole numbers, whose proof is of the rounded network."""
    from onnx2snn import Calibration

    first, last = ends(12, 4)
    weights = (np.random.default_rng(i).normal(size=shape) for i, shape in enumerate([(16, 12), (20, 16), (4, 20)]))
    layers = [node for w in weights for node in (nir.Linear(w), integrate_and_fire(len(w), 1.5))]
    path = write(tmp_path / "r.nir", first, *layers, last, reset="subtract")
    found = convert(path, steps=8, calibration=Calibration(weight_bits=8))
    assert found.network.integer
    assert found.certificate["n4"].exactness == "exact"
    assert len(found.certificate.approximations) == 3
    found.save(tmp_path / "chip", backend="tianjic")
    assert verify(path, tmp_path / "chip").ok


def test_weights_that_need_no_rounding_leave_the_network_what_it_is(tmp_path: Path) -> None:
    """Whole numbers of four bits, rounded to eight: nothing was changed, and nothing says so."""
    (first, last), rng, data = ends(12, 4), np.random.default_rng(0), tmp_path / "x.npz"
    codes = rng.integers(-7, 8, (20, 12)), rng.integers(-7, 8, (4, 20))
    layers = [node for w in codes for node in (nir.Linear(0.25 * w), integrate_and_fire(len(w)))]
    path = write(tmp_path / "whole.nir", first, *layers, last, reset="subtract")
    np.savez(data, x=rng.random((4, 12)).astype(np.float32))
    words = "convert", path, "--steps", 8, "--weight-bits"
    made = onnx2snn(*words, 8, "-o", tmp_path / "same")
    assert "nothing to round: no weight takes more than 8 bits" in made.err
    assert "rounded" not in made.out
    assert "calibrated" not in made.out
    assert "network with its weights rounded" not in onnx2snn("verify", path, tmp_path / "same", "--data", data).out
    made = onnx2snn(*words, 2, "-o", tmp_path / "less")
    assert "nothing to round" not in made.err
    assert "the trained spiking network with its weights rounded" in made.out


@pytest.mark.parametrize("scale", [0.25, 0.07])
def test_a_changed_threshold_is_found(scale: float, tmp_path: Path) -> None:
    """The proof fails where the tables are others."""
    from dataclasses import replace

    from onnx2snn.analysis.imported import certify_imported
    from onnx2snn.passes import run_passes
    from onnx2snn.passes.text import parse_recipe

    conversion = convert(trained(tmp_path, scale, 1.0), steps=16)
    network = conversion.network
    reference = run_passes(conversion.ann, parse_recipe(network.staircase_passes))
    graph = network.graph.copy()
    op = graph["n4"].op
    assert isinstance(op, Neuron)
    graph.replace("n4", replace(op, theta=op.theta + max(1, int(op.theta.max()) >> 3)))
    found = certify_imported(reference, graph, 16, 0)
    assert found["n4"].exactness == "bounded"
    assert found["n4"].proven < found["n4"].breakpoints
    assert found["n6"].exactness == "exact"


@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 8]), st.sampled_from([0.25, 0.1, 1 / 3]))
def test_proven_neurons_spike_at_the_very_steps(seed: int, steps: int, unit: float) -> None:
    """Spikes that arrive in any order: brute force, step by step in fractions."""
    from fractions import Fraction

    from onnx2snn.analysis.timing import Steady, spike_alike

    rng = np.random.default_rng(seed)
    theta, v0, bias = (Fraction(int(rng.integers(low, 40)), 16) for low in (1, -20, -8))
    shift = int(rng.integers(0, 5))
    grid = Fraction(1 << shift) / Fraction(unit)
    ints = [round(n * grid) for n in (theta, v0, bias)]
    ints[0] = max(1, ints[0])
    real = Steady(*(np.array([float(n)]) for n in (Fraction(unit), theta, v0, bias)))
    whole = Steady(*(np.array([n]) for n in (1 << shift, *ints)))
    low, high = np.array([-6 * steps]), np.array([6 * steps])
    proven = spike_alike(real, whole, low, high, steps)[0] == steps
    alike = True
    for _ in range(60):
        arriving = rng.integers(-6, 7, steps)
        one, other = v0, ints[1]
        for a in arriving:
            one, other = one + int(a) * Fraction(unit) + bias, other + (int(a) << shift) + ints[2]
            alike &= (one >= theta) == (other >= ints[0])
            one, other = one - theta * (one >= theta), other - ints[0] * (other >= ints[0])
            if not alike:
                break
    assert alike or not proven


# -- chips, and the commands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numpy", "loihi", "tianjic"])
def test_a_trained_network_gets_tables_and_a_proof(backend: str, tmp_path: Path) -> None:
    path = trained(tmp_path, 0.25, 1.0)
    convert(path, steps=16).save(tmp_path / "out", backend=backend)
    x = np.random.default_rng(5).random((30, 12)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    found = verify(path, tmp_path / "out", tmp_path / "x.npz")
    assert found.ok, found.findings
    assert found.imported
    assert found.certificate["n4"].exactness == "exact"
    assert found.parity is not None
    wrong = sum(layer.cumulative for layer in found.parity.layers)
    # the host reads the first layer's currents to 2^-16 of a threshold, on Loihi to 2^-11: counts may differ by those
    assert wrong <= (0.02 * sum(layer.counts for layer in found.parity.layers) if backend == "loihi" else 0)
    assert simulate(tmp_path / "out", tmp_path / "x.npz").steps >= 16


def test_the_torch_backend_runs_a_leaky_one(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra torch")
    first, last = ends(3, 2)
    nodes = nir.Linear(np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -0.5]])), lif(2, 0.75)
    path = write(tmp_path / "l.nir", first, *nodes, last)
    convert(path, steps=9).save(tmp_path / "out", backend="torch")
    x = np.random.default_rng(0).random((6, 3)).astype(np.float32)
    current = np.repeat((x.astype(float) @ nodes[0].weight.T)[None], 9, axis=0)
    found = open_artifact(tmp_path / "out").simulator().run(x)
    np.testing.assert_array_equal(found.counts["n2"], spikes(current, 0.75, 1.0, "zero").sum(axis=0))


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("integer", [False, True])
def test_a_synaptic_current_is_saved_and_verified(backend: str, integer: bool, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the extra torch")
    first, last = ends(3, 2)
    nodes = nir.Linear(np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -0.5]])), cuba(2, 0.5, 0.75, 3.0)
    path = write(tmp_path / "l.nir", first, *nodes, last)
    convert(path, steps=9, integer=integer).save(tmp_path / "out", backend=backend)
    x = np.random.default_rng(0).random((6, 3)).astype(np.float32)
    np.savez(tmp_path / "x.npz", x=x)
    current = synapse(np.repeat((x.astype(float) @ nodes[0].weight.T)[None], 9, axis=0), 0.5)
    counts = spikes(current, 0.75, 3.0, "zero").sum(axis=0)
    found = open_artifact(tmp_path / "out").simulator().run(x)
    np.testing.assert_array_equal(found.counts["n2"], counts)
    assert counts.sum() > 5
    verified = verify(path, tmp_path / "out", tmp_path / "x.npz")
    assert verified.ok, verified.findings
    assert verified.certificate["n2"].exactness == "analog"


def test_another_reading_is_another_network(tmp_path: Path) -> None:
    """The manifest says how the file was read, and verification reads it so again."""
    first, last = ends(3, 2)
    path = write(tmp_path / "l.nir", first, nir.Linear(np.ones((2, 3))), lif(2, 0.75), last)
    manifest = convert(path, steps=4, reset="subtract", integrator="exponential").save(tmp_path / "out")
    assert manifest.reading == 'nir{dt=0.0001, reset="subtract", integrator="exponential"}'
    assert manifest.reset == "subtract"
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).random((9, 3)).astype(np.float32))
    found = verify(path, tmp_path / "out", tmp_path / "x.npz")
    assert found.ok
    assert found.parity is not None
    assert found.parity.layers[0].cumulative == 0


def test_the_command_line_from_end_to_end(tmp_path: Path) -> None:
    path = trained(tmp_path, 0.25, 1.0)
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).random((4, 12)).astype(np.float32))
    out = str(tmp_path / "out")
    done = onnx2snn("convert", str(path), "-o", out, "--steps", "8", "--dt", "0.001", "--json")
    assert done.code == 0, done.err
    assert done.json["reading"].startswith("nir{dt=0.001")
    assert "--dt 0.001" in done.json["command"]
    done = onnx2snn("verify", str(path), out, "--data", str(tmp_path / "x.npz"))
    assert done.code == 0, done.err
    assert "not proven to spike as the trained spiking network does" in done.out
    assert "measured against the trained spiking network in float64 on 4 samples" in done.out
    assert onnx2snn("inspect", str(path)).code == 0
    done = onnx2snn("verify", str(path), out, "--data", str(tmp_path / "x.npz"), "--diagnose")
    assert (done.code, "no staircases to miss" in done.err) == (2, True)


def test_samples_of_the_model_are_divided_by_the_steps(tmp_path: Path) -> None:
    """A file takes the current of one step, which `convert` says."""
    samples = np.load("onnx2snn/demo/digits.npz")
    x, y = samples["x"][:100], samples["y"][:100]
    convert(MODEL, code="if").save(tmp_path / "out", backend="nir")
    done = onnx2snn("convert", str(tmp_path / "out" / "network.nir"), "-o", str(tmp_path / "back"))
    assert "a sample is the current of one step, held for 15 steps" in done.out
    back = open_artifact(tmp_path / "back").simulator()
    right = [float((back.run(part).output.argmax(1) == y).mean()) for part in (x / 15, x)]
    assert right[0] > 0.9 > 0.5 > right[1]


def test_verify_runs_the_exported_file_itself(tmp_path: Path) -> None:
    """A threshold changed in the file alone shows in the counts, not only in the audit."""
    samples = np.load("onnx2snn/demo/digits.npz")
    np.savez(tmp_path / "x.npz", x=samples["x"][:20], y=samples["y"][:20])
    convert(MODEL, code="if").save(tmp_path / "out", backend="nir")
    found = verify(MODEL, tmp_path / "out", tmp_path / "x.npz")
    assert found.ok
    assert found.parity is not None
    numpy = convert(MODEL, code="if", integer=False).simulate(samples["x"][:20])
    back = open_artifact(tmp_path / "out").simulator().run(samples["x"][:20])
    for name, counts in numpy.counts.items():
        assert float((back.counts[name] == counts).mean()) > 0.999, name
