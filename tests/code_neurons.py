"""A neuron of a code in whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np


def whole(kind: Any, theta: int, v0: int, **rest: Any) -> Any:
    arrays = {"theta": np.asarray(theta), "v0": np.asarray(v0), "bias": np.asarray(0), "value": np.asarray(1)}
    return kind(**(arrays | rest))
