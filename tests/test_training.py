"""What says that torch is missing."""

from __future__ import annotations

import subprocess
import sys


def test_missing_torch_names_the_extra() -> None:
    program = "import sys; sys.modules['torch'] = None; import onnx2snn.training"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "MissingExtraError" in result.stderr
    assert "onnx2snn[train]" in result.stderr
