"""Fast-SNN's quantisers (Hu et al., TPAMI 45(12), 2023), which build on APoT (Li et al., ICLR 2020)."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from onnx2snn.errors import UsageError
from onnx2snn.training.quantisers.base import WeightQuantiser, check_bits, positive, with_gradients
from onnx2snn.training.quantisers.clipped import ClippedActivation

Grid = Literal["apot", "uniform"]

#: APoT: magnitude = a sum with one power 2^-e, or nothing, from each group of exponents; by the bits of the magnitude.
EXPONENTS: dict[int, tuple[tuple[int, ...], ...]] = {
    1: ((0,),),
    2: ((1, 2, 3),),
    3: ((1, 2, 4), (3,)),
    4: ((1, 3, 5), (2, 4, 6)),
    5: ((1, 3, 6), (2, 4, 7), (5,)),
}


def apot_levels(bits: int) -> tuple[int, ...]:
    """The magnitudes of APoT weights with `bits` bits, one of them the sign, as whole numbers in ascending order.

    In units of the smallest power of the grid: (0, 1, 2, 4) at 3 bits, (0, 1, 2, 3, 4, 6, 8, 10) at 4. The grid is
    scaled so that its largest level is the clip, so only their ratios matter.
    """
    if bits - 1 not in EXPONENTS:
        raise UsageError(f"APoT weights: 2 to 6 bits expected, found {bits}")
    groups = EXPONENTS[bits - 1]
    unit = max(max(group) for group in groups)
    sums = {0}
    for group in groups:
        sums = {total + power for total in sums for power in (0, *(1 << (unit - e) for e in group))}
    return tuple(sorted(sums))


class NormalisedWeight(WeightQuantiser):
    r"""Weights normalised, clipped at a learned alpha, put on a grid: y = alpha * q(u), u = (w - mean) / std / alpha.

    mean and std (unbiased) over the tensor; q: the nearest level of clip(u, -1, 1) on an APoT or a uniform grid,
    ternary at 2 bits. Levels are whole multiples of 1 / hi, so y = n * alpha / hi. Gradients, w~ = u alpha:

        dy/dw~ = 1 where |u| <= 1 or at 2 bits, else 0;     dy/dalpha = sign(u) where |u| > 1, else q(u) - u.

    clipped_gradient=False is the form of the authors' AlexNet and VGG: dy/dw~ = 1 everywhere, mean and std constants.
    """

    carries: ClassVar[bool] = True
    levels: Tensor

    def __init__(self, bits: int, grid: Grid = "apot", start: float = 3.0, clipped_gradient: bool = True) -> None:
        check_bits(bits)
        super().__init__()
        magnitudes = apot_levels(bits) if grid == "apot" else tuple(range(2 ** (bits - 1)))
        self.bits, self.hi, self.lo = bits, magnitudes[-1], -magnitudes[-1]
        self.clipped_gradient = clipped_gradient
        self.clip = nn.Parameter(torch.tensor(start))
        self.register_buffer("levels", torch.tensor(magnitudes, dtype=torch.float32), persistent=False)

    @property
    def step(self) -> Tensor:
        """alpha / hi."""
        return positive(self.clip) / self.hi

    def forward(self, weight: Tensor) -> Tensor:
        normalised = self._normalised(weight if self.clipped_gradient else weight.detach())
        if not self.clipped_gradient:  # the statistics are constants: 1 / std is all that a gradient passes
            normalised = normalised + (weight - weight.detach()) / weight.detach().std()
        alpha = positive(self.clip)
        u, n = normalised / alpha, self._nearest(normalised / alpha)
        outside = u.abs() > 1
        to_weight = torch.ones_like(u) if self.bits == 2 or not self.clipped_gradient else (~outside).to(u.dtype)
        to_clip = torch.where(outside, u.sign(), n / self.hi - u)
        return with_gradients(n * self.step, normalised, to_weight, alpha, to_clip)

    def codes(self, weight: Tensor) -> Tensor:
        """The whole weights n as int8, shaped like `weight`."""
        return self._nearest(self._normalised(weight) / positive(self.clip)).to(torch.int8)

    @staticmethod
    def _normalised(weight: Tensor) -> Tensor:
        return (weight - weight.mean()) / weight.std()

    def _nearest(self, u: Tensor) -> Tensor:
        """hi times the level next to clip(u, -1, 1)."""
        between = (self.levels[1:] + self.levels[:-1]) / (2 * self.hi)
        return self.levels[torch.bucketize(u.detach().abs(), between)] * u.detach().sign()


class LearnedClipActivation(ClippedActivation):
    """y = alpha * R(clip(x / alpha, 0, 1) hi) / hi with hi = 2^bits - 1; R rounds half to even, alpha is learned.

    dy/dx = 1 where 0 < x <= alpha;  dy/dalpha = 1 where x > alpha, else y / alpha - x / alpha.
    """

    def __init__(self, bits: int, start: float = 8.0) -> None:
        check_bits(bits, 1)
        super().__init__(2**bits - 1, start)
