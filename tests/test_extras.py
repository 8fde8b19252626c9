"""What is said where a package is missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from netx_models import NETX_MODELS

from onnx2snn import convert
from onnx2snn.errors import MissingExtraError
from onnx2snn.extras import EXTRAS, lacking, need

DEPENDENCIES = tomllib.loads(Path("pyproject.toml").read_text())["project"]["optional-dependencies"]
DISTRIBUTIONS = {"PIL": "pillow", "h5py": "h5py"}  #: those called otherwise than what they hold
WITHOUT = """
import sys
from unittest.mock import patch
for name in sys.argv[1].split(","):
    sys.modules[name] = None
from onnx2snn.cli.app import main
sys.argv = ["onnx2snn", *sys.argv[2:]]
main()
"""


@pytest.mark.parametrize("package", EXTRAS)
def test_every_extra_brings_what_it_is_named_for(package: str) -> None:
    wanted = DISTRIBUTIONS.get(package, package)
    assert any(entry.partition(">")[0] == wanted for entry in DEPENDENCIES[EXTRAS[package]])


def test_words_for_several_packages() -> None:
    assert lacking(["h5py", "nir"]) == "needs h5py and nir: pip install 'onnx2snn[loihi,nir]'"
    assert lacking(["torch"], extra="train") == "needs PyTorch: pip install 'onnx2snn[train]'"
    assert lacking(["their_package"]) == "needs their_package: pip install their_package"
    need("nothing", "numpy")
    with pytest.raises(MissingExtraError, match="this needs not_there: pip install not_there"):
        need("this", "numpy", "not_there")


def without(gone: str, *words: object) -> subprocess.CompletedProcess[str]:
    """Runs `onnx2snn` with these words where the packages `gone` are not there."""
    command = [sys.executable, "-c", WITHOUT, gone, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("gone", "command", "extra"),
    [
        ("torch", "export {out} -o {out}.onnx", "train"),
        ("lightning", "train --recipe fast-snn-mnist -o {out}", "train"),
        ("nir", "convert {model} -o {out} --backend nir --code if", "nir"),
        ("h5py", "convert {model} -o {out} --backend netx --approximate --weight-bits 3 --weight-scale layer", "loihi"),
        ("h5py", "inspect {out}.nir", "nir"),
        ("jinja2", "report {out} -o {out}.html", "report"),
        ("nir,h5py", "backends", "nir"),
    ],
)
def test_commands_say_what_to_install(gone: str, command: str, extra: str, tmp_path: Path) -> None:
    (tmp_path / "net.nir").write_bytes(b"\x89HDF\r\n\x1a\n")
    words = command.format(model="onnx2snn/demo/digits.onnx", out=tmp_path / "net").split()
    answer = without(gone, *words)
    assert f"pip install 'onnx2snn[{extra}]'" in answer.stdout + answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_missing_package_is_said_before_what_the_backend_cannot_take(tmp_path: Path) -> None:
    """The demo network breaks rules of netx."""
    answer = without("h5py", "convert", "onnx2snn/demo/digits.onnx", "-o", tmp_path / "net", "--backend", "netx")
    assert answer.stderr.startswith("onnx2snn: backend netx needs h5py: pip install 'onnx2snn[loihi]'")
    assert "cannot take" not in answer.stderr


def test_recipes_are_listed_without_torch() -> None:
    answer = without("torch,lightning", "recipes", "--json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert '"name": "fast-snn-mnist"' in answer.stdout


def test_verify_without_h5py_is_an_error_and_no_finding(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="the loihi extra is not installed")
    model = NETX_MODELS["dense"](tmp_path / "m.onnx")
    convert(model, steps=1).save(tmp_path / "net", "netx")
    answer = without("h5py", "verify", model, tmp_path / "net")
    assert answer.stderr == "onnx2snn: backend netx needs h5py: pip install 'onnx2snn[loihi]'\n"
    assert (answer.returncode, answer.stdout) == (2, "")
