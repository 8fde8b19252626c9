"""A network for image classification as Lightning trains it."""

from __future__ import annotations

from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics.classification import MulticlassAccuracy

from onnx2snn.recipes import Recipe
from onnx2snn.training.data.augment import Augment, Chain, Shade
from onnx2snn.training.fit.objectives import RateInference, objective_for, with_omega
from onnx2snn.training.fit.optimiser import optimiser_for, schedule_for

Batch = tuple[Tensor, Tensor]


class Classifier(LightningModule):
    """The recipe's loss on images x (N, C, H, W) and classes y (N,); accuracy on validation and test.

    Logs `loss_step`, `loss_epoch` and, after every epoch, `validation_accuracy`, `validation_loss` (cross-entropy) and,
    where the loss is rate inference, `validation_omega`. The
    augmentation's random numbers come from the seed, the step and the process alone, so that a resumed run sees the
    images that the interrupted one would have seen.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: Recipe,
        classes: int,
        steps: int,
        seed: int = 0,
        augment: Augment | None = None,
    ) -> None:
        super().__init__()
        self.steps = steps
        self.network = network
        self.recipe = recipe
        self.seed = seed
        self.augment = _variation(augment, recipe)
        self.objective = objective_for(network, recipe)
        self.validation_accuracy = MulticlassAccuracy(classes, average="micro")
        self.test_accuracy = MulticlassAccuracy(classes, average="micro")

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        x, y = batch
        if self.augment is not None:
            x = self.augment(x, self._generator(x.device))
        loss = self.objective(self.network, x, y)
        self.log("loss", loss, on_step=True, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(y))
        return loss

    def _generator(self, device: torch.device) -> torch.Generator:
        processes, rank = self.trainer.world_size, self.trainer.global_rank
        seed = (self.seed * 1_000_003 + self.global_step) * processes + rank
        return torch.Generator(device).manual_seed(seed)

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        x, y = batch
        if isinstance(self.objective, RateInference):
            outputs, speed = with_omega(self.network, x)
            self.log("validation_omega", speed, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(y))
        else:
            outputs = self.network(x)
        self.validation_accuracy(outputs, y)
        self.log("validation_accuracy", self.validation_accuracy, on_step=False, on_epoch=True, prog_bar=True)
        loss = functional.cross_entropy(outputs, y)
        self.log("validation_loss", loss, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(y))

    def test_step(self, batch: Batch, batch_index: int) -> None:
        x, y = batch
        self.test_accuracy(self.network(x), y)
        self.log("test_accuracy", self.test_accuracy, on_step=False, on_epoch=True)

    def configure_optimizers(self) -> Any:
        optimiser = optimiser_for(self.network, self.recipe)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, schedule_for(self.recipe, self.steps))
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _variation(augment: Augment | None, recipe: Recipe) -> Augment | None:
    """What varies the training images: what the data set says, and the recipe's changes of light."""
    own = (augment,) if augment is not None and recipe.augment else ()
    shade = Shade(brightness=recipe.brightness, contrast=recipe.contrast)
    steps = (*own, shade) if recipe.brightness or recipe.contrast else own
    return Chain(steps) if steps else None
