"""What all tests share: the Hypothesis profile and the option that rewrites golden files."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "onnx2snn",
    deadline=None,  # a busy machine is not a failure
    max_examples=40,
    derandomize=True,  # one commit passes or fails always; --hypothesis-profile=thorough looks for more
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", settings.get_profile("onnx2snn"), max_examples=1000, derandomize=False)
settings.load_profile("onnx2snn")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what the passes give now into tests/golden")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
