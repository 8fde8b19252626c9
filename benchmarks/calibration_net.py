"""The float network of the calibration benchmark; needs torch alone, so that other environments can load it."""

from __future__ import annotations

from torch import nn


def network() -> nn.Sequential:
    """Conv 16, average pool, Conv 32, Conv 32, average pool, Linear 128, Linear 10, for 28 x 28 images.

    Four ReLUs, BatchNorm behind every convolution; 216,000 parameters.
    """
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, bias=False),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 49, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
