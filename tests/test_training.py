"""The trainer, and what says that torch is missing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the torch extra: pip install 'onnx2snn[torch]'")

from torch import nn  # noqa: E402

from onnx2snn.training import (  # noqa: E402
    LearnedStepActivation,
    LearnedStepWeight,
    QuantLinear,
    Recipe,
    accuracy,
    fit,
    predict,
)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of parallel test workers wait for each other; these networks need one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_fit_learns_and_repeats() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 256)
    x = rng.uniform(0, 0.4, (256, 1, 4, 4)).astype(np.float32)
    x[y == 1, :, :2] += 0.5
    recipe = Recipe(epochs=4, batch=32, shift=0.2)

    def train() -> tuple[np.ndarray, list[int]]:
        torch.manual_seed(0)
        model = nn.Sequential(
            nn.Flatten(),
            QuantLinear(16, 8, quantiser=LearnedStepWeight(4, 8)),
            LearnedStepActivation(),
            QuantLinear(8, 2),
        )
        epochs: list[int] = []
        fit(model, x, y, recipe, epochs.append)
        return predict(model, x), epochs

    (first, epochs), (second, _) = train(), train()
    assert epochs == [1, 2, 3, 4]
    assert accuracy(first, y) > 0.95
    np.testing.assert_array_equal(first, second)


def test_missing_torch_names_the_extra() -> None:
    program = "import sys; sys.modules['torch'] = None; import onnx2snn.training"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in result.stderr
    assert "onnx2snn[torch]" in result.stderr
