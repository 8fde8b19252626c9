"""Notes beside the results: samples that the input's quantiser cannot hold, populations that never fire."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from command import onnx2snn
from models import ModelBuilder

from onnx2snn.flow.conversion.convert import convert
from onnx2snn.flow.evaluation.simulate import simulate
from onnx2snn.flow.saturation import ASK, saturation
from onnx2snn.flow.verification.verify import verify
from onnx2snn.ir import Graph, parse_graph

DEMO = files("onnx2snn") / "demo"
MODEL, DATA = Path(str(DEMO / "digits.onnx")), Path(str(DEMO / "digits.npz"))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("net") / "net"
    convert(MODEL).save(folder)
    return folder


@pytest.fixture(scope="module")
def pixels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The samples as images of 0 to 255."""
    path = tmp_path_factory.mktemp("data") / "pixels.npz"
    with np.load(DATA) as file:
        np.savez(path, x=file["x"][:20] * 255, y=file["y"][:20])
    return path


def test_pixels_are_pointed_out_by_simulate(net: Path, pixels: Path) -> None:
    found = onnx2snn("simulate", net, "--data", pixels)
    assert found.code == 0
    (line,) = found.err.splitlines()
    assert line.startswith(f"onnx2snn: {pixels}: input 'input': ")
    assert f"beyond the range of its quantiser (20 samples looked at): 0 to 1 expected, 0 to 255 found; {ASK}" in line
    assert onnx2snn("simulate", net, "--data", pixels, "--json").json["notes"] == list(simulate(net, pixels).notes)
    assert len(simulate(net, pixels).notes) == 1


def test_pixels_are_pointed_out_by_verify(net: Path, pixels: Path) -> None:
    found = onnx2snn("verify", MODEL, net, "--data", pixels)
    assert found.code == 0
    (line,) = found.err.splitlines()
    assert "0 to 1 expected, 0 to 255 found" in line
    assert verify(MODEL, net, pixels).notes == (line.removeprefix("onnx2snn: "),)


def test_pixels_are_pointed_out_by_convert(pixels: Path, tmp_path: Path) -> None:
    found = onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--calibrate", pixels, "--json")
    (line,) = (line for line in found.err.splitlines() if line.endswith(ASK))
    assert line.startswith("onnx2snn: calibration samples: input 'input': ")
    assert found.json["notes"] == [line.removeprefix("onnx2snn: ")]


def test_nothing_is_said_of_the_samples_it_was_trained_on(net: Path, tmp_path: Path) -> None:
    assert simulate(net, DATA).notes == verify(MODEL, net, DATA).notes == ()
    assert not onnx2snn("simulate", net, "--data", DATA).err
    assert ASK not in onnx2snn("convert", MODEL, "-o", tmp_path / "net", "--calibrate", DATA).err


def test_the_share_is_that_of_values_past_the_ends_by_more_than_half_a_step() -> None:
    x = np.array([[-0.04, 2.0], [4.04, 4.3], [-40, -9], [0, 4]], np.float32)  # a range of 0 to 4, steps of 0.1
    (note,) = saturation(encoded("lo=0, hi=40"), x)
    assert note.startswith("input 'x': 37.5 % of the values")
    assert "(4 samples looked at): 0 to 4 expected, -40 to 4.3 found" in note


def test_what_a_two_bit_quantiser_cuts_of_gaussian_samples_is_normal() -> None:
    x = np.random.default_rng(0).normal(0, 0.1, (500, 2)).astype(np.float32)
    assert saturation(encoded("lo=-1, hi=2"), x) == ()
    assert saturation(encoded("lo=-1, hi=2"), 20 * x)
    assert saturation(encoded("lo=-1, hi=1"), 20 * x) == (), "a ternary code is made to cut"


def test_the_range_is_that_of_the_input_before_what_prepares_it() -> None:
    grey = encoded("lo=0, hi=40", before="affine(x){scale=f64[]{0.01}, shift=f64[]{2.0}}")
    x = np.linspace(-200, 200, 80, dtype=np.float32).reshape(40, 2)
    assert saturation(grey, x) == ()
    (note,) = saturation(grey, x + 200)
    assert note.startswith("input 'x': 48.8 % of the values lie beyond"), note
    assert ": -200 to 200 expected, 0 to 400 found; " in note
    (note,) = saturation(encoded("lo=0, hi=40", before="affine(x){shift=f64[]{2.0}}"), x)
    assert ": -2 to 2 expected, -200 to 200 found; " in note


def test_values_in_a_corner_of_the_range_are_pointed_out() -> None:
    x = np.random.default_rng(0).uniform(0, 1, (9, 2)).astype(np.float32)
    (note,) = saturation(encoded("lo=0, hi=255"), x / 10)
    assert note.startswith("input 'x': all values lie within 0.9")
    assert " of the 255 steps of its quantiser (9 samples looked at): 0 to 25.5 expected, " in note
    assert saturation(encoded("lo=0, hi=255"), x) == ()
    assert saturation(encoded("lo=0, hi=7"), x / 10) == (), "a seventh of the range"
    assert saturation(encoded("lo=0, hi=255"), 0 * x) == (), "a blank image"


def test_whole_numbers_behind_real_weights_are_no_input() -> None:
    graph = encoded("lo=0, hi=40", before="dense(x){weight=f64[2,2]{1.0, 0.0, 0.0, 1.0}}")
    assert saturation(graph, np.full((3, 2), 250, np.float32)) == ()


def test_silent_populations_are_named_in_one_note(tmp_path: Path) -> None:
    b = ModelBuilder(["N", 4])
    x = b.quantise("x", 0.1)
    for bias in (0.0, -1e4, -1e4):
        weights = b.weights((4, 4))
        x = b.quantise(b.node("Gemm", x, weights, b.constant(np.full(4, bias)), transB=1))
    convert(b.save(b.gemm(x, 4, 3), tmp_path / "m.onnx")).save(tmp_path / "net")
    np.savez(tmp_path / "d.npz", x=np.random.default_rng(0).uniform(0, 1.5, (9, 4)).astype(np.float32))
    layers = simulate(tmp_path / "net", tmp_path / "d.npz").layers
    assert [bool(layer.spikes) for layer in layers] == [True, False, False]
    (line,) = onnx2snn("simulate", tmp_path / "net", "--data", tmp_path / "d.npz").err.splitlines()
    assert line.startswith(f"onnx2snn: no neuron of {layers[1].name}, {layers[2].name} fires on any of 9 samples")


def encoded(grid: str, before: str = "") -> Graph:
    """A graph whose input is quantised in steps of 0.1."""
    inner = f"  m : 2 = {before}\n" if before else ""
    return parse_graph(
        "graph g {\n  x : 2 = input(){shape=(2,)}\n"
        f"{inner}  q : 2 = encoder({'m' if before else 'x'}){{scale=f64[]{{0.1}}, {grid}, value=f64[]{{1.0}}}}\n"
        "  return q\n}\n"
    )
