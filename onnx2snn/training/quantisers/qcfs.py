"""QCFS (Bu et al., "Optimal ANN-SNN Conversion", ICLR 2022): quantisation - clip - floor - shift."""

from __future__ import annotations

from onnx2snn.training.quantisers.clipped import ClippedActivation


class QcfsActivation(ClippedActivation):
    """y = lambda / L * clip(floor(x L / lambda + 1/2), 0, L): L levels.

    Ties go up as in an IF neuron with v0 = theta / 2. lambda is learned, with the
    gradients of `ClippedActivation`.
    """

    def __init__(self, levels: int, start: float = 8.0) -> None:
        super().__init__(levels, start, rounding="half-up")
