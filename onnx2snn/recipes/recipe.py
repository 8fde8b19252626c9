"""The hyper-parameters of one training run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

Share = Annotated[float, Field(ge=0, lt=1)]


class Recipe(BaseModel):
    """How one network is trained. Times are shares of the run, so that other `epochs` keep the schedule's shape.

    The rate of step k of n is rate * min(f(k), (k + 1) / (warmup n)), with f by `schedule`:

        constant  f = 1
        steps     f = factor^(milestones passed), on whole epochs
        cosine    f = (1 + cos(pi k / n)) / 2 (Loshchilov & Hutter, "SGDR", ICLR 2017, without restarts)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: PositiveInt
    batch: PositiveInt = 128
    """images in one step, over all processes together"""
    optimiser: Literal["sgd", "adam"] = "sgd"
    rate: PositiveFloat = 0.1
    momentum: Share = 0.9
    nesterov: bool = True
    decay: NonNegativeFloat = 5e-4
    decay_on: Literal["weights", "all"] = "weights"
    """`all`: biases, batch normalisation and quantisers decay as well"""
    quantiser_rate: PositiveFloat | None = None
    """rate of the quantisers' parameters (steps, clips); by default `rate`"""
    activation_rate: PositiveFloat | None = None
    """rate of those of activations; by default `quantiser_rate`"""
    quantiser_decay: NonNegativeFloat | None = None
    """decay of the quantisers' parameters; by default `decay` where `decay_on` is `all`, else 0"""
    schedule: Literal["cosine", "steps", "constant"] = "cosine"
    milestones: tuple[Share, ...] = (0.5, 0.75)
    factor: PositiveFloat = 0.1
    warmup: Share = 0.0
    smoothing: Share = 0.0
    """of the labels (Szegedy et al., CVPR 2016)"""
    clip: PositiveFloat | None = None
    """largest norm of the gradient of all parameters"""
    augment: bool = True
    brightness: Share = 0.0
    contrast: Share = 0.0
    """random changes of training images on top of what the data set says"""
    trains: Literal["all", "weights", "quantisers"] = "all"
    """`weights`: all but the quantisers' parameters"""
    loss: Literal["cross-entropy", "rate-inference"] = "cross-entropy"
    """`rate-inference`: see onnx2snn.training.fit.objectives; for networks with rate norm layers"""
    omega_weight: NonNegativeFloat = 1.0
    """lambda of the rate inference loss"""
    rate_scale: float = 4.0
    """where it starts the scale that all rate norm layers then share: p = sigmoid(scale)"""
    tolerance: Share = 0.03
    """of its selection: validation accuracy that a smaller Omega may cost"""

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.nesterov and self.optimiser == "sgd" and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError("milestones rise")
        return self
