"""`onnx2snn simulate`: what it prints, what it keeps, how it is interrupted, gone on with and shared."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import one_line, onnx2snn

from onnx2snn.cli.sparkline import sparkline
from onnx2snn.errors import DataError
from onnx2snn.flow import batches
from onnx2snn.flow.evaluation.simulate import simulate
from onnx2snn.flow.evaluation.stream import SampleStream

DEMO = files("onnx2snn") / "demo"
MODEL, DATA = Path(str(DEMO / "digits.onnx")), Path(str(DEMO / "digits.npz"))
SHAPE = {"x": (1, 8, 8)}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("net") / "net"
    assert onnx2snn("convert", MODEL, "-o", folder).code == 0
    return folder


@pytest.mark.parametrize(
    ("backend", "code"), [("loihi", "if"), ("loihi", "ladder"), ("tianjic", "if"), ("tianjic", "ladder")]
)
def test_rates_on_a_chip_are_those_of_its_network(backend: str, code: str, tmp_path: Path) -> None:
    """The way from layer to layer makes a run longer, no neuron more silent."""
    assert onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--backend", backend, "--code", code).code == 0
    chip, network = (simulate(tmp_path / "net", DATA, in_numpy=in_numpy) for in_numpy in (False, True))
    assert chip.steps == network.steps + 3
    assert [layer.rate for layer in chip.layers] == [layer.rate for layer in network.layers]
    assert [layer.updates for layer in chip.layers] == [layer.updates for layer in network.layers]
    first = chip.layers[0]
    assert first.rate == first.spikes / (first.neurons * 360 * network.steps)


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_results_may_be_read_by_whom_the_umask_lets(net: Path, mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        assert onnx2snn("simulate", net, "--data", DATA, "--save", tmp_path / "out.npz").code == 0
        assert os.umask(mask) == mask, "it is left as it was"
    finally:
        os.umask(before)
    assert (tmp_path / "out.npz").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "BATCH", 50)


def test_json_has_the_curve_the_layers_and_the_energy(net: Path) -> None:
    found = onnx2snn("simulate", net, "--data", DATA, "--json", "--device", "loihi1", "--exit", "confidence").json
    assert [moment["step"] for moment in found["curve"]] == list(range(1, found["steps"] + 1))
    assert found["curve"][-1]["accuracy"] == found["accuracy"]
    assert found["curve"][-1]["agreement"] == 1
    assert found["curve"][-1]["spikes"] == pytest.approx(found["totals"]["spikes"])
    assert found["curve"][-1]["operations"] == pytest.approx(found["totals"]["operations"])
    assert [layer["role"] for layer in found["layers"]] == ["encoder", "hidden", "hidden"]
    for layer in found["layers"]:
        assert layer["rate"] == pytest.approx(layer["spikes"] / (layer["neurons"] * 360 * found["steps"]))
        assert layer["rate"] + layer["sparsity"] == pytest.approx(1)
        assert layer["connected_operations"] <= layer["operations"]
    readout = found["layers"][-1]
    assert readout["operations"] == readout["readout_operations"] == 10 * readout["spikes"]
    assert [energy["device"] for energy in found["energy"]] == ["loihi1"]
    assert found["exit_rule"] == "confidence"
    steps = [row["steps"] for row in found["exits"]]
    assert steps == sorted(steps)
    assert found["inputs"][0]["entries"] == 64
    assert (found["repeats"], found["accuracy_deviation"]) == ([found["accuracy"]], None)


def test_text_has_a_sparkline_and_tables(net: Path) -> None:
    found = onnx2snn("simulate", net, "--data", DATA).out
    for words in (
        "accuracy after step 1 to 17: ",
        "early exit at margin",
        "synaptic operations",
        "45nm-int8",
        "estimates",
    ):
        assert words in found


def test_csv_holds_the_curve_and_the_layers(net: Path, tmp_path: Path) -> None:
    found = onnx2snn("simulate", net, "--data", DATA, "--csv", tmp_path / "run", "--json").json
    with (tmp_path / "run.curve.csv").open(encoding="utf-8") as file:
        curve = list(csv.DictReader(file))
    assert [float(row["accuracy"]) for row in curve] == [moment["accuracy"] for moment in found["curve"]]
    with (tmp_path / "run.layers.csv").open(encoding="utf-8") as file:
        assert [int(row["operations"]) for row in csv.DictReader(file)] == [r["operations"] for r in found["layers"]]
    for stem, words in ((tmp_path / "no" / "run", "a folder to write to expected"), (tmp_path, "found a folder")):
        one_line(onnx2snn("simulate", net, "--data", DATA, "--csv", stem), words)


def test_what_a_simulator_does_not_tell_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "chip"
    assert onnx2snn("convert", MODEL, "-o", folder, "--backend", "tianjic").code == 0
    found = onnx2snn("simulate", folder, "--data", DATA, "--csv", tmp_path / "run")
    assert "--in-numpy" in found.out
    assert [path.name for path in tmp_path.glob("run.*")] == ["run.layers.csv"]


def test_sparkline_goes_from_the_least_to_the_greatest() -> None:
    assert sparkline([0, 0.5, 1, 0]) in ("▁▅█▁", "_=#_")
    assert len(sparkline(list(range(1000)), width=30)) == 30
    assert len(set(sparkline([0.5, 0.5]))) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--device", "abacus"), "no device 'abacus'"),
        (("--exit", "never"), "no exit rule 'never'"),
        (("--exit-at", "a,b"), "numbers like 0.5,1,2 expected"),
        (("--drop", "2"), "a probability from 0 to 1"),
        (("--repeats", "2"), "without noise"),
        (("--resume",), "--save"),
    ],
)
def test_wrong_use_is_one_line(options: tuple[str, ...], words: str, net: Path) -> None:
    found = onnx2snn("simulate", net, "--data", DATA, *options)
    one_line(found, words)
    assert found.code == 2


def test_populations_to_choose_from_are_a_line_each(net: Path) -> None:
    found = onnx2snn("simulate", net, "--data", DATA, "--drop", "0.1", "--drop-in", "nothing")
    first, *known = found.err.splitlines()
    assert (found.code, first) == (2, "onnx2snn: no population 'nothing'; one of these expected:")
    assert known == ["  encoder", *(f"  act{n}.DequantizeLinear" for n in (1, 2, 3))]


def test_backends_that_do_not_tell_have_no_curve_and_take_no_noise(tmp_path: Path) -> None:
    assert onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--backend", "tianjic").code == 0
    found = onnx2snn("simulate", tmp_path / "net", "--data", DATA, "--json").json
    assert found["accuracy"] > 0.9
    assert (found["curve"], found["totals"], found["layers"][0]["operations"]) == ([], None, None)
    assert onnx2snn("simulate", tmp_path / "net", "--data", DATA).code == 0
    for options in (("--drop", "0.1"), ("--device", "loihi1"), ("--exit-at", "1")):
        one_line(onnx2snn("simulate", tmp_path / "net", "--data", DATA, *options), "--in-numpy")
    found = onnx2snn("simulate", tmp_path / "net", "--data", DATA, "--json", "--in-numpy", "--drop", "0.1").json
    assert found["simulator"] == "numpy"
    assert found["curve"]


def test_noise_is_repeated_and_the_same_for_a_seed(net: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("simulate", net, "--data", DATA, "--json", "--drop", "0.4", "--repeats", "3", "--weight-noise", "0.2")
    found = onnx2snn(*options).json
    assert len(set(found["repeats"])) > 1
    assert found["accuracy"] == pytest.approx(np.mean(found["repeats"]))
    assert found["accuracy_deviation"] == pytest.approx(np.std(found["repeats"], ddof=1))
    monkeypatch.setattr(batches, "BATCH", 37)
    assert onnx2snn(*options).json == found
    assert onnx2snn(*options, "--seed", "1").json["repeats"] != found["repeats"]


@pytest.mark.usefixtures("small_batches")
def test_interrupted_and_gone_on_with(net: Path, tmp_path: Path) -> None:
    save = tmp_path / "out.npz"
    whole = simulate(net, DATA, tmp_path / "whole.npz")

    def stop(done: int, total: int) -> None:
        if done == 150:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"150 of 360 samples are kept in .*out.npz.partial, --resume goes on"):
        simulate(net, DATA, save, stop)
    partial = tmp_path / "out.npz.partial"
    assert not save.exists()
    assert len(list(partial.glob("0-*.npz"))) == 3
    first = partial / "0-0-50.npz"
    first.write_bytes(first.read_bytes()[:100])  # a file that is not whole is made anew
    kept = {path: path.stat().st_mtime_ns for path in partial.glob("0-*.npz") if path != first}
    assert len(kept) == 2
    ticks: list[int] = []

    def look(done: int, total: int) -> None:
        ticks.append(done)
        for path, written in kept.items():
            assert path.stat().st_mtime_ns == written, "what is done is not done again"

    found = simulate(net, DATA, save, look, resume=True)
    assert (found.curve, found.layers, found.exits) == (whole.curve, whole.layers, whole.exits)
    assert ticks[-1] == 360
    assert not partial.exists()
    with np.load(save) as ours, np.load(tmp_path / "whole.npz") as theirs:
        np.testing.assert_array_equal(ours["output"], theirs["output"])


@pytest.mark.usefixtures("small_batches")
def test_partial_results_of_something_else_are_refused(net: Path, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    save = tmp_path / "out.npz"
    with pytest.raises(KeyboardInterrupt):
        simulate(net, DATA, save, stop)
    one_line(onnx2snn("simulate", net, "--data", DATA, "--save", save, "--resume", "--drop", "0.1"), "options differs")
    with np.load(DATA) as arrays:
        np.savez(tmp_path / "other.npz", x=arrays["x"][:90], y=arrays["y"][:90])
    one_line(onnx2snn("simulate", net, "--data", tmp_path / "other.npz", "--save", save, "--resume"), "data differs")
    assert onnx2snn("simulate", net, "--data", DATA, "--save", save, "--resume").code == 0
    (tmp_path / "mine.npz.partial").mkdir()
    (tmp_path / "mine.npz.partial" / "letter.txt").write_text("dear", encoding="utf-8")
    one_line(onnx2snn("simulate", net, "--data", DATA, "--save", tmp_path / "mine.npz"), "left alone")
    assert (tmp_path / "mine.npz.partial" / "letter.txt").exists()


def environment() -> dict[str, str]:
    here = Path(__file__).parent
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)]), "OMP_NUM_THREADS": "1"}


def tiled(path: Path, times: int) -> Path:
    with np.load(DATA) as arrays:
        np.savez(path, x=np.tile(arrays["x"], (times, 1, 1, 1)), y=np.tile(arrays["y"], times))
    return path


#: The command; what a shell starts in the background ignores Ctrl-C, and so would its children.
HEEDS_CTRL_C = (
    "import signal; from onnx2snn.__main__ import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); main()"
)


def test_ctrl_c_is_one_line_and_leaves_what_is_done(net: Path, tmp_path: Path) -> None:
    data, save = tiled(tmp_path / "much.npz", 200), tmp_path / "out.npz"
    words = [sys.executable, "-c", HEEDS_CTRL_C, "simulate", str(net), "--data", str(data), "--save", str(save)]
    process = subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    partial, until = tmp_path / "out.npz.partial", time.monotonic() + 120
    while len(list(partial.glob("0-*.npz"))) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert len(err.strip().splitlines()) == 1, err
    assert "--resume goes on" in err
    assert out == ""
    assert len(list(partial.glob("0-*.npz"))) >= 2


def test_two_processes_say_the_same_as_one(net: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="sharing needs torch: pip install 'onnx2snn[torch]'")
    data, noise = tiled(tmp_path / "some.npz", 2), ("--drop", "0.2", "--repeats", "2")
    arguments = ["simulate", str(net), "--data", str(data), "--json", *noise]
    alone = onnx2snn(*arguments, "--save", tmp_path / "one.npz")
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "onnx2snn"]
    shared = subprocess.run(
        [*words, *arguments, "--save", str(tmp_path / "two.npz")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert shared.returncode == 0, shared.stderr[-3000:]
    assert json.loads(shared.stdout) == alone.json
    with np.load(tmp_path / "one.npz") as one, np.load(tmp_path / "two.npz") as two:
        np.testing.assert_array_equal(one["output"], two["output"])
    assert not (tmp_path / "two.npz.partial").exists()


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_a_stream_reads_what_is_there_whatever_the_order(write: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 1, 8, 8))
    for number, array in enumerate((x, x.astype(np.float16), np.asfortranarray(x))):
        path = tmp_path / f"{number}.npz"
        write(path, x=array, y=np.arange(40))
        with SampleStream(path, SHAPE) as stream:
            assert len(stream) == 40
            for start, stop in ((0, 7), (7, 20), (30, 40), (3, 5)):
                np.testing.assert_array_equal(stream.read(start, stop), array[start:stop].astype(np.float32))


def test_a_stream_says_what_is_wrong(tmp_path: Path) -> None:
    x = np.ones((40, 1, 8, 8), np.float32)
    x[35] = np.nan
    np.savez(tmp_path / "nan.npz", x=x)
    with SampleStream(tmp_path / "nan.npz", SHAPE) as stream:
        stream.read(0, 30)
        with pytest.raises(DataError, match=r"nan.npz: x: finite float32 numbers expected"):
            stream.read(30, 40)
    np.savez(tmp_path / "labels.npz", x=x, y=np.arange(3))
    with pytest.raises(DataError, match=r"labels.npz: y: integer labels of shape \(40,\)"):
        SampleStream(tmp_path / "labels.npz", SHAPE)
    data = (tmp_path / "nan.npz").read_bytes()
    (tmp_path / "flipped.npz").write_bytes(data[:3000] + bytes([data[3000] ^ 255]) + data[3001:])
    with SampleStream(tmp_path / "flipped.npz", SHAPE) as stream, pytest.raises(DataError, match="damaged"):
        stream.read(0, 40)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "big.npz"
    np.savez(path, x=np.zeros((20000, 1, 8, 8), np.float32))
    tracemalloc.start()
    try:
        with SampleStream(path, SHAPE) as stream:
            for start in range(0, 20000, 100):
                stream.read(start, start + 100)
        assert tracemalloc.get_traced_memory()[1] < path.stat().st_size / 10
    finally:
        tracemalloc.stop()
