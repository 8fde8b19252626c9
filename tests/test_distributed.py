"""Two processes under torchrun train as one does with the summed batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")
pytest.importorskip("lightning", reason="training needs the train extra: pip install 'onnx2snn[train]'")

import small_training  # noqa: E402

from onnx2snn.training.fit import How, fit  # noqa: E402
from onnx2snn.training.runs import load_run  # noqa: E402

TOLERANCE = 1e-5
"""Of losses about 1: float32 gradients summed in another order, over nine steps. Measured: 3e-7."""


def torchrun(*arguments: object, processes: int = 2) -> None:
    """Runs a script in several processes of this machine."""
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    here = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here.parent), str(here)]), "OMP_NUM_THREADS": "1"}
    command = [*words, *(str(argument) for argument in arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def test_two_processes_train_as_one(tmp_path: Path) -> None:
    torchrun(small_training.__file__, tmp_path / "two")
    alone = small_training.network(norm=False)
    expected = fit(alone, small_training.data(), small_training.recipe(), tmp_path / "one", how=How(device="cpu"))
    together, found = load_run(tmp_path / "two", small_training.network(norm=False))
    ours, theirs = (small_training.losses(tmp_path / name) for name in ("one", "two"))
    assert len(ours) == len(theirs) == 9
    assert theirs == pytest.approx(ours, abs=TOLERANCE)
    assert (found.processes, expected.processes) == (2, 1)
    assert (found.validation, found.test) == (expected.validation, expected.test)
    for (name, one), (_, two) in zip(alone.state_dict().items(), together.state_dict().items(), strict=True):
        torch.testing.assert_close(two, one, rtol=0, atol=TOLERANCE, msg=name)
    assert len(list((tmp_path / "two" / "log").iterdir())) == 1, "the first process alone writes"
