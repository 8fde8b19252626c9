"""The text form: printing and parsing are inverse, files are reproducible, errors name their line."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.errors import ArtifactError, GraphError, Onnx2SnnError, TextError
from onnx2snn.ir import Graph, Op, load_arrays, load_graph, parse_graph, print_graph, save_graph, verify
from onnx2snn.ir.ops import ALL_OPS, Add, Clip, Concat, Input, Relu
from onnx2snn.ir.store import ARRAY_FILE, TEXT_FILE
from onnx2snn.ir.text import external_arrays
from onnx2snn.testing.strategies import graphs, networks, ops

ALL_INLINE = 10**9

TEXT = """\
graph net {
  # a comment
  x : 2x3 = input(){shape=(2, 3)} <- "" "Input" "x"
  d : 2x1 = dense(x){weight=f64[1,3]{0.5, -1.0, 2e-3}, bias=f32[1]{0.1}} <- "/fc \\"1\\"" "Gemm" "y"
  s : 2x1 = st-bif(d){theta=i64[]{4}, v0=i64[]{2}, bias=i64[2,1]{0, -7}, value=i64[]{1}, ties="even", lo=-1, hi=3}
  return s
}
"""


def test_what_the_text_looks_like() -> None:
    graph = parse_graph(TEXT)
    assert [node.name for node in graph] == ["x", "d", "s"]
    assert graph["d"].origin.node == '/fc "1"'
    assert graph["d"].op.parameters()["weight"].tolist() == [[0.5, -1.0, 0.002]]
    printed = print_graph(graph)
    expected = TEXT.replace("  # a comment\n", "").replace("2e-3", "0.002").replace("{0.1}", "{1e-01}")
    assert printed == expected


@given(graphs())
def test_parsing_undoes_printing(graph: Graph) -> None:
    text = print_graph(graph, inline=ALL_INLINE)
    again = parse_graph(text)
    assert again.equal(graph)
    assert again.name == graph.name
    assert print_graph(again, inline=ALL_INLINE) == text
    verify(again)


@pytest.mark.parametrize("kind", ALL_OPS, ids=lambda kind: kind.name)
@given(data=st.data())
def test_every_op_survives(kind: type[Op], data: st.DataObject) -> None:
    op, shapes = data.draw(ops(kind))
    graph = Graph()
    sources = [graph.add(f"x{i}", Input(shape=shape)) for i, shape in enumerate(shapes)]
    graph.outputs = (graph.add("y", op, sources),)
    assert parse_graph(print_graph(graph, inline=ALL_INLINE)).equal(graph)


@given(networks(), st.integers(0, 40))
def test_large_arrays_stand_beside_the_text(graph: Graph, inline: int) -> None:
    text, arrays = print_graph(graph, inline), external_arrays(graph, inline)
    assert all(f"@{name}" in text for name in arrays)
    assert all(array.size > inline for array in arrays.values())
    assert parse_graph(text, arrays).equal(graph)


@pytest.mark.parametrize(
    "name", ["7", "1e5", "nan", "inf", "-inf", "return", "graph", "f64", "true", "None", "a.b/c-d", "é", "0x1"]
)
def test_names_that_look_like_something_else(name: str) -> None:
    graph = Graph(name)
    graph.add(name, Input(shape=(2,)))
    graph.add("return.2", Relu(), [name])
    graph.outputs = ("return.2", name)
    again = parse_graph(print_graph(graph))
    assert again.equal(graph)
    assert again.name == name


def test_infinities_and_defaults() -> None:
    graph = Graph()
    graph.add("x", Input(shape=()))
    graph.add("y", Clip(low=-np.inf, high=0.0), ["x"])
    graph.outputs = ("y",)
    text = print_graph(graph)
    assert "x : scalar = input(){shape=()}" in text
    assert "clip(x){low=-inf, high=0.0}" in text
    assert parse_graph(text).equal(graph)
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    graph.add("y", Concat(axis=0), ["x", "x"])
    graph.outputs = ("y",)
    assert "concat(x, x){}" in print_graph(graph)
    assert parse_graph(print_graph(graph)).equal(graph)


# -- broken text ---------------------------------------------------------------------------------------------------

BROKEN: list[tuple[str, str, str]] = [
    ("graph net {", "net {", "line 1: 'graph' expected, found 'net'"),
    ("graph net {", "graph {", "line 1: word or number expected, found '{'"),
    ('<- ""', "<- ?", 'line 3: \'? "Input" "x\' is not part of the text form'),
    ("2x3 = input", "2x4 = input", "line 3: x: shape 2x4 written, 2x3 inferred"),
    ("dense(x)", "danse(x)", "line 4: no op 'danse'; known: add, affine,"),
    ("dense(x)", "dense(z)", "line 4 > d (Dense, from Gemm '/fc \"1\"'): input 'z' is not in graph 'net'"),
    ("dense(x)", "dense()", "1 inputs expected, found 0"),
    ("weight=", "wait=", "line 4: dense has no field 'wait'; known: weight, scale, bias"),
    ("weight=f64[1,3]{0.5, -1.0, 2e-3}, ", "", "line 4: dense: .*missing.*'weight'"),
    ("{0.5, -1.0, 2e-3}", "{0.5, -1.0}", "line 4: cannot reshape array of size 2 into shape (1,3)"),
    ("f64[1,3]{0.5, -1.0, 2e-3}", "f64[1,3]@d.weight", "line 4: array 'd.weight' is not among the arrays given"),
    ("f64[1,3]{0.5, -1.0, 2e-3}", "0.5", "line 4: dense cannot take 0.5 for weight"),
    ("f64[1,3]{0.5, -1.0, 2e-3}", "f16[1,3]{0.5}", "line 4: a value expected, found 'f16'"),
    ("f64[1,3]{0.5,", "f64[1,3]{half,", "line 4: number expected, found 'half'"),
    ("-1.0, 2e-3", "-1.0 2e-3", "line 4: ',' expected, found '2e-3'"),
    ("2e-3", "nan", "line 4: (C1)"),
    ("i64[]{4}", "i64[]{4.5}", "line 5: whole numbers expected in an array of type i64"),
    ("i64[]{4}", "i64[]{99999999999999999999}", "line 5: .*too large"),
    ("i64[]{4}", "i64[]{0}", "line 5: (C1) theta and value must be positive"),
    ('ties="even"', 'ties="odd"', "line 5: st-bif cannot take 'odd' for ties"),
    ('ties="even"', "ties=(1, 2)", "line 5: st-bif cannot take (1, 2) for ties"),
    ("hi=3", "hi=3.5", "line 5: st-bif cannot take 3.5 for hi"),
    ("hi=3", "hi=true", "line 5: st-bif cannot take True for hi"),
    ("hi=3", "hi=None", "line 5: st-bif cannot take None for hi"),
    ("hi=3", "hi=f64[1]{3.0}", "line 5: st-bif cannot take an array for hi"),
    ("  s :", "  d :", "node 'd' exists already"),
    ("return s", "return q", "no node 'q' in graph 'net'"),
    ("return s\n}", "return s", "line 7: ',' expected, found 'end of text'"),
    ("return s\n}", "return s\n} more", "line 7: end of text expected, found 'more'"),
]


@pytest.mark.parametrize(("old", "new", "message"), BROKEN, ids=[message[:40] for _, _, message in BROKEN])
def test_broken_text_says_where(old: str, new: str, message: str) -> None:
    assert TEXT.count(old) == 1
    with pytest.raises(GraphError) as found:
        parse_graph(TEXT.replace(old, new))
    assert re.search(".*".join(map(re.escape, message.split(".*"))), str(found.value))
    assert "\n" not in str(found.value)


def test_arrays_beside_the_text_must_be_as_written() -> None:
    text = TEXT.replace("f64[1,3]{0.5, -1.0, 2e-3}", "f64[1,3]@w")
    assert parse_graph(text, {"w": np.ones((1, 3))})["d"].op.parameters()["weight"].sum() == 3
    with pytest.raises(TextError, match=r"line 4: array 'w' is float32\[1, 3\], f64\[1, 3\] written"):
        parse_graph(text, {"w": np.ones((1, 3), np.float32)})
    with pytest.raises(TextError, match=r"array 'w' is float64\[3, 1\]"):
        parse_graph(text, {"w": np.ones((3, 1))})


@given(graphs(), st.randoms(use_true_random=False))
def test_no_damage_raises_anything_but_an_error_of_ours(graph: Graph, random: Random) -> None:
    text = print_graph(graph, inline=ALL_INLINE)
    for _ in range(20):
        place, mark = random.randrange(len(text)), random.choice('0159.-ea{}()[],=:@"\\#<\n i')
        damaged = random.choice(
            [text[:place] + text[place + 1 :], text[:place] + mark + text[place + random.randrange(2) :]]
        )
        with suppress(Onnx2SnnError):
            parse_graph(damaged)


# -- files ---------------------------------------------------------------------------------------------------------


@given(graph=networks())
def test_saved_graphs_load_and_give_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, graph: Graph) -> None:
    first, second = (tmp_path_factory.mktemp("graph") for _ in range(2))
    save_graph(graph, first)
    loaded = load_graph(first)
    assert loaded.equal(graph)
    save_graph(loaded, second)
    for file in (TEXT_FILE, ARRAY_FILE):
        assert (first / file).read_bytes() == (second / file).read_bytes()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    graph = Graph()
    graph.add("x", Input(shape=(2,)))
    graph.add("y", Add(), ["x", "x"])
    graph.outputs = ("y",)
    save_graph(graph, tmp_path)
    return tmp_path


def test_missing_and_damaged_files(saved: Path) -> None:
    assert load_arrays(saved / ARRAY_FILE) == {}
    (saved / ARRAY_FILE).write_bytes(b"\xff" * 40)
    with pytest.raises(ArtifactError, match=r"arrays\.safetensors: cannot be read"):
        load_graph(saved)
    (saved / TEXT_FILE).write_bytes(b"graph \xff")
    with pytest.raises(ArtifactError, match=r"network\.txt: cannot be read"):
        load_graph(saved)
    (saved / TEXT_FILE).unlink()
    with pytest.raises(ArtifactError, match=r"network\.txt: cannot be read"):
        load_graph(saved)


def test_errors_in_a_file_name_the_file(saved: Path) -> None:
    path = saved / TEXT_FILE
    path.write_text(path.read_text().replace("add(x, x)", "add(x, z)"))
    with pytest.raises(
        GraphError, match=r"network\.txt > line 3 > y \(Add, made by a pass\): input 'z' is not in graph"
    ):
        load_graph(saved)
