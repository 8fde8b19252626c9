"""SpikingJelly's counters on spikes and weights that were written down; runs in an environment of its own.

Prints one JSON object; called by benchmarks/counters.py --spikingjelly PYTHON.

    python benchmarks/counters_spikingjelly.py spikes.npz
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional


def synapse(arrays: Any, name: str, x: Tensor) -> Tensor:
    """One convolution or dense layer, without bias."""
    weight = torch.from_numpy(arrays[f"{name}:weight"]).float()
    if weight.ndim == 2:
        return functional.linear(x, weight)
    keys = ("strides", "pads", "dilations", "groups")
    stride, pads, dilation, groups = (arrays[f"{name}:{key}"].tolist() for key in keys)
    half = len(pads) // 2
    if pads[:half] != pads[half:]:
        raise SystemExit(f"{name}: the same padding on both sides expected, found {pads}")
    return torch.conv2d(x, weight, None, stride, pads[:half], dilation, groups)


def count(counter: Any, arrays: Any, name: str, x: Tensor) -> int:
    """What a counter says of one layer."""
    from spikingjelly.activation_based.op_counter import DispatchCounterMode  # type: ignore[import-not-found]

    with torch.no_grad(), DispatchCounterMode([counter]):
        synapse(arrays, name, x)
    return int(counter.get_total())


def main(path: str) -> None:
    from spikingjelly.activation_based.op_counter import MACCounter, SynOpCounter  # type: ignore[import-not-found]

    layers: dict[str, dict[str, int]] = {}
    with np.load(path) as arrays:
        for name in sorted({key.split(":")[0] for key in arrays.files}):
            train = torch.from_numpy(arrays[f"{name}:train"]).float()  # (ticks x samples, *features), signed
            signs = {"up": (train > 0).float(), "down": (train < 0).float()}
            layers[name] = {sign: count(SynOpCounter(), arrays, name, x) for sign, x in signs.items()}
            layers[name]["signed"] = count(SynOpCounter(), arrays, name, train)
            analog = torch.full_like(train[: int(arrays[f"{name}:samples"])], 0.5)
            layers[name]["macs"] = count(MACCounter(), arrays, name, analog)
    print(json.dumps({"spikingjelly": version("spikingjelly"), "layers": layers}))


if __name__ == "__main__":
    main(sys.argv[1])
