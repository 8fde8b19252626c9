"""Training: what is kept, how an interrupted run goes on, what is refused."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")
pytest.importorskip("lightning", reason="training needs the train extra: pip install 'onnx2snn[train]'")

from small_training import data, losses, network, noise, recipe  # noqa: E402
from torch import Tensor  # noqa: E402

from onnx2snn.errors import DataError, UsageError  # noqa: E402
from onnx2snn.training.evaluate import accuracy, predict  # noqa: E402
from onnx2snn.training.fit import How, array_data, fit  # noqa: E402
from onnx2snn.training.fit.loaders import EvenBatches, evaluation_loader, limited, training_loader  # noqa: E402
from onnx2snn.training.runs import NETWORK, RECORD, Run, RunError, load_run  # noqa: E402
from onnx2snn.training.starting import start_from  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tensors(module: Any) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def assert_same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=0, msg=name)


# ---------------------------------------------------------------- what a run leaves


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run, Any]:
    folder = tmp_path_factory.mktemp("runs") / "run"
    model = network()
    run = fit(model, data(192), recipe(epochs=8), folder, how=How(device="cpu"))
    return folder, run, model


def test_it_learns(trained: tuple[Path, Run, Any]) -> None:
    folder, run, _ = trained
    assert run.finished
    assert run.validation is not None
    assert run.validation > 0.8
    assert run.images == 192
    found = losses(folder)
    assert len(found) == 8 * 6
    assert found[-1] < 0.5 * found[0]


def test_the_network_in_the_folder_is_the_one_that_was_best(trained: tuple[Path, Run, Any]) -> None:
    folder, run, model = trained
    loaded, record = load_run(folder, network())
    assert record == run
    assert not loaded.training
    assert_same(tensors(loaded), tensors(model))
    for part, expected in ((data().validation, run.validation), (data().test, run.test)):
        x, y = (tensor.numpy() for tensor in part[:])  # pyright: ignore[reportGeneralTypeIssues, reportIndexIssue]
        assert accuracy(predict(loaded, x), y) == pytest.approx(expected, abs=1e-6)


def test_a_later_epoch_that_is_no_better_changes_nothing(tmp_path: Path) -> None:
    best: list[float | None] = []
    digests: list[str] = []

    def watch(run: Run) -> None:
        best.append(run.validation)
        digests.append(run.sha256)

    run = fit(
        network(), data(), recipe(epochs=6, rate=1.0, schedule="constant"), tmp_path / "run", how=How(after_epoch=watch)
    )
    assert best == sorted(best, key=lambda value: value or 0)
    assert digests[run.best_epoch - 1 :] == [run.sha256] * (7 - run.best_epoch)
    assert run.best_epoch < 6, "choose another rate: the last epoch must not be the best one here"


def test_the_same_seed_gives_the_same_network(tmp_path: Path, trained: tuple[Path, Run, Any]) -> None:
    model = network()
    run = fit(model, data(192), recipe(epochs=8), tmp_path / "again")
    assert run.sha256 == trained[1].sha256


# ---------------------------------------------------------------- interrupted


def stop_after(epoch: int) -> How:
    def stop(run: Run) -> None:
        if run.epochs == epoch:
            raise KeyboardInterrupt

    return How(after_epoch=stop)


def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    images, steps = data(augment=noise), recipe(epochs=4, schedule="cosine", warmup=0.3)
    whole = network()
    expected = fit(whole, images, steps, tmp_path / "whole")
    folder = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        fit(network(), images, steps, folder, how=stop_after(3))
    partial, record = load_run(folder, network())
    assert not record.finished
    assert record.test is None
    assert not partial.training
    resumed = network()
    found = fit(resumed, images, steps, folder, resume=True)
    free = {"seconds": 0.0}
    assert found.model_copy(update=free) == expected.model_copy(update=free)
    assert_same(tensors(resumed), tensors(whole))


def test_a_run_that_stopped_in_its_first_epoch_starts_again(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fit(network(), data(), recipe(), tmp_path, how=stop_after(1))
    assert fit(network(), data(), recipe(), tmp_path, resume=True).finished


def test_a_finished_run_is_left_as_it_is(trained: tuple[Path, Run, Any]) -> None:
    folder, run, model = trained
    before = (folder / RECORD).stat().st_mtime_ns
    other = network()
    assert fit(other, data(192), recipe(epochs=8), folder, resume=True) == run
    assert (folder / RECORD).stat().st_mtime_ns == before
    assert_same(tensors(other), tensors(model))


def test_a_run_is_not_overwritten_or_continued_as_another(trained: tuple[Path, Run, Any]) -> None:
    with pytest.raises(UsageError, match="holds a run already; resume goes on"):
        fit(network(), data(192), recipe(epochs=8), trained[0])
    with pytest.raises(UsageError, match=r"rate 0\.05 expected, found 0\.07"):
        fit(network(), data(192), recipe(epochs=8, rate=0.07), trained[0], resume=True)
    with pytest.raises(UsageError, match=r"epochs 8 expected, found 9"):
        fit(network(), data(192), recipe(epochs=9), trained[0], resume=True)
    with pytest.raises(UsageError, match="data quarters expected, found halves"):
        fit(network(), replace(data(192), name="halves"), recipe(epochs=8), trained[0], resume=True)


class Trap:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def test_a_checkpoint_is_not_unpickled(tmp_path: Path) -> None:
    folder, sprung = tmp_path / "run", tmp_path / "sprung"
    with pytest.raises(KeyboardInterrupt):
        fit(network(), data(), recipe(), folder, how=stop_after(2))
    checkpoint = folder / "checkpoints" / "last.ckpt"
    for content in (pickle.dumps(Trap(sprung)), b"no checkpoint"):
        checkpoint.write_bytes(content)
        with pytest.raises(RunError, match=r"last\.ckpt: a checkpoint"):
            fit(network(), data(), recipe(), folder, resume=True)
    torch.save({"state_dict": Trap(sprung)}, checkpoint)
    with pytest.raises(RunError, match=r"last\.ckpt: a checkpoint"):
        fit(network(), data(), recipe(), folder, resume=True)
    assert not sprung.exists()


def test_a_loss_that_is_not_finite_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the loss is nan after epoch"):
        fit(network(norm=False), data(), recipe(rate=1e30, clip=None), tmp_path / "run")


# ---------------------------------------------------------------- reading runs


@pytest.fixture
def copy(trained: tuple[Path, Run, Any], tmp_path: Path) -> Path:
    for name in (RECORD, NETWORK):
        (tmp_path / name).write_bytes((trained[0] / name).read_bytes())
    return tmp_path


def test_damaged_runs_are_named(copy: Path) -> None:
    with pytest.raises(RunError, match="not of the zoo"):
        load_run(copy)
    with pytest.raises(RunError, match=r"fc1\.weight: shape \(5, 16\) expected, found \(12, 16\)"):
        load_run(copy, network(width=5))
    with pytest.raises(RunError, match=r"tensors bn1\.bias, .* belong to no module"):
        load_run(copy, network(norm=False))
    content = (copy / NETWORK).read_bytes()
    (copy / NETWORK).write_bytes(content[:-1])
    with pytest.raises(RunError, match="changed after it was written"):
        load_run(copy, network())
    (copy / NETWORK).unlink()
    with pytest.raises(RunError, match="a network expected"):
        load_run(copy, network())
    record = json.loads((copy / RECORD).read_text())
    (copy / RECORD).write_text(json.dumps(record | {"bits": "many"}))
    with pytest.raises(RunError, match=r"bits: .* found 'many'"):
        load_run(copy, network())
    (copy / RECORD).unlink()
    with pytest.raises(RunError, match="a run's record expected, found none"):
        load_run(copy, network())


# ---------------------------------------------------------------- starting from another network


def test_a_quantised_network_starts_from_a_real_one() -> None:
    real, quantised = network(32), network(4)
    torch.nn.init.normal_(real.get_submodule("fc1").weight)  # pyright: ignore[reportArgumentType]
    start_from(quantised, real)
    for name, tensor in real.state_dict().items():
        torch.testing.assert_close(quantised.state_dict()[name], tensor, rtol=0, atol=0)
    start_from(network(32), quantised)


def test_steps_are_taken_over_at_the_same_precision_alone() -> None:
    def steps(model: Any) -> dict[str, Tensor]:
        return {name: tensor for name, tensor in tensors(model).items() if "quantiser" in name or "act" in name}

    with torch.no_grad():
        old = network(4)
        old(torch.rand(8, 1, 4, 4))
        same, other = network(4), network(3)
        start_from(same, old, same=True)
        fresh = steps(other)
        start_from(other, old)
    assert_same(steps(same), steps(old))
    assert_same(steps(other), fresh)


def test_a_start_that_does_not_fit_names_the_tensors() -> None:
    with pytest.raises(RunError, match=r"starting from OLD: bn1\.weight, bn1\.bias.* expected, found none"):
        start_from(network(), network(norm=False), name="OLD")
    with pytest.raises(RunError, match=r"bn1\.weight.* found, which the network does not have"):
        start_from(network(norm=False), network())
    with pytest.raises(RunError, match="shape"):
        start_from(network(width=5), network())


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("count", [5, 16, 33, 64, 65])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_evaluation_meets_every_image_once_in_as_many_batches_everywhere(count: int, processes: int) -> None:
    shares = [list(EvenBatches(count, 16, processes, rank)) for rank in range(processes)]
    assert len({len(share) for share in shares}) == 1
    assert sorted(i for share in shares for batch in share for i in batch) == list(range(count))
    assert all(1 <= len(batch) <= 16 for share in shares for batch in share)


def test_processes_share_the_batches_of_one() -> None:
    images = data(70).train
    alone = [batch[0] for batch in training_loader(images, 16, seed=3)]
    pair = [training_loader(images, 16, 3, 2, rank) for rank in range(2)]
    together = [torch.cat([first[0], second[0]]) for first, second in zip(*pair, strict=True)]
    assert len(alone) == len(together) == 4

    def rows(batch: Tensor) -> list[list[float]]:
        return sorted(batch.flatten(1).tolist())

    assert [rows(batch) for batch in alone] == [rows(batch) for batch in together]


def test_small_data_makes_one_small_batch() -> None:
    assert [len(y) for _, y in training_loader(data(10).train, 32, 0)] == [10]
    assert [len(y) for _, y in training_loader(limited(data(50).train, 20, 0), 16, 0)] == [16]


def test_batches_that_cannot_be_shared() -> None:
    with pytest.raises(UsageError, match="2 processes can share equally expected, found 15"):
        training_loader(data().train, 15, 0, 2)
    with pytest.raises(DataError, match="at least 4 training images expected, found 3"):
        training_loader(data(3).train, 16, 0, 2)
    with pytest.raises(DataError, match="at least 40 images to evaluate on expected, found 32"):
        evaluation_loader(data().validation, 16, 40)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((2, 4, 4)), np.zeros(2, int), r"images \(N, C, H, W\) .* found \(2, 4, 4\)"),
        (np.zeros((2, 1, 4, 4)), np.zeros(3, int), r"found \(2, 1, 4, 4\) and \(3,\)"),
        (np.zeros((2, 1, 4, 4)), np.array([0, 2]), "classes from 0 to 1 expected"),
    ],
)
def test_arrays_that_are_no_data(x: np.ndarray, y: np.ndarray, message: str) -> None:
    sound = np.zeros((2, 1, 4, 4)), np.zeros(2, np.int64)
    with pytest.raises(DataError, match=f"mine, test: .*{message}"):
        array_data("mine", sound, sound, (x, y), classes=("a", "b"))
