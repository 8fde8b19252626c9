"""The house as it is drawn: who may import whom, names, sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from onnx2snn.ir.ops import ALL_OPS, OP_BY_NAME
from onnx2snn.passes import PASSES

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "onnx2snn").rglob("*.py"))


def test_import_rules() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed")
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_pass_is_a_file_of_its_name() -> None:
    assert len(PASSES) >= 10
    for name, kind in PASSES.items():
        assert kind.__module__ == f"onnx2snn.passes.{name.replace('-', '_')}"
        assert kind.__name__ == "".join(word.capitalize() for word in name.split("-"))


def test_ops_have_one_name_each() -> None:
    assert len(OP_BY_NAME) == len(ALL_OPS) >= 20


def test_files_and_functions_stay_small() -> None:
    assert len(SOURCES) > 60
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") <= 400, f"{path.name} is too long for one idea"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and path.parent.name != "cli":
                assert (node.end_lineno or 0) - node.lineno <= 60, f"{path.name}: {node.name} is too long"


def test_no_bare_exceptions_are_raised() -> None:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and isinstance(node.exc.func, ast.Name):
                assert node.exc.func.id not in ("Exception", "RuntimeError"), f"{path.name}:{node.lineno}"


def test_public_names_are_all_there() -> None:
    import onnx2snn

    assert onnx2snn.__all__ == sorted(onnx2snn.__all__)
    for name in onnx2snn.__all__:
        assert getattr(onnx2snn, name) is not None
