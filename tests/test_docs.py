"""The programs and commands of the README and the docs, run as they stand."""

from __future__ import annotations

import importlib
import re
import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from command import onnx2snn
from data_files import cifar_values, write_cifar_binary

ROOT = Path(__file__).parent.parent
DEMO = Path(str(files("onnx2snn"))) / "demo"
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[tuple[str, str]]:
    return [
        (page.name, text)
        for page in PAGES
        for language, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if language == kind
    ]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(DEMO / "digits.onnx", tmp_path / "model.onnx")
    shutil.copy(DEMO / "digits.npz", tmp_path / "samples.npz")
    write_cifar_binary(tmp_path / "data" / "cifar10" / "data_batch_1.bin", *cifar_values(20, 10, 0))
    write_cifar_binary(tmp_path / "data" / "cifar10" / "test_batch.bin", *cifar_values(10, 10, 1))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "program"), blocks("python"))
def test_programs(page: str, program: str, workplace: Path) -> None:
    if 'backend="torch"' in program or "onnx2snn.training" in program:
        pytest.importorskip("torch", reason="the torch extra is not installed")
    exec(compile(program, page, "exec"), {"__name__": "docs"})


@pytest.mark.parametrize(("page", "text"), [(p, t) for p, t in blocks("sh") if "onnx2snn inspect" in t])
def test_commands(page: str, text: str, workplace: Path) -> None:
    lines = [line.partition("#")[0].split() for line in text.splitlines() if line.startswith("onnx2snn ")]
    assert lines, page
    for words in lines:
        result = onnx2snn(*words[1:])
        assert result.code == 0, (words, result.err)


def test_some_blocks_were_found() -> None:
    assert len(blocks("python")) >= 4
    assert any("pip install" in text for _, text in blocks("sh"))


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_ci_runs_the_readme_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert '-c constraints.txt -e ".[dev]"' in script
    assert script.rstrip().endswith("-m pytest")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_those_of_the_benchmarks(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    tables = importlib.import_module("tables")
    text = page.read_text(encoding="utf-8")
    assert tables.filled(text) == text


def test_some_tables_were_found() -> None:
    marks = [mark for page in PAGES for mark in re.findall("^<!-- end -->$", page.read_text(encoding="utf-8"), re.M)]
    assert len(marks) >= 4
