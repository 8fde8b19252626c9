"""Random variations of a batch of images (B, C, H, W); the same generator state gives the same images."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Augment = Callable[[Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, kw_only=True)
class Warp:
    """Each image turned, scaled and shifted at random within these bounds; bilinear. For square images."""

    degrees: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    """in pixels"""
    outside: Literal["zeros", "border"] = "zeros"
    """what moves in from beyond the edge"""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        if not (self.degrees or self.zoom or self.shift):
            return images
        turn, zoom, dx, dy = (_rand((4, len(images)), images, generator) * 2 - 1).unbind()
        angle, scale, unit = turn * math.radians(self.degrees), 1 + zoom * self.zoom, 2 * self.shift / images.shape[-1]
        cosine, sine = angle.cos() * scale, angle.sin() * scale
        theta = torch.stack([cosine, -sine, dx * unit, sine, cosine, dy * unit], 1).reshape(-1, 2, 3)
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode=self.outside, align_corners=False)


@dataclass(frozen=True, kw_only=True)
class Crop:
    """Each image within a frame of `pad` zeros on all sides, cropped to its own size at a random place."""

    pad: int = 4

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        height, width = images.shape[-2:]
        return random_crop(functional.pad(images, (self.pad,) * 4), height, width, generator)


@dataclass(frozen=True)
class Flip:
    """Every other image, at random, with left and right exchanged."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        flipped = _rand((len(images), 1, 1, 1), images, generator) < 0.5
        return torch.where(flipped, images.flip(-1), images)


@dataclass(frozen=True, kw_only=True)
class Shade:
    """Each image brighter by up to `brightness`, its contrast changed by a share of up to `contrast`, at random.

    x' = (x + b - m) c + m, m the mean of each channel after b is added; values may leave [0, 1].
    """

    brightness: float = 0.0
    contrast: float = 0.0

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        b, c = (_rand((2, len(images), 1, 1, 1), images, generator) * 2 - 1).unbind()
        brighter = images + self.brightness * b
        mean = brighter.mean((-2, -1), keepdim=True)
        return (brighter - mean) * (1 + self.contrast * c) + mean


@dataclass(frozen=True)
class Chain:
    """One variation after the other."""

    steps: tuple[Augment, ...]

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        for step in self.steps:
            images = step(images, generator)
        return images


def random_crop(images: Tensor, height: int, width: int, generator: torch.Generator | None) -> Tensor:
    """A window (B, C, height, width) of each image, at a place of its own, all places alike likely."""
    count, channels, full_height, full_width = images.shape
    places = torch.tensor([[full_height - height + 1], [full_width - width + 1]], device=images.device)
    top, left = (_rand((2, count), images, generator) * places).long().unbind()
    rows = (top[:, None] + torch.arange(height, device=images.device))[:, None, :, None]
    columns = (left[:, None] + torch.arange(width, device=images.device))[:, None, None, :]
    picked = torch.arange(count, device=images.device)[:, None, None, None]
    return images[picked, torch.arange(channels, device=images.device)[None, :, None, None], rows, columns]


def _rand(shape: tuple[int, ...], images: Tensor, generator: torch.Generator | None) -> Tensor:
    """Random numbers in [0, 1) drawn where the generator lives, moved to where the images are."""
    device = torch.device("cpu") if generator is None else generator.device
    return torch.rand(shape, generator=generator, device=device).to(images.device)
