"""SpikingJelly's rate-coding conversion of the network of the calibration benchmark, for comparison.

Runs in an environment of its own (`pip install torch spikingjelly`) and prints one JSON object; called by
benchmarks/calibration.py --spikingjelly PYTHON.

    python benchmarks/calibration_spikingjelly.py weights.pt images.npz 4,8,16,32,64
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from calibration_net import network
from torch import Tensor, nn


def convert(ann: nn.Module, calibration: Tensor, mode: str) -> nn.Module:
    """By version 2's recipes, or by the converter of versions before."""
    from spikingjelly.activation_based import ann2snn  # type: ignore[import-not-found]

    loader = [(batch, None) for batch in calibration.split(64)]
    if hasattr(ann2snn, "RateCodingRecipe"):
        return ann2snn.Converter(ann2snn.RateCodingRecipe(dataloader=loader, mode=mode)).convert(ann)
    return ann2snn.Converter(dataloader=loader, mode=mode)(ann)


@torch.no_grad()
def accuracies(snn: nn.Module, x: Tensor, y: Tensor, times: list[int]) -> dict[str, float]:
    """Accuracy of the summed output after each of `times` steps."""
    from spikingjelly.activation_based import functional  # type: ignore[import-not-found]

    snn.eval()
    right = dict.fromkeys(times, 0)
    for images, labels in zip(x.split(250), y.split(250), strict=True):
        functional.reset_net(snn)
        total: Any = 0
        for step in range(1, max(times) + 1):
            total = total + snn(images)
            if step in right:
                right[step] += int((total.argmax(1) == labels).sum())
    return {str(step): count / len(x) for step, count in right.items()}


def main() -> None:
    weights, images, times = sys.argv[1], sys.argv[2], [int(t) for t in sys.argv[3].split(",")]
    torch.manual_seed(0)
    with np.load(images) as arrays:
        calibration, x, y = (torch.from_numpy(arrays[name]) for name in ("calibration", "x", "y"))
    rows = []
    for mode in ("max", "99.9%"):
        ann = network()
        ann.load_state_dict(torch.load(weights, weights_only=True))
        ann.eval()
        start = time.perf_counter()
        found = accuracies(convert(ann, calibration, mode), x, y, times)
        rows.append({"mode": mode, "accuracy": found, "seconds": round(time.perf_counter() - start, 1)})
    print(json.dumps({"version": version("spikingjelly"), "rows": rows}))


if __name__ == "__main__":
    main()
