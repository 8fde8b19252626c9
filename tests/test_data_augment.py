"""Augmentations: repeatable, within their bounds, and no two images alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the train extra: pip install 'onnx2snn[train]'")

import torch

from onnx2snn.training.data import Chain, Crop, Flip, Warp
from onnx2snn.training.data.augment import Shade

ALL: list[Callable[..., Any]] = [
    Warp(degrees=10, zoom=0.1, shift=2),
    Warp(degrees=10, outside="border"),
    Crop(pad=4),
    Flip(),
    Chain((Crop(pad=2), Flip())),
]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("augment", ALL, ids=str)
def test_one_seed_gives_the_same_images(augment: Callable[..., Any]) -> None:
    images = torch.rand(64, 3, 12, 12, generator=generator())
    first, again, other = (augment(images, generator(seed)) for seed in (1, 1, 2))
    assert first.shape == images.shape
    assert first.dtype == torch.float32
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= first.min() <= first.max() <= 1


def test_crops_are_windows_of_the_padded_image_at_all_places() -> None:
    image = torch.arange(1.0, 17.0).reshape(1, 1, 4, 4)
    padded = np.pad(image[0, 0].numpy(), 1)
    found = Crop(pad=1)(image.expand(500, 2, 4, 4), generator())
    assert torch.equal(found[:, 0], found[:, 1])
    windows = {padded[i : i + 4, j : j + 4].tobytes() for i in range(3) for j in range(3)}
    assert {crop.numpy().tobytes() for crop in found[:, 0].contiguous()} == windows


def test_half_of_the_images_are_flipped() -> None:
    image = torch.arange(6.0).reshape(1, 1, 2, 3)
    found = Flip()(image.expand(1000, 1, 2, 3), generator())
    flipped = (found == image.flip(-1)).all((1, 2, 3))
    assert ((found == image).all((1, 2, 3)) ^ flipped).all()
    assert 400 < flipped.sum() < 600


def test_a_warp_of_nothing_changes_nothing() -> None:
    images = torch.rand(4, 1, 8, 8)
    assert Warp()(images, generator()) is images


def test_a_warp_moves_by_its_bounds_at_most() -> None:
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 10, 10] = 1
    moved = Warp(shift=3)(image.expand(200, 1, 21, 21), generator())
    share = moved / moved.sum((2, 3), keepdim=True)
    places = torch.arange(21.0) - 10
    down, right = (share.sum(3) * places).sum(2), (share.sum(2) * places).sum(2)
    for offset in (down, right):
        assert 2.5 < offset.abs().max() <= 3.001
        assert offset.min() < -2 < 2 < offset.max()


def test_what_moves_in_from_the_border() -> None:
    white = torch.ones(50, 1, 9, 9)
    assert Warp(degrees=30)(white, generator()).min() < 0.5
    assert torch.allclose(Warp(degrees=30, outside="border")(white, generator()), white)


def test_shade_moves_the_mean_and_stretches_around_it() -> None:
    images = torch.rand((64, 3, 4, 4), generator=torch.Generator().manual_seed(1))
    mean = images.mean((-2, -1))
    brighter = Shade(brightness=0.2)(images, torch.Generator().manual_seed(2))
    moved = brighter - images
    assert torch.allclose(moved, moved[:, :1, :1, :1].expand_as(moved), atol=1e-6)
    assert 0.15 < moved.abs().max() <= 0.2
    harder = Shade(contrast=0.5)(images, torch.Generator().manual_seed(2))
    assert torch.allclose(harder.mean((-2, -1)), mean, atol=1e-6)
    gain = (harder - mean[..., None, None]).std((-2, -1)) / images.std((-2, -1))
    assert torch.allclose(gain, gain[:, :1].expand_as(gain), atol=1e-4)
    assert 0.5 <= gain.min() < 0.7 < 1.3 < gain.max() <= 1.5
