"""What NIR cannot say is refused by named design rules, all at once."""

from __future__ import annotations

import pytest

pytest.importorskip("nir", reason="the nir extra is not installed")

from nir_interpreter import convert

from onnx2snn.errors import BackendError
from onnx2snn.ir import Graph, parse_graph
from onnx2snn.plugins import load_backend
from onnx2snn.testing.conformance import lowered


def chain(shape: str, *lines: str) -> Graph:
    """x of `shape`, quantised as `a`, then these lines; the last one is the output."""
    sizes = shape.replace("x", ", ")
    head = [f"graph net {{ x : {shape} = input(){{shape=({sizes})}}", f"a : {shape} = quantise(x){GRID}"]
    return parse_graph("\n".join([*head, *lines, f"return {lines[-1].split(' ', 1)[0]} }}"]))


GRID = "{scale=f64[]{0.5}, zero_point=0, qmin=0, qmax=7}"
WINDOW = "strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)"

REFUSED: dict[str, tuple[tuple[str, ...], str]] = {
    "two encodings": (
        ("2", f"b : 2 = quantise(x){GRID.replace('0.5', '0.25')}", "c : 2 = add(a, b){}"),
        "(one way in) the input goes in as a, b; one encoding expected",
    ),
    "a plain input beside its encoding": (
        ("2", "c : 2 = add(a, x){}"),
        "(one way in) the input goes in as x, a; one encoding expected",
    ),
    "a kernel that is not square": (
        ("1x4x4", f"c : 1x3x4 = conv(a){{weight=f64[1,1,2,1]{{1.0, 1.0}}, {WINDOW}}}"),
        "(square kernels) c (Conv, made by a pass): a square kernel expected, found (2, 1)",
    ),
    "uneven padding": (
        ("1x4x4", f"c : 1x5x4 = conv(a){{weight=f64[1,1,1,1]{{1.0}}, {WINDOW.replace('0, 0, 0, 0', '0, 0, 1, 0')}}}"),
        "(symmetric padding) c (Conv, made by a pass): pads (0, 0, 1, 0) differ between begin and end",
    ),
    "a transposed image": (
        ("2x2", "c : 2x2 = transpose(a){perm=(1, 0)}"),
        "(nothing moves) c (Transpose, made by a pass): NIR has no transpose, and no dense layer alone reads it",
    ),
    "a real-valued tail": (
        ("2", "c : 2 = dense(a){weight=f64[2,2]{1.0, 2.0, 3.0, 4.0}}", "d : 2 = softmax(c){axis=0}"),
        "(one output) real-valued behind the readout: d (Softmax, made by a pass); cut it off before export",
    ),
    "a pool over one axis": (
        ("2x4", "c : 2x2 = average-pool(a){kernel=(2), strides=(2), pads=(0, 0), dilations=(1)}"),
        "(one or two spatial axes) c.sum (SumPool, made by a pass): 1 spatial axes",
    ),
    "a dilated pool": (
        (
            "1x4x4",
            f"c : 1x2x2 = average-pool(a){{kernel=(2, 2), {WINDOW.replace('dilations=(1, 1)', 'dilations=(2, 2)')}}}",
        ),
        "(plain sum pools) c.sum (SumPool, made by a pass): dilation (2, 2)",
    ),
    "a matrix times rows": (
        ("3x2", "c : 3x1 = dense(a){weight=f64[1,2]{1.0, 1.0}}"),
        "(flat matrix products) c (Dense, made by a pass): flat features expected, found (3, 2)",
    ),
    "another shape": (
        ("4x2", "c : 2x4 = reshape(a){shape=(2, 4)}"),
        "(reshapes only flatten) c (Reshape, made by a pass): NIR can only flatten, shape (2, 4) asked for",
    ),
    "a bias of its own": (
        ("2", "b : 2 = affine(a){shift=f64[2]{0.5, 0.25}}", f"c : 2 = quantise(b){GRID}"),
        "(biases have a home) c (IF, made by a pass): no convolution or dense layer before it can carry its bias",
    ),
    "a max-pool": (
        (
            "1x4x4",
            f"b : 1x4x4 = conv(a){{weight=f64[1,1,1,1]{{1.0}}, {WINDOW}}}",
            f"c : 1x3x3 = max-pool(b){{kernel=(2, 2), {WINDOW}}}",
        ),
        "(no max pool) c (MaxPool, made by a pass): NIR has no max-pool; train with average pooling or strides",
    ),
    "a concatenation": (("2", "c : 4 = concat(a, a){}"), "(no concat) c (Concat, made by a pass): NIR has no concat"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_design_rule_is_named(name: str) -> None:
    (shape, *lines), message = REFUSED[name]
    with pytest.raises(BackendError) as found:
        convert(chain(shape, *lines))
    assert message in str(found.value)


def test_all_broken_rules_are_said_at_once() -> None:
    with pytest.raises(BackendError) as found:
        lowered("dilated-grouped-conv", load_backend("nir"), "if", "float")
    assert "(square kernels)" in str(found.value)
    assert "(symmetric padding)" in str(found.value)


@pytest.mark.parametrize("settle", [3, "auto"])
def test_settling_cannot_be_said(settle: int | str) -> None:
    graph = chain("2", "d : 2 = dense(a){weight=f64[2,2]{1.0, 0.0, 0.0, 1.0}}", f"c : 2 = quantise(d){GRID}")
    with pytest.raises(BackendError, match=rf"\(no settle steps\) {settle} settle steps asked for"):
        convert(graph, settle=settle)


@pytest.mark.parametrize("code", ["st-bif", "signed-if"])
def test_codes_that_nir_lacks(code: str) -> None:
    with pytest.raises(BackendError, match=f"cannot run code {code}"):
        lowered("dense-chain", load_backend("nir"), code, "float")


def test_integers_are_not_for_nir() -> None:
    with pytest.raises(BackendError, match="computes in float only"):
        lowered("dense-chain", load_backend("nir"), "if", "integer")
