"""Golden tests: IR in, pipeline, IR out.  `pytest --update-golden` writes what the passes give now.

A file of tests/golden starts with `# run: <recipe>`, holds the graph before, a line `# ----`, the graph after, and
one line `# note: ...` for each node that a pass left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from onnx2snn.errors import PassError, UnknownNameError, UsageError
from onnx2snn.ir import Graph, parse_graph, print_graph
from onnx2snn.passes import (
    PASSES,
    STAIRCASES,
    AverageToSum,
    MakeInteger,
    MapNeurons,
    Pass,
    QuantiseActivations,
    run_passes,
)
from onnx2snn.passes.text import parse_recipe, print_recipe

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.txt"))
RULE = "# ----\n"
ALL_INLINE = 10**9


def halves(path: Path) -> tuple[str, str, str]:
    """The recipe, the text before and the text after."""
    text = path.read_text(encoding="utf-8")
    first, _, rest = text.partition("\n")
    assert first.startswith("# run: "), f"{path.name}: the first line must be `# run: <recipe>`"
    before, _, after = rest.partition(RULE)
    return first.removeprefix("# run: "), before, after


def result(recipe: str, text: str) -> str:
    notes: list[str] = []
    graph = run_passes(parse_graph(text), parse_recipe(recipe), lambda step, made, reasons: notes.extend(reasons))
    return print_graph(graph, inline=ALL_INLINE) + "".join(f"# note: {note}\n" for note in notes)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_golden(path: Path, update_golden: bool) -> None:
    recipe, before, after = halves(path)
    found = result(recipe, before)
    if update_golden:
        path.write_text(f"# run: {recipe}\n{before}{RULE}{found}", encoding="utf-8")
        return
    assert found == after


@pytest.mark.parametrize("name", PASSES)
def test_every_pass_has_a_golden_file_of_its_name(name: str) -> None:
    stem = name.replace("-", "_")
    mine = [path for path in FILES if path.stem == stem or path.stem.startswith(f"{stem}_")]
    assert GOLDEN / f"{stem}.txt" in mine
    for path in mine:
        assert name in [step.name for step in parse_recipe(halves(path)[0])]


def test_every_golden_file_belongs_to_a_pass() -> None:
    stems = tuple(name.replace("-", "_") for name in PASSES)
    assert len(FILES) > len(PASSES) > 10
    assert [path.name for path in FILES if not path.stem.startswith(stems)] == []


# -- recipes --------------------------------------------------------------------------------------------------------


def test_recipes_print_and_parse() -> None:
    calibrate, integer = QuantiseActivations(ranges={"a": [0.0, [1.5, 2.0]]}), MakeInteger(steps=7, theta=131071)
    recipe = (*STAIRCASES, MapNeurons(code="if", steps=7), integer, calibrate)
    text = print_recipe(recipe)
    assert text.startswith("find-weight-grids, cancel-transposes, merge-moves, fold-batchnorm, ")
    assert 'map-neurons{code="if", steps=7}, make-integer{steps=7, theta=131071}' in text
    assert parse_recipe(text) == recipe
    assert parse_recipe("") == ()
    assert parse_recipe(' map-neurons { steps = 3 , code = "if" } ') == (MapNeurons(code="if", steps=3),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fold-batchnrm", "no pass 'fold-batchnrm'; known: quantise-weights, "),
        ("fold-batchnorm insert-staircases", "',' expected before 'insert-staircases'"),
        ("Fold", "the name of a pass expected, found 'Fold'"),
        ("map-neurons{", "one of the options code, steps, decay, reset expected"),
        ("map-neurons{step=3}", "one of the options code, steps, decay, reset expected"),
        ("map-neurons{steps=}", "a JSON value expected"),
        ("map-neurons{steps=3", "'}' expected at the end of its options"),
        ('map-neurons{steps=3 code="if"}', "'}' expected at the end of its options"),
        ('map-neurons{steps="3"}', 'steps takes a int, found "3"'),
        ("map-neurons{steps=true}", "steps takes a int, found true"),
        ('map-neurons{code="rif"}', "no code 'rif'; known: if, signed-if, lif, st-bif, store-and-forward, ladder"),
        ("fold-batchnorm{x=1}", "pass fold-batchnorm has no options, found 'x=1'"),
    ],
)
def test_wrong_recipes(text: str, message: str) -> None:
    with pytest.raises(UsageError) as found:
        parse_recipe(text)
    assert message in str(found.value)


def test_unknown_names_are_their_own_error() -> None:
    for text in ("no-such-pass", 'map-neurons{code="rif"}'):
        with pytest.raises(UnknownNameError):
            parse_recipe(text)


def test_every_pass_documents_given_and_result() -> None:
    for kind in PASSES.values():
        text = kind.__doc__ or ""
        assert "given:" in text, kind.name
        assert "result:" in text, kind.name


# -- errors ---------------------------------------------------------------------------------------------------------


def graph_of(*lines: str) -> Graph:
    return parse_graph("\n".join(["graph net { x : 2x4 = input(){shape=(2, 4)}", *lines, "}"]))


QUANTISE = "quantise(c){scale=f64[]{0.5}, zero_point=0, qmin=0, qmax=7}"
POOL = "max-pool(x){kernel=(2), strides=(2), pads=(0, 0), dilations=(1)}"
STAIRS = "staircase(x){scale=f64[]{0.5}, lo=0, hi=7}"

REFUSED: dict[str, tuple[str, tuple[str, ...], str]] = {
    "clip-range": (
        "insert-staircases",
        ("c : 2x4 = clip(x){low=1.1, high=1.2}", f"q : 2x4 = {QUANTISE} return q"),
        "pass insert-staircases > q (Quantise, made by a pass): bounds [1.1, 1.2] leave one value, 2 steps; a range",
    ),
    "clip-channels": (
        "insert-staircases",
        ("c : 2x4 = clip(x){low=0.0, high=3.0}", f"q : 2x4 = {QUANTISE.replace('[]{', '[2,1]{1.0, ')} return q"),
        "Clip to [0.0, 3.0] cuts the channels at different counts; one scale expected",
    ),
    "clip-between-steps": (
        "insert-staircases, collect-bias",
        (f"c : 2x4 = {QUANTISE.replace('(c)', '(x)')}", "d : 2x4 = clip(c){low=0.0, high=1.2} return d"),
        "pass collect-bias: d (Clip, made by a pass): a real-valued activation",
    ),
    "real-relu": (
        "collect-bias",
        ('r : 2x4 = relu(x){} <- "/r" "Relu" "t" return r',),
        "pass collect-bias: r (Relu, from Relu '/r'): a real-valued activation: quantise",
    ),
    "maxpool-shift": (
        "collect-bias",
        ("a : 2x4 = affine(x){shift=f64[4]{1.0, 2.0, 3.0, 4.0}}", f"p : 2x2 = {POOL.replace('(x)', '(a)')} return p"),
        "p (MaxPool, made by a pass): a constant that varies within a channel reaches a max-pool",
    ),
    "if-signed": (
        'map-neurons{code="if"}',
        (f"s : 2x4 = {STAIRS.replace('lo=0', 'lo=-3')} return s",),
        "pass map-neurons > s (Staircase, made by a pass): code if cannot hold the negative counts -3 to -1",
    ),
    "real-branch": (
        "map-neurons, make-integer",
        (f"s : 2x4 = {STAIRS}", "a : 2x4 = add(s, x){}", f"t : 2x4 = {STAIRS.replace('(x)', '(a)')} return t"),
        "pass make-integer > a (Add, made by a pass): a real-valued branch joins a spiking one",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_a_pass_refuses(case: str) -> None:
    recipe, lines, message = REFUSED[case]
    graph = graph_of(*lines)
    before = print_graph(graph)
    with pytest.raises(PassError) as found:
        run_passes(graph, parse_recipe(recipe))
    assert message in str(found.value)
    assert print_graph(graph) == before


def test_a_pass_verifies_its_result() -> None:
    class Broken(Pass):
        name = "broken"

        def change(self, graph: Graph, notes: list[str]) -> Graph:
            graph.outputs = ("gone",)
            return graph

    with pytest.raises(Exception, match="pass broken: no node 'gone'"):
        Broken()(graph_of(f"s : 2x4 = {STAIRS} return s"))


def test_observers_see_every_pass_and_its_notes() -> None:
    seen: list[tuple[str, int]] = []

    def see(step: Pass, made: Graph, notes: Sequence[str]) -> None:
        seen.append((step.name, len(notes)))

    run_passes(graph_of(f"p : 2x2 = {POOL} return p"), parse_recipe("average-to-sum, move-maxpool"), see)
    assert seen == [("average-to-sum", 0), ("move-maxpool", 1)]
    assert str(AverageToSum()) == "average-to-sum"
