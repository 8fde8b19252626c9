"""Reports: facts, pictures, tables and the page, without a browser."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from command import one_line, onnx2snn
from long_report import huge
from models import lenet

import onnx2snn as package
from onnx2snn.artifact import LayerRecord
from onnx2snn.backends.numpy import NumpyBackend
from onnx2snn.errors import BackendError, DataError, MissingExtraError, UsageError
from onnx2snn.reporting import Report, report
from onnx2snn.reporting.facts import Layer, Placement
from onnx2snn.reporting.page import render
from onnx2snn.reporting.pictures import PICTURES, inline
from onnx2snn.reporting.pictures.canvas import labels
from onnx2snn.reporting.sampling import NEURONS, POPULATIONS, by_activity, spread
from onnx2snn.reporting.tables import tables
from onnx2snn.reporting.words import percent

DEMO = Path(str(files("onnx2snn"))) / "demo"
MODEL, DATA = DEMO / "digits.onnx", DEMO / "digits.npz"
VOID = {"meta", "link", "br", "img", "hr", "input"}
NASTY = '<script>alert("x")</script> & $\\frac{a}{b$ \u202etxt.exe \x07 \N{PILE OF POO}'


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("matplotlib", reason="the report extra is not installed")
    folder = tmp_path_factory.mktemp("artifacts")
    for code in ("st-bif", "if"):
        package.convert(MODEL, code=code).save(folder / code)
    with np.load(DATA) as samples:
        np.savez(folder / "few.npz", x=samples["x"][:12], y=samples["y"][:12])
        np.savez(folder / "unlabelled.npz", x=samples["x"][:3])
    return folder


@pytest.fixture(scope="module")
def whole(artifacts: Path) -> Report:
    return report(artifacts / "if", data=artifacts / "few.npz", model=MODEL, sample=2)


class Outline(HTMLParser):
    """Checks that elements nest, and notes headings, ids, links and what would be loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.loaded: list[str] = []
        self.unnamed: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._attributes(tag, {name: value or "" for name, value in attrs})

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._attributes(tag, {name: value or "" for name, value in attrs})

    def _attributes(self, tag: str, found: dict[str, str]) -> None:
        if "id" in found:
            self.ids.append(found["id"])
        for name in ("href", "src", "xlink:href", "action", "poster"):
            if name in found:
                (self.targets if found[name].startswith("#") else self.loaded).append(found[name])
        for value in found.values():
            self.targets += re.findall(r"url\((#[^)]+)\)", value)
        if (tag == "svg" and not (found.get("role") == "img" and found.get("aria-label"))) or (
            tag == "th" and "scope" not in found
        ):
            self.unnamed.append(tag)
        assert not any(name.startswith("on") for name in found), (tag, found)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    @property
    def headings(self) -> list[int]:
        return [int(tag[1]) for tag in self.tags if re.fullmatch("h[1-6]", tag)]


def outline(page: str) -> Outline:
    """Reads a page and asserts what must hold of every one."""
    found = Outline()
    found.feed(page)
    found.close()
    assert found.open == []
    assert len(found.ids) == len(set(found.ids)), "an id is there twice"
    assert {target.removeprefix("#") for target in found.targets} <= set(found.ids)
    assert all(address.startswith("data:") for address in found.loaded), found.loaded
    assert found.unnamed == []
    assert found.headings[0] == 1
    assert found.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    assert not {"script", "iframe", "object", "embed", "form"} & set(found.tags)
    return found


def page_of(facts: Report) -> str:
    return render(facts, inline(facts))


def test_the_facts_are_those_of_the_other_commands(whole: Report, artifacts: Path) -> None:
    simulated = package.simulate(artifacts / "if", artifacts / "few.npz")
    verified = package.verify(MODEL, artifacts / "if", artifacts / "few.npz", diagnose=True)
    assert verified.parity is not None
    assert whole.simulation is not None
    assert (whole.simulation.accuracy, whole.simulation.steps) == (simulated.accuracy, simulated.steps)
    assert [layer.rate for layer in whole.layers] == [layer.rate for layer in simulated.layers]
    assert whole.simulation.curve == simulated.curve
    assert whole.simulation.totals == simulated.totals
    compared = [layer.difference for layer in whole.layers if layer.difference is not None]
    assert [found.cumulative for found in compared] == [layer.cumulative for layer in verified.parity.layers]
    assert any(found.cumulative for found in compared)
    assert verified.diagnosis is not None
    assert [found.advice for found in compared] == [layer.advice for layer in verified.diagnosis.layers]
    assert all(sum(found.causes.values()) == found.cumulative for found in compared)
    assert whole.conversion.proven == verified.certificate.proven > 0
    assert len(whole.certificate) == len(verified.certificate.verdicts)
    assert whole.conversion.proved_from == "the model file"
    assert whole.missing == {}


def test_the_sample_is_the_one_asked_for(whole: Report, artifacts: Path) -> None:
    sample = whole.sample
    assert sample is not None
    with np.load(artifacts / "few.npz") as given:
        run = package.convert(MODEL, code="if").simulate(given["x"][2:3])
        assert sample.label == given["y"][2]
        np.testing.assert_allclose(np.asarray(sample.picture), given["x"][2, 0])
    assert sample.answer == run.output.argmax()
    for raster in sample.rasters:
        counts = run.counts[raster.name][0].ravel()[list(raster.shown)]
        sums = np.zeros(len(raster.shown), int)
        for _, row, spikes in raster.events:
            sums[row] += spikes
        np.testing.assert_array_equal(sums, counts)
        assert len(raster.shown) == NEURONS
    for membrane in sample.membranes:
        counts = run.counts[membrane.name][0].ravel()
        assert sum(membrane.spikes) == counts[membrane.neuron] == counts.max()
        for peak, after, spikes in zip(membrane.peaks, membrane.potentials, membrane.spikes, strict=True):
            assert peak == pytest.approx(after + spikes)
            assert spikes == (peak >= 1)


def test_a_large_network_is_followed_by_the_quick_simulator(
    whole: Report, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnx2snn.reporting.behaviour.MOST_WORK", 0)
    facts = report(artifacts / "if", data=artifacts / "few.npz", model=MODEL, sample=2)
    assert facts.sample is not None
    assert whole.sample is not None
    assert facts.sample.rasters == whole.sample.rasters
    assert facts.sample.membranes == ()
    assert "too large" in page_of(facts)


@pytest.mark.parametrize("code", ["signed-if", "lif", "store-and-forward", "ladder"])
def test_every_code(code: str, artifacts: Path, tmp_path: Path) -> None:
    package.convert(MODEL, code=code).save(tmp_path / "net")
    facts = report(tmp_path / "net", data=artifacts / "few.npz", model=MODEL)
    page = page_of(facts)
    outline(page)
    assert ("The answer takes one timestep." in page) == (code == "ladder")
    assert facts.sample is not None
    assert facts.sample.membranes
    assert {layer.op for layer in facts.layers} == {code}
    many = max(abs(spikes) for raster in facts.sample.rasters for _, _, spikes in raster.events)
    assert many > 1 if code == "ladder" else many == 1


def test_the_page_holds_together(whole: Report) -> None:
    page = page_of(whole)
    found = outline(page)
    assert found.tags.count("svg") == len(PICTURES)
    assert found.tags.count("table") == 4
    assert "Not exact" in page
    assert len(page) < 250_000


def test_an_exact_network_without_differences(artifacts: Path) -> None:
    facts = report(artifacts / "st-bif", data=artifacts / "unlabelled.npz", model=MODEL)
    page = page_of(facts)
    outline(page)
    assert facts.conversion.exact
    assert "No count differs" in page
    assert "Counts that differ" not in page
    assert "<dt>Accuracy</dt>" not in page
    assert "agreement with the last step" in page
    assert facts.sample is not None
    assert facts.sample.label is None


@pytest.mark.parametrize(
    ("given", "left_out"),
    [
        ({}, {"activity", "parity", "sample"}),
        ({"data": "few.npz"}, {"parity"}),
        ({"model": MODEL}, {"activity", "parity", "sample"}),
    ],
)
def test_what_is_left_out_says_how_to_get_it(given: dict[str, str | Path], left_out: set[str], artifacts: Path) -> None:
    data, model = (artifacts / given[key] if key in given else None for key in ("data", "model"))
    facts = report(artifacts / "st-bif", data=data, model=model)
    assert set(facts.missing) == left_out
    page = page_of(facts)
    outline(page)
    for text in facts.missing.values():
        assert "--data" in text or "--model" in text
        assert text in re.sub("</?code>", "", page)


def test_an_artifact_that_does_not_run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package.convert(MODEL).save(tmp_path / "net")

    def none(*_: object) -> None:
        raise BackendError("backend numpy has no simulator")

    monkeypatch.setattr(NumpyBackend, "simulator", none)
    facts = report(tmp_path / "net", data=DATA, model=MODEL)
    assert "backend numpy has no simulator" in facts.missing["parity"]
    assert facts.parity is None
    assert facts.simulation is not None  # the NumPy simulator runs it all the same
    assert facts.sample is not None
    outline(page_of(facts))


def test_spikes_lost_are_tried_and_told(artifacts: Path) -> None:
    facts = report(artifacts / "st-bif", data=artifacts / "few.npz", drops=(0.0001, 0.9))
    assert facts.simulation is not None
    little, much = facts.simulation.robustness
    assert (little.drop, little.runs, much.drop) == (0.0001, 3, 0.9)
    assert little.accuracy > much.accuracy
    page = page_of(facts)
    outline(page)
    assert "With spikes lost at random" in page
    assert f"{percent(0.9)} of all spikes lost" in page


def test_a_chip_s_network_is_shown_in_numpy_with_the_chip_s_latency(tmp_path: Path) -> None:
    package.convert(MODEL).save(tmp_path / "net", backend="tianjic")
    facts = report(tmp_path / "net", data=DATA)
    assert facts.simulation is not None
    assert facts.simulation.curve
    assert facts.simulation.totals is not None
    assert f"on the chip {facts.conversion.pipeline_steps} more" in page_of(facts)


@pytest.mark.parametrize(("backend", "chip"), [("loihi", "loihi1"), ("loihi", "loihi2"), ("tianjic", "tianjicx")])
def test_cores_of_a_chip_are_told_as_convert_tells_them(backend: str, chip: str, tmp_path: Path) -> None:
    words = "convert", MODEL, "--backend", backend, "--chip", chip, "-o"
    made = onnx2snn(*words, tmp_path / "net")
    assert made.code == 0, made.err
    lines = made.out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    table = "\n".join(lines[first:])
    assert f" of {chip}, " in table
    assert all(part in table for part in ("on the host", "\nfullest: core "))
    assert ("\nwhat binds: " in table) != ("\nno limit binds: every layer fits one core\n" in table + "\n")
    assert ("\nassumed: " in table) == (chip != "loihi1")
    assert f"\n{table}\n" in onnx2snn("report", tmp_path / "net").out
    found = onnx2snn("report", tmp_path / "net", "--json").json
    assert found["cores"] == onnx2snn(*words, tmp_path / "json", "--json").json["cores"]
    facts = Report.model_validate(found)
    assert facts.placement is not None
    page = page_of(facts)
    assert {"cores"} <= set(outline(page).ids)
    assert '<a href="#cores">' in page
    for sentence in facts.placement.sentences:
        assert sentence in unescape(page)
    files = tables(facts)
    assert Report.model_validate_json(files["report.json"]) == facts
    rows = list(csv.DictReader(files["cores.csv"].decode().splitlines()))
    assert [(row["layer"], int(row["cores"])) for row in rows] == [
        (layer["name"], layer["cores"]) for layer in found["cores"]["layers"]
    ]


def test_without_cores_nothing_is_said_of_them(artifacts: Path) -> None:
    facts = report(artifacts / "st-bif")
    assert (facts.cores, facts.placement) == (None, None)
    assert "cores" not in page_of(facts).lower()
    assert "cores" not in onnx2snn("report", artifacts / "st-bif").out


def test_names_are_text_whatever_they_say(whole: Report) -> None:
    layers = tuple(layer.model_copy(update={"name": NASTY}) for layer in whole.layers)
    certificate = tuple(op.model_copy(update={"name": NASTY, "reason": NASTY}) for op in whole.certificate)
    conversion = whole.conversion.model_copy(update={"model": NASTY, "claim": NASTY, "command": NASTY})
    assert whole.sample is not None
    rasters = tuple(raster.model_copy(update={"name": NASTY}) for raster in whole.sample.rasters)
    membranes = tuple(membrane.model_copy(update={"name": NASTY}) for membrane in whole.sample.membranes)
    sample = whole.sample.model_copy(update={"rasters": rasters, "membranes": membranes})
    facts = whole.model_copy(
        update={
            "layers": layers,
            "certificate": certificate,
            "conversion": conversion,
            "sample": sample,
            "placement": Placement(title=NASTY, columns=(NASTY,), rows=((NASTY,),), sentences=(NASTY,)),
            "findings": (NASTY,),
            "missing": {"activity": NASTY},
        }
    )
    page = page_of(facts)
    outline(page)
    assert "&lt;script&gt;" in page
    assert "\x07" not in page
    assert "\u202e" not in page
    assert all(content for content in tables(facts).values())


def test_a_model_with_nasty_names(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(lenet(tmp_path / "plain.onnx"))
    for node in model.graph.node:
        node.name = f"<script>{node.name}</script>"
    onnx.save(model, tmp_path / "nasty.onnx")
    np.savez(tmp_path / "x.npz", x=np.random.default_rng(0).random((2, 1, 12, 12), np.float32))
    package.convert(tmp_path / "nasty.onnx").save(tmp_path / "net")
    report(tmp_path / "net", tmp_path / "r.html", data=tmp_path / "x.npz", model=tmp_path / "nasty.onnx")
    outline((tmp_path / "r.html").read_text(encoding="utf-8"))


def test_hundreds_of_layers(whole: Report) -> None:
    pictures = inline(huge(whole, 300))
    for name in ("rates", "errors", "operations"):
        size = re.search(r'viewBox="0 0 432 (\d+)', pictures[name])
        assert size is not None
        assert int(size[1]) < 300, "a column for each, not a bar with its name"
        assert len(pictures[name]) < 60_000
    outline(render(huge(whole, 300), pictures))


def test_the_same_input_gives_the_same_bytes(whole: Report, artifacts: Path) -> None:
    again = report(artifacts / "if", data=artifacts / "few.npz", model=MODEL, sample=2)
    assert again == whole
    assert page_of(again) == page_of(whole)


def test_tables(whole: Report) -> None:
    made = tables(whole)
    assert Report.model_validate_json(made["report.json"]) == whole
    rows = {name: list(csv.DictReader(text.decode().splitlines())) for name, text in made.items() if "csv" in name}
    assert set(rows) == {
        f"{name}.csv" for name in ("causes", "certificate", "curve", "energy", "layers", "membranes", "spikes")
    }
    assert set(rows["certificate.csv"][0]) == set(LayerRecord.model_fields)
    assert set(Layer.model_fields) - set(rows["layers.csv"][0]) == {"difference"}
    assert whole.simulation is not None
    assert [float(row["accuracy"]) for row in rows["curve.csv"]] == [m.accuracy for m in whole.simulation.curve]
    assert len(rows["energy.csv"]) == len(whole.simulation.devices) > 1
    assert whole.sample is not None
    assert len(rows["spikes.csv"]) == sum(len(raster.events) for raster in whole.sample.rasters)
    assert len(rows["membranes.csv"]) == 3 * whole.sample.steps


def test_a_cell_is_no_formula(whole: Report) -> None:
    op = whole.certificate[0].model_copy(update={"name": "=1+1"})
    made = tables(whole.model_copy(update={"certificate": (op,)}))["certificate.csv"].decode()
    assert made.splitlines()[1].startswith("'=1+1,")


def test_few_populations_and_neurons_of_many() -> None:
    names = [f"n{i}" for i in range(53)]
    assert spread(names, POPULATIONS) == ["n0", "n10", "n21", "n31", "n42", "n52"]
    assert spread(names[:3], POPULATIONS) == names[:3]
    counts = np.array([[0, 5, -7], [5, 5, 1]])
    np.testing.assert_array_equal(by_activity(counts, 3), [2, 3, 5], "from 7 over 5 to 1")
    np.testing.assert_array_equal(by_activity(counts, 20), [2, 1, 3, 4, 5, 0], "the silent one last")
    np.testing.assert_array_equal(by_activity(np.array([0, 0, 2]), 2), [2, 0], "silent ones fill up")


def test_labels_keep_what_tells_names_apart() -> None:
    assert labels(["conv1.act.DequantizeLinear", "conv2.act.DequantizeLinear"]) == ["conv1…", "conv2…"]
    assert labels(["a.b", "c.b"]) == ["a.b", "c.b"]
    assert labels(["/a/very/long/name/of/layer/one", "/two"]) == ["…ong/name/of/layer/one", "/two"]


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_command_writes_everything(kind: str, artifacts: Path, tmp_path: Path) -> None:
    page, pictures, numbers = tmp_path / "r.html", tmp_path / "pictures", tmp_path / "tables"
    arguments = ("report", artifacts / "if", "-o", page, "--data", artifacts / "few.npz", "--model", MODEL)
    arguments += ("--pictures", pictures, "--format", kind, "--tables", numbers)
    result = onnx2snn(*arguments)
    assert result.code == 0, result.err
    outline(page.read_text(encoding="utf-8"))
    assert sorted(path.name for path in pictures.iterdir()) == sorted(f"{p.name}.{kind}" for p in PICTURES)
    first = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*.*"))}
    starts = {"png": b"\x89PNG", "svg": b"<?xml"}[kind]
    assert all(content.startswith(starts) for path, content in first.items() if path.parent == pictures)
    assert json.loads(first[numbers / "report.json"])["conversion"]["code"] == "if"
    one_line(onnx2snn(*arguments), "r.html: is there already; --force replaces it")
    assert onnx2snn(*arguments, "--force").code == 0
    assert {path: path.read_bytes() for path in sorted(tmp_path.rglob("*.*"))} == first


def test_lost_spikes_need_samples(artifacts: Path) -> None:
    one_line(onnx2snn("report", artifacts / "if", "--drop", "0.1"), "--drop: goes with samples (--data)")
    with pytest.raises(UsageError, match="drops: goes with samples"):
        report(artifacts / "if", drops=(0.1,))


def test_the_command_in_a_few_lines(artifacts: Path) -> None:
    result = onnx2snn("report", artifacts / "st-bif")
    assert result.code == 0, result.err
    assert "equal to the quantised network in every count, for every input" in result.out
    assert "left out: " in result.out
    assert result.out.splitlines()[-1] == "no page is written without -o PAGE.html"
    found = onnx2snn("report", artifacts / "st-bif", "--json").json
    assert Report.model_validate(found).conversion.exact


def test_a_finding_is_an_exit_code(artifacts: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    result = onnx2snn("report", artifacts / "st-bif", "-o", page, "--model", lenet(tmp_path / "other.onnx"))
    assert result.code == 1
    assert "was made from another file" in result.out + result.err


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda _: {"format": "gif"}, UsageError, "png or svg expected, found 'gif'"),
        (lambda f: {"data": f / "few.npz", "sample": 12}, DataError, "a sample from 0 to 11 expected, found 12"),
        (lambda f: {"out": f / "none" / "r.html"}, DataError, "a folder to write to expected"),
        (lambda f: {"tables": f / "few.npz"}, UsageError, "a folder expected, found a file"),
        (lambda f: {"out": f / "st-bif", "force": True}, UsageError, "is there already"),
    ],
)
def test_wrong_use(
    arguments: Callable[[Path], dict[str, object]], error: type[Exception], message: str, artifacts: Path
) -> None:
    with pytest.raises(error, match=message):
        report(artifacts / "st-bif", **arguments(artifacts))  # type: ignore[arg-type]


def test_without_the_extra(artifacts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnx2snn.extras.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"matplotlib and jinja2: pip install 'onnx2snn\[report\]'"):
        report(artifacts / "st-bif", tmp_path / "r.html")
    assert report(artifacts / "st-bif", tables=tmp_path / "t").conversion.exact
    assert (tmp_path / "t" / "report.json").exists()
