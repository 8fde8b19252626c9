"""What is measured of an artifact beside its model."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from onnx2snn.ir import Array


@dataclass
class LayerParity:
    """Counts of one population against the model's.

    alone: differing counts when fed the reference's own counts, evenly spread.  cumulative: in the running network.
    rounding: those of the cumulative ones where float64 sides with the spiking network: float32 near-ties.
    worst, worst_alone: the largest difference in the network, and alone.
    """

    name: str
    counts: int = 0
    alone: int | None = None
    cumulative: int = 0
    rounding: int = 0
    worst: int = 0
    worst_alone: int = 0


@dataclass
class Parity:
    """What was measured on samples.

    argmax_agreement: share of samples with the model's answer; an answer that ties with it counts.
    calibrated: the network is quantised otherwise than the model (calibrated, or approximated by a pass), so counts
    are compared with its own staircases in float64 and only outputs with the model's.
    executor: what ran the model.
    """

    samples: int = 0
    calibrated: bool = False
    argmax_agreement: float | None = None
    accuracy: float | None = None
    model_accuracy: float | None = None
    largest_output_error: float = 0.0
    steps: int = 0
    layers: list[LayerParity] = field(default_factory=list)
    executor: str = ""


def agreeing(found: Array, expected: Array) -> int:
    """Samples whose answer is the model's, or ties with it to float32."""
    chosen = np.take_along_axis(expected, found.argmax(axis=1)[:, None], axis=1)[:, 0]
    most = expected.max(axis=1)
    return int((chosen >= most - 1e-6 * np.maximum(1.0, np.abs(most))).sum())
