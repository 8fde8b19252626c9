"""`train`, `export` and `recipes` as they are called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import Result, one_line, onnx2snn

torch = pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")
pytest.importorskip("lightning", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from data_files import write_mnist  # noqa: E402

from onnx2snn.training import load_run  # noqa: E402
from onnx2snn.training.runs import read_record  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "mnist"
    write_mnist(folder, train=40, test=12)
    return folder


def train(images: Path, *arguments: object) -> Result:
    common = ("--arch", "lenet", "--data", "mnist", "--data-dir", images, "--recipe", "small-budget")
    return onnx2snn("train", *common, "--epochs", "1", "--batch", "12", "--device", "cpu", *arguments)


@pytest.fixture(scope="module")
def stages(images: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    out = tmp_path_factory.mktemp("runs") / "stages"
    return out, train(images, "--schedule", "32,4", "--scheme", "fast-snn", "-o", out, "--json", "--set", "clip=1.5")


def test_every_stage_starts_from_the_one_before(stages: tuple[Path, Result]) -> None:
    out, result = stages
    assert result.code == 0, result.err
    first, second = result.json["runs"]
    assert (first["bits"], first["init"], first["scheme"]) == (32, None, "fast-snn")
    assert (second["bits"], second["init"]) == (4, str(out / "32-bit"))
    assert first["finished"]
    assert first["recipe"]["clip"] == 1.5
    assert (first["recipe"]["rate"], second["recipe"]["rate"]) == (0.05, 0.02)
    assert read_record(out / "4-bit").command.startswith("onnx2snn train --arch lenet")
    splits = {(out / name / "split.json").read_bytes() for name in ("", "32-bit", "4-bit")}
    assert len(splits) == 1
    network, run = load_run(out / "4-bit")
    assert run.bits == 4
    assert network(torch.zeros(1, 1, 28, 28)).shape == (1, 10)


def test_a_schedule_goes_on(stages: tuple[Path, Result], images: Path) -> None:
    out, _ = stages
    before = [(out / f"{bits}-bit" / "run.json").stat().st_mtime_ns for bits in (32, 4)]
    result = train(images, "--schedule", "32,4,2", "--scheme", "fast-snn", "-o", out, "--set", "clip=1.5", "--resume")
    assert result.code == 0, result.err
    assert before == [(out / f"{bits}-bit" / "run.json").stat().st_mtime_ns for bits in (32, 4)]
    assert "2-bit" in result.out
    assert read_record(out / "2-bit").init == str(out / "4-bit")


def test_a_run_starts_from_another_with_its_split(stages: tuple[Path, Result], images: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = train(images, "--bits", "3", "--scheme", "lsq", "--init", stages[0] / "32-bit", "--seed", "5", "-o", out)
    assert result.code == 0, result.err
    assert (out / "split.json").read_bytes() == (stages[0] / "split.json").read_bytes()


def test_what_is_refused(stages: tuple[Path, Result], images: Path, tmp_path: Path) -> None:
    out, run = stages[0], tmp_path / "run"
    one_line(train(images, "-o", out), "holds a run already", "--resume", "--force")
    one_line(train(images, "-o", out, "--force", "--resume"), "one of the two expected")
    one_line(train(images, "-o", out, "--force", "--init", out / "32-bit"), "--force would replace")
    one_line(train(images, "-o", images), "is not a run; it is left alone")
    one_line(train(images, "-o", run, "--init", out), "a run's record expected, found none", "32-bit, 4-bit")
    one_line(train(images, "-o", run, "--bits", "4", "--schedule", "4,3"), "one of the two")
    one_line(train(images, "-o", run, "--schedule", "4,4"), "precisions that differ")
    one_line(train(images, "-o", run, "--schedule", "4;3"), "numbers of bits with commas")
    one_line(train(images, "-o", run, "--set", "rate"), "KEY=VALUE expected, found 'rate'")
    one_line(train(images, "-o", run, "--set", "speed=3"), "found 'speed'")
    one_line(train(images, "-o", run, "--option", "grid=round", "--scheme", "fast-snn"), "found 'round'")
    one_line(train(images, "-o", run, "--device", "tpu"), "one of auto, cpu, gpu")
    one_line(train(images, "-o", run, "--arch", "lenets"), "no architecture 'lenets'")
    one_line(train(images, "-o", run, "--data-dir", tmp_path / "none"), "a folder of data expected")
    one_line(onnx2snn("train", "-o", run, "--data", "mnist", "--data-dir", images), "--arch expected")
    result = train(images, "--arch", "alexnet", "--init", out / "4-bit", "-o", run)
    one_line(result, "starting from", "4-bit (lenet)", "expected, found none")
    one_line(train(images, "-o", run, "--schedule", "32,9"), "2 to 8 (or 32 for none) expected, found 9")
    one_line(train(images, "-o", run, "--scheme", "rate-norm", "--bits", "4"), "32 bits expected", "found 4")
    one_line(train(images, "-o", run, "--set", "trains=quantisers"), "a run to start from (--init) expected")
    assert not run.exists()
    result = train(images, "--schedule", "32,4", "-o", out, "--force", "--data-dir", tmp_path / "none")
    one_line(result, "a folder of data expected")
    assert read_record(out / "4-bit").finished


def test_rate_norm_networks_have_32_bits_unless_told(images: Path, tmp_path: Path) -> None:
    result = train(images, "-o", tmp_path / "run", "--arch", "rnl-cnn", "--scheme", "rate-norm", "--json")
    assert result.code == 0, result.err
    assert result.json["runs"][0]["bits"] == 32


def test_an_interrupted_command_says_how_to_go_on(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnx2snn.training.fit.keep_best import KeepBest

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(KeepBest, "on_train_epoch_end", stop)
        result = train(images, "-o", tmp_path / "run")
    assert result.code == 130
    assert result.err.strip().endswith("--resume goes on from the last whole epoch")
    assert not read_record(tmp_path / "run").finished
    assert train(images, "-o", tmp_path / "run", "--resume").code == 0


# ---------------------------------------------------------------- export


@pytest.mark.parametrize("dialect", ["qcdq", "qonnx"])
def test_a_run_becomes_a_file_that_converts(stages: tuple[Path, Result], dialect: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    result = onnx2snn("export", stages[0] / "4-bit", "-o", path, "--dialect", dialect, "--samples", 20, "--json")
    assert result.code == 0, result.err
    assert result.json["parity"]["images"] == 20
    assert result.json["parity"]["differing"] == 0
    assert onnx2snn("convert", path, "-o", tmp_path / "snn").code == 0
    one_line(onnx2snn("export", stages[0] / "4-bit", "-o", path), "is there already; --force")
    assert onnx2snn("export", stages[0] / "4-bit", "-o", path, "--dialect", dialect, "--force").code == 0


def test_a_file_is_checked_on_validation_images(stages: tuple[Path, Result], images: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    result = onnx2snn("export", stages[0] / "4-bit", "-o", path, "--data-dir", images)
    assert result.code == 0, result.err
    assert "0 of 4 samples" in result.out


def test_what_cannot_be_exported(stages: tuple[Path, Result], tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    one_line(onnx2snn("export", stages[0], "-o", path), "it holds the runs")
    one_line(onnx2snn("export", stages[0] / "4-bit", "-o", path, "--dialect", "tflite"), "no dialect 'tflite'")
    assert not path.exists()


def test_a_file_that_computes_something_else_is_not_written(
    stages: tuple[Path, Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from onnx2snn.training import export

    def shuffled(*arguments: object) -> object:
        return export.Parity(runner="ONNX Runtime", differing=7, images=20, largest=1.0)

    monkeypatch.setattr(export, "compare", shuffled)
    path = tmp_path / "model.onnx"
    one_line(onnx2snn("export", stages[0] / "4-bit", "-o", path), "computes another network", "7 of 20")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- recipes, extras


def test_recipes_are_listed() -> None:
    assert "fast-snn-cifar10" in onnx2snn("recipes").out
    names = [plan["name"] for plan in onnx2snn("recipes", "--json").json["recipes"]]
    assert names == sorted(names)


def test_a_missing_extra_is_named() -> None:
    call = "sys.argv[1:] = ['train', '-o', 'x']; from onnx2snn.cli.app import main; main()"
    for module in ("lightning", "torch"):
        program = f"import sys; sys.modules['{module}'] = None; {call}"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
        assert "pip install 'onnx2snn[train]'" in done.stderr


def test_the_commands_load_neither_torch_nor_lightning() -> None:
    program = "import sys, onnx2snn.cli.app; sys.exit(bool({'torch', 'lightning'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_random_pixels_are_what_a_network_takes(stages: tuple[Path, Result]) -> None:
    from onnx2snn.training.runs import sample_images

    x = sample_images(read_record(stages[0] / "4-bit"), stages[0], 3)
    assert x.shape == (3, 1, 28, 28)
    assert x.dtype == np.float32
    assert 0 <= x.min() < 0.1 < 0.9 < x.max() <= 1
