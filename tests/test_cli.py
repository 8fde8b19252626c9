"""The command line as people and scripts use it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import one_line, onnx2snn
from models import ModelBuilder, lenet, residual

from onnx2snn.flow.conversion.calibration import LEVELS
from onnx2snn.frontends.onnx import RULES, OnnxRuntime

DEMO = Path(str(files("onnx2snn"))) / "demo"
MODEL, DATA = DEMO / "digits.onnx", DEMO / "digits.npz"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_inspect_prints_a_summary_first() -> None:
    result = onnx2snn("inspect", MODEL)
    assert result.code == 0
    assert result.out.splitlines()[0] == "28 nodes: 28 exact; T = 15 + settle (at most 45)"


def test_inspect_json() -> None:
    found = onnx2snn("inspect", MODEL, "--json").json
    rows = {row["node"]: row for row in found["nodes"]}
    assert rows["/act1/DequantizeLinear"]["bits"] == 4
    assert rows["/act1/DequantizeLinear"]["class"] == "exact"
    assert (rows["/conv1/Conv"]["low"], rows["/conv1/Conv"]["high"]) == (-7, 7)
    assert found["steps"]["if"] == "15"
    assert found["problems"] == []


def test_verify_says_the_order_of_its_arguments_where_they_are_swapped(tmp_path: Path) -> None:
    assert onnx2snn("convert", MODEL, "-o", tmp_path / "net").code == 0
    one_line(onnx2snn("verify", tmp_path / "net", MODEL), "found a folder", "verify MODEL FOLDER, in this order")


def test_verify_names_the_file_that_is_gone(tmp_path: Path) -> None:
    assert onnx2snn("convert", DEMO / "digits.onnx", "-o", tmp_path / "net").code == 0
    (tmp_path / "net" / "arrays.safetensors").unlink()
    one_line(onnx2snn("verify", DEMO / "digits.onnx", tmp_path / "net"), "arrays.safetensors is missing")


@pytest.mark.parametrize("backend", ["numpy", "torch", "loihi", "tianjic"])
def test_convert_simulate_verify(backend: str, tmp_path: Path) -> None:
    if backend == "torch":
        pytest.importorskip("torch", reason="the torch extra is not installed")
    folder, out = tmp_path / "net", tmp_path / "out.npz"
    converted = onnx2snn("convert", MODEL, "-o", folder, "--backend", backend, "--json")
    assert converted.code == 0, converted.err
    assert converted.json["backend"] == backend
    assert json.loads((folder / "manifest.json").read_text()).items() <= converted.json.items()
    simulated = onnx2snn("simulate", folder, "--data", DATA, "--save", out, "--json")
    assert simulated.code == 0, simulated.err
    assert simulated.json["accuracy"] > 0.95
    with np.load(out) as saved:
        assert saved["output"].shape == (360, 10)
        assert int(saved["steps"]) == simulated.json["steps"]
    verified = onnx2snn("verify", MODEL, folder, "--data", DATA, "--json")
    assert verified.code == 0, verified.out
    assert verified.json["parity"]["argmax_agreement"] > 0.95
    if converted.json["code"] == "st-bif":
        assert verified.json["certificate"]["exact"]
        assert all(layer["cumulative"] == 0 for layer in verified.json["parity"]["layers"])
        with np.load(out) as saved, np.load(DATA) as data:
            (expected,) = OnnxRuntime(MODEL).run(data["x"]).values()
            np.testing.assert_allclose(saved["output"], expected, atol=1e-4)


@pytest.mark.parametrize("code", ["st-bif", "store-and-forward", "ladder", "signed-if", "if", "lif"])
@pytest.mark.parametrize("arithmetic", ["--integer", "--float"])
def test_codes_and_arithmetic(code: str, arithmetic: str, tmp_path: Path) -> None:
    model = lenet(tmp_path / "lenet.onnx")
    folder, data = tmp_path / "net", tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(0).random((20, 1, 12, 12), np.float32))
    result = onnx2snn("convert", model, "-o", folder, "--code", code, arithmetic, "--json")
    assert result.json["code"] == code
    assert result.json["steps"] == (1 if code == "ladder" else 15)
    assert result.json["settle"] == ("auto" if code in ("st-bif", "store-and-forward") else 0)
    assert result.json["arithmetic"] == arithmetic.strip("-")
    verified = onnx2snn("verify", model, folder, "--data", data, "--json")
    assert verified.code == 0, verified.json["findings"]
    exact = code in ("st-bif", "store-and-forward", "ladder")
    assert verified.json["certificate"]["exact"] == (exact and arithmetic == "--integer")
    first = verified.json["parity"]["layers"][0]
    assert (first["alone"] == first["cumulative"] == 0) == (code != "lif")


def test_steps_and_settle(tmp_path: Path) -> None:
    model = residual(tmp_path / "residual.onnx")
    data = tmp_path / "data.npz"
    np.savez(data, x=np.random.default_rng(0).random((8, 2, 6, 6), np.float32))
    for options, steps in ((("--steps", 7), None), (("--settle", 5), 20), (("--steps", 4, "--settle", "60"), 64)):
        folder = tmp_path / "-".join(map(str, options)).replace("--", "")
        assert onnx2snn("convert", model, "-o", folder, *options).code == 0
        found = onnx2snn("simulate", folder, "--data", data, "--json").json
        assert found["steps"] == steps if steps else found["steps"] > 7
        if steps != 20:
            parity = onnx2snn("verify", model, folder, "--data", data, "--json").json["parity"]
            assert all(layer["cumulative"] == 0 for layer in parity["layers"])


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    onnx2snn("convert", MODEL, "-o", tmp_path / "a")
    onnx2snn("convert", MODEL, "-o", tmp_path / "b")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_passes_option_follows_the_users_recipe(tmp_path: Path) -> None:
    recipe = (
        "fold-batchnorm, insert-staircases, average-to-sum, add-readouts, merge-linear, encode-input, collect-bias, "
        'map-neurons{code="if", steps=15}, make-integer{steps=15}'
    )
    result = onnx2snn(
        "convert", MODEL, "-o", tmp_path / "net", "--passes", recipe, "--print-after-each", "--explain", "--json"
    )
    assert result.json["code"] == "if"
    assert result.json["neuron_passes"] == 'map-neurons{code="if", steps=15}, make-integer'
    assert result.err.count("graph digits {") == 9
    assert "# merge-linear: Merges neighbouring linear ops." in result.err


@pytest.mark.parametrize(
    ("recipe", "lacking", "left"),
    [
        ("fold-batchnorm", "insert-staircases and average-to-sum", "4 Quantise and 1 AveragePool"),
        ("insert-staircases, average-to-sum", "fold-batchnorm", "3 BatchNorm"),
        ('fold-batchnorm, insert-staircases, map-neurons{code="if"}', "average-to-sum", "1 AveragePool"),
    ],
)
@pytest.mark.parametrize("backend", ["numpy", "loihi"])
def test_a_recipe_that_lacks_passes_is_told_which(
    recipe: str, lacking: str, left: str, backend: str, tmp_path: Path
) -> None:
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--passes", recipe, "--backend", backend)
    one_line(result, f"--passes: {lacking} expected in the recipe before map-neurons, found {left} left\n")
    assert result.code == 2


@pytest.mark.parametrize(
    ("op", "recipe", "lacking"),
    [
        ("Softmax", "insert-staircases, encode-input", "add-readouts"),
        ("Sigmoid", "insert-staircases, encode-input", "probe-staircases and unroll-steps"),
    ],
)
def test_a_recipe_that_leaves_real_values_is_told_which_passes_take_them(
    op: str, recipe: str, lacking: str, tmp_path: Path
) -> None:
    m = ModelBuilder(["N", 4])
    x = m.gemm(m.quantise("x"), 4, 4)
    x = m.gemm(m.quantise(m.node("Sigmoid", x)), 4, 3) if op == "Sigmoid" else m.node("Softmax", x, axis=1)
    model = m.save(x, tmp_path / "m.onnx")
    result = onnx2snn("convert", model, "-o", tmp_path / "net", "--passes", recipe)
    expected = f"--passes: {lacking} expected in the recipe before map-neurons, found "
    one_line(result, f"{expected}{op}_1 (", f"from {op} '/{op}_1') real-valued")
    better = recipe.replace("insert-staircases", "insert-staircases, add-readouts")
    if op == "Sigmoid":
        better = "probe-staircases, insert-staircases, unroll-steps, add-readouts, encode-input, collect-bias"
    assert onnx2snn("convert", model, "-o", tmp_path / "net", "--passes", better).code == 0


def test_a_recipe_cannot_help_what_has_no_staircase(tmp_path: Path) -> None:
    m = ModelBuilder(["N", 4])
    x = m.gemm(m.node("Relu", m.gemm(m.quantise("x"), 4, 4)), 4, 3)
    model = m.save(x, tmp_path / "m.onnx")
    result = onnx2snn("convert", model, "-o", tmp_path / "net", "--passes", "insert-staircases, encode-input")
    one_line(
        result, "--passes: left real-valued: Relu_1 (Relu, from Relu '/Relu_1'): a real-valued activation: quantise"
    )


def test_explain_says_what_changed_and_what_was_left(tmp_path: Path) -> None:
    model = lenet(tmp_path / "lenet.onnx")
    result = onnx2snn("convert", model, "-o", tmp_path / "net", "--explain")
    assert "removed BatchNormalization_1; changed Conv_1" in result.err
    assert "changed nothing" in result.err


def test_calibrate_a_float_model(tmp_path: Path) -> None:

    m = ModelBuilder(["N", 1, 8, 8])
    y = m.node("Relu", m.node("Conv", "x", m.constant(m.rng.normal(0, 0.3, (4, 1, 3, 3)))))
    y = m.node("Flatten", y)
    model = m.save(m.node("Gemm", y, m.constant(m.rng.normal(0, 0.1, (5, 144))), transB=1), tmp_path / "float.onnx")
    data = tmp_path / "data.npz"
    np.savez(data, x=m.rng.random((30, 1, 8, 8)).astype(np.float32))
    assert onnx2snn("inspect", model).code == 1
    one_line(onnx2snn("convert", model, "-o", tmp_path / "net"), "Relu_1", "calibrate")
    plain = onnx2snn("convert", model, "-o", tmp_path / "plain", "--calibrate", data).out
    assert "at most 15 counts: computed in real arithmetic, which is not proven: Conv_1 (conv), Relu_1" in plain
    assert " and 2 more\nhow far its answers" in plain, "ops with one reason share a line"
    result = onnx2snn("convert", model, "-o", tmp_path / "net", "--calibrate", data, "--levels", 31, "--json")
    assert result.code == 0, result.err
    assert (result.json["steps"], result.json["arithmetic"], result.json["encoder"]) == (31, "float", "analog")
    verified = onnx2snn("verify", model, tmp_path / "net", "--data", data, "--json")
    assert verified.code == 0, verified.json["findings"]
    assert verified.json["parity"]["argmax_agreement"] > 0.8
    one_line(onnx2snn("verify", MODEL, tmp_path / "net"), "made from another file than digits.onnx (float.onnx)")
    options = ("--calibrate", data, "--quantise-input", 255, "--weight-bits", 8)
    result = onnx2snn("convert", model, "-o", tmp_path / "whole", *options)
    assert "breakpoints proven; equal in every count to the model as calibrated, as approximated below" in result.out
    checked = onnx2snn("verify", model, tmp_path / "whole").out
    assert "equal in every count to the model as calibrated, as approximated below" in checked
    assert onnx2snn("verify", model, tmp_path / "whole", "--json").json["certificate"]["calibrated"]


def test_nothing_to_calibrate_is_said(tmp_path: Path) -> None:
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--calibrate", DATA)
    assert result.code == 0
    assert result.err.strip().endswith("nothing to calibrate: no activation is real-valued")
    again = onnx2snn("convert", MODEL, "-o", tmp_path / "exact", "--calibrate", DATA, "--correct", "v0")
    assert again.err.strip().endswith("no activation is real-valued, and the code needs no correction")


def test_membranes_of_a_quantised_model_are_corrected(tmp_path: Path) -> None:
    words = ("--code", "if", "--calibrate", DATA, "--correct", "v0")
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", *words)
    assert result.code == 0, result.err
    assert "nothing to calibrate" not in result.err
    more = onnx2snn("convert", MODEL, "-o", tmp_path / "more", *words[:-1], "v0,theta", "--levels", 3)
    assert "no activation is real-valued, so that --levels 3, --correct theta changed nothing; v0 did" in more.err
    assert onnx2snn("verify", MODEL, tmp_path / "net", "--data", DATA).code == 0


def test_the_recipe_of_the_docs_is_taken_whole(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "cli.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"`'(fold-batchnorm, [^`]*)'`", page)
    recipe = " ".join(found.split())
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--passes", recipe, "--json")
    assert result.code == 0
    assert (result.json["code"], result.json["arithmetic"]) == ("if", "float")
    assert result.err == "", "a code that was asked for needs no explanation"
    assert onnx2snn("simulate", tmp_path / "net", "--data", DATA, "--json").json["accuracy"] > 0.97
    (cut,) = re.findall(r"(.*), map-neurons", recipe)
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "other", "--passes", cut, "--json")
    assert (result.json["code"], result.json["arithmetic"]) == ("st-bif", "integer")


RECIPE = "fold-batchnorm, insert-staircases, average-to-sum{}, merge-linear, encode-input, collect-bias, map-neurons"


@pytest.mark.parametrize("backend", ["numpy", "loihi", "nir"])
@pytest.mark.parametrize("end", ["", ", make-integer"])
def test_a_recipe_without_readouts_is_refused(end: str, backend: str, tmp_path: Path) -> None:
    recipe = RECIPE.format("") + end
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--passes", recipe, "--backend", backend)
    one_line(result, "--passes: add-readouts expected in the recipe, found output fc2.Gemm (")
    assert result.code == 2


@pytest.mark.parametrize(("backend", "end", "has"), [("nir", ", make-integer", "with"), ("loihi", "", "without")])
def test_a_backend_refuses_a_recipe_in_arithmetic_that_it_has_not(
    backend: str, end: str, has: str, tmp_path: Path
) -> None:
    recipe = RECIPE.format(", add-readouts") + '{code="if"}' + end
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--passes", recipe, "--backend", backend)
    one_line(result, f" only, which make-integer in the recipe decides; found a recipe {has} it")
    assert result.code == 1


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--code", "st-bif"), "--code: map-neurons in --passes names code if, found st-bif"),
        (
            ("--integer",),
            "--integer: beside map-neurons in --passes, make-integer there decides; found a recipe without it",
        ),
    ],
)
def test_options_that_a_recipe_answers_otherwise_are_refused(
    option: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    recipe = RECIPE.format(", add-readouts") + '{code="if"}'
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--passes", recipe, *option)
    one_line(result, message)
    assert result.code == 2


def test_levels_without_samples_are_refused_whatever_their_number(tmp_path: Path) -> None:
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--levels", LEVELS)
    one_line(result, "go with --calibrate DATA.npz; quantisers that are there take --most-levels")
    assert result.code == 2
    assert f"[default: ({LEVELS})]" in onnx2snn("convert", "--help").out


def test_labels_outside_the_classes_leave_no_result(tmp_path: Path) -> None:
    onnx2snn("convert", MODEL, "-o", tmp_path / "net")
    np.savez(tmp_path / "data.npz", x=np.zeros((2, 1, 8, 8), np.float32), y=np.array([0, 10]))
    out = tmp_path / "out.npz"
    one_line(onnx2snn("simulate", tmp_path / "net", "--data", tmp_path / "data.npz", "--save", out), "labels 0 to 9")
    assert not out.exists()


def test_results_overwrite_only_results(tmp_path: Path) -> None:
    onnx2snn("convert", MODEL, "-o", tmp_path / "net")
    out = tmp_path / "out.npz"
    for _ in range(2):
        assert onnx2snn("simulate", tmp_path / "net", "--data", DATA, "--save", out).code == 0
    out.write_bytes(DATA.read_bytes())
    one_line(onnx2snn("simulate", tmp_path / "net", "--data", DATA, "--save", out), "no earlier result")
    assert out.read_bytes() == DATA.read_bytes()


def test_the_python_face_raises_our_errors(tmp_path: Path) -> None:
    from onnx2snn import Calibration, convert
    from onnx2snn.errors import Onnx2SnnError

    samples = np.zeros((2, 1, 8, 8), np.float32)
    wrong: dict[str, list[Any]] = {
        "settle": ["soon", True, np.array([1, 2]), 10**9],
        "steps": [10**9, 0, "7", 7.5],
        "passes": ["x", "map-neurons{steps=99999999}"],
        "calibrate": ["data.npz", samples[0], samples.astype(int), samples.astype(float) + 1e300],
        "calibration": [Calibration(levels=31), Calibration(correct=("bias",))],
        "code": ["x"],
    }
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(Onnx2SnnError, match=r"expected|known"):
                convert(MODEL, **{name: value})
    net = convert(MODEL)
    for x in (np.zeros((2, 3), np.float32), [1.0], np.full((1, 1, 8, 8), np.nan), np.zeros((1, 1, 8, 8), int)):
        with pytest.raises(Onnx2SnnError, match="expected, found"):
            net.simulate(x)  # type: ignore[arg-type]


def test_force_replaces_only_what_we_made(tmp_path: Path) -> None:
    folder = tmp_path / "net"
    onnx2snn("convert", MODEL, "-o", folder)
    one_line(onnx2snn("convert", MODEL, "-o", folder), "--force")
    assert onnx2snn("convert", MODEL, "-o", folder, "--code", "if", "--force").code == 0
    (folder / "notes.txt").write_text("mine")
    before = contents(folder)
    one_line(onnx2snn("convert", MODEL, "-o", folder, "--force"), "not an onnx2snn artifact")
    assert contents(folder) == before


def test_backends_and_passes_are_listed() -> None:
    found = {entry["name"] for entry in onnx2snn("backends", "--json").json["backends"]}
    assert {"numpy", "torch", "loihi", "tianjic", "nir"} <= found
    names = [entry["name"] for entry in onnx2snn("passes", "--json").json["passes"]]
    assert "fold-batchnorm" in names
    assert "make-integer" in onnx2snn("passes").out


def test_backends_are_listed_with_the_chips_that_they_take() -> None:
    found = {entry["name"]: entry["options"] for entry in onnx2snn("backends", "--json").json["backends"]}
    assert found["loihi"] == {"chip": {"default": "loihi1", "choices": ["loihi1", "loihi2"]}}
    assert found["tianjic"]["chip"]["choices"] == ["tianjicx", "tianjic2019"]
    assert found["tianjic"]["weight_bits"] == {"default": 8, "choices": []}
    assert found["numpy"] == {}
    lines = onnx2snn("backends").out.splitlines()
    assert any('chip="loihi1" | "loihi2"' in line for line in lines if line.startswith("loihi"))
    assert any("approximate=false" in line for line in lines if line.startswith("netx"))


def test_demo() -> None:
    result = onnx2snn("demo", "--json")
    assert result.code == 0
    assert result.json["verify"]["certificate"]["exact"]
    assert result.json["accuracy"] > 0.97


def test_chip_says_which_code_it_runs_and_why(tmp_path: Path) -> None:
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--backend", "loihi")
    assert result.code == 0
    assert "code ladder (proven exact) takes" in result.err
    assert "; if (not proven exact) would take 4 cores on 1 chip of loihi1" in result.err
    one_line(onnx2snn("convert", MODEL, "-o", tmp_path / "x", "--backend", "loihi", "--code", "st-bif"), "st-bif")


def test_faithful_files_of_a_network_that_is_not_the_model(tmp_path: Path) -> None:
    """One step for 15 levels: the files say that network, which answers as the model in a third of cases."""
    words = "convert", MODEL, "--backend", "netx", "--steps", 1
    made = onnx2snn(*words, "-o", tmp_path / "one")
    first, *_, last = made.out.splitlines()
    assert first.endswith("; files faithful to the spiking network")
    assert "breakpoints proven; not proven equal to the quantised network: fewer steps than levels\n" in made.out
    assert f"how far its answers are the model's: onnx2snn verify {MODEL} {tmp_path / 'one'} --data" in last
    claimed = onnx2snn(*words, "-o", tmp_path / "two", "--json").json
    assert (claimed["fidelity"], claimed["claim"][:10]) == ("faithful", "not proven")
    exact = onnx2snn("convert", MODEL, "-o", tmp_path / "exact").out
    assert "breakpoints proven; equal to the quantised network in every count, for every input" in exact
    assert "how far" not in exact


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            ("--code", "if"),
            "840 of 840 breakpoints proven; every layer has the thresholds of the quantised network; its counts are "
            "not proven equal, as in 2 of 3 populations they depend on the timing of spikes",
        ),
        (
            ("--weight-bits", 3),
            "840 of 840 breakpoints proven; equal in every count to the quantised network with weights rounded to 3 "
            "bits, as approximated below",
        ),
        (("--float",), "not proven equal to the quantised network: computed in real arithmetic, which is not proven"),
        (("--code", "lif"), "not proven equal to the quantised network as a whole"),
    ],
)
def test_every_command_says_in_one_line_what_is_proven(options: tuple[object, ...], line: str, tmp_path: Path) -> None:
    made = onnx2snn("convert", MODEL, "-o", tmp_path / "net", *options)
    checked = onnx2snn("verify", MODEL, tmp_path / "net")
    told = onnx2snn("report", tmp_path / "net")
    assert all(f"certificate: {line}\n" in found.out for found in (made, checked, told))
    claim = onnx2snn("verify", MODEL, tmp_path / "net", "--json").json["certificate"]["claim"]
    assert line.endswith(claim)


@pytest.mark.parametrize("backend", ["loihi", "tianjic"])
def test_the_table_of_cores_says_what_runs_on_the_host(backend: str, tmp_path: Path) -> None:
    words = "convert", MODEL, "--backend", backend, "-o"
    ladder = onnx2snn(*words, tmp_path / "ladder")
    assert "on the host, which sends its spikes, and on no core: act1.DequantizeLinear\n" in ladder.out
    assert onnx2snn(*words, tmp_path / "json", "--json").json["cores"]["host"] == ["act1.DequantizeLinear"]
    assert onnx2snn("verify", MODEL, tmp_path / "ladder").code == 0
    assert "on the host" not in onnx2snn(*words, tmp_path / "if", "--code", "if").out


def test_a_chip_without_its_backend_names_those_that_have_chips(tmp_path: Path) -> None:
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "x", "--chip", "loihi2")
    one_line(result, "--chip: goes with --backend loihi or --backend tianjic; found backend numpy")
    assert result.code == 2
    result = onnx2snn("convert", MODEL, "-o", tmp_path / "x", "--backend", "loihi", "--approximate")
    one_line(result, "--approximate: goes with --backend netx; found backend loihi")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("statement", "unwanted"),
    [
        ("import onnx2snn", ["torch", "onnx", "onnx_ir", "onnxruntime", "typer", "numpy", "networkx", "pydantic"]),
        ("import onnx2snn.cli.app", ["torch", "onnx", "onnx_ir", "onnxruntime", "numpy", "networkx", "pydantic"]),
        ("import onnx2snn; onnx2snn.convert", ["torch"]),
    ],
)
def test_imports_stay_light(statement: str, unwanted: list[str]) -> None:
    assert loaded(statement) & set(unwanted) == set()


def test_the_import_test_can_fail() -> None:
    assert "numpy" in loaded("import numpy")


def loaded(statement: str) -> set[str]:
    program = f"{statement}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["if", "ladder"])
@pytest.mark.parametrize("backend", ["loihi", "tianjic"])
def test_schemas_of_tables_name_every_field(backend: str, code: str, tmp_path: Path) -> None:
    found = onnx2snn("backends", "--schema", backend).json
    codes = {"ladder", "if", "lif"} if backend == "loihi" else {"ladder", "if"}
    assert set(found) == {"cores.json", *(f"tables.json ({code})" for code in codes)}
    assert onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--backend", backend, "--code", code).code == 0
    for name, file in ((f"tables.json ({code})", "tables.json"), ("cores.json", "cores.json")):
        written = json.loads((tmp_path / "net" / file).read_text())
        assert set(written) == set(found[name]["schema"]["properties"])
        assert "description" in found[name]["schema"]
    assert "NAME/weight" in found[f"tables.json ({code})"]["arrays"]
    assert onnx2snn("backends", "--schema", "numpy").json == {}
    one_line(onnx2snn("backends", "--schema", "nothing"), "no backend 'nothing'")


def test_ops_lists_what_is_read() -> None:
    found = onnx2snn("ops", "--json").json
    assert len(found["onnx"]) == len(RULES) > 80
    assert {"Conv", "QuantizeLinear", "com.microsoft:QGemm"} <= set(found["onnx"])
    assert {"Input", "Output", "LIF", "CubaLIF"} <= set(found["nir"])
    text = onnx2snn("ops").out
    assert all(name in text for names in found.values() for name in names)
    assert max(len(line) for line in text.splitlines()) <= 100
