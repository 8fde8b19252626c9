"""Labeled Faces in the Wild: a folder of images for each person.

G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller, 2007. Those with 30 to 100 images are the classes: 29 people
in the whole set, which has no test part, so that one image in five of each person becomes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.errors import DataError, UsageError
from onnx2snn.training.data.augment import Chain, Flip, Warp
from onnx2snn.training.data.dataset import Options, Parts
from onnx2snn.training.data.pictures import centre, decode, image_names, need_pillow, resized, subfolders
from onnx2snn.training.data.pixels import Pixels

FEWEST, MOST = 30, 100
SIZES = (64, 32)
FACE = 128
"""Side of the square in the middle of the 250 x 250 pixels that is kept: the face without what surrounds it."""


def read_lfw(folder: Path, options: Options) -> Parts:
    """The middle of each image brought to 64 x 64 pixels, or to 32 x 32. Faces are mirrored and turned a little."""
    need_pillow()
    size = SIZES[0] if options.size is None else options.size
    if size not in SIZES:
        raise UsageError(f"size: {' or '.join(map(str, SIZES))} expected, found {size}")
    people = {person: image_names(folder / person) for person in subfolders(folder)}
    chosen = {person: names for person, names in people.items() if FEWEST <= len(names) <= MOST}
    if len(chosen) < 2:
        raise DataError(
            f"{folder}: folders of {FEWEST} to {MOST} images of 2 people or more expected, found {len(chosen)} "
            f"among {len(people)} folders, the largest of {max(map(len, people.values()), default=0)} images"
        )
    files = [f"{person}/{name}" for person, names in chosen.items() for name in names]
    pixels = np.stack([_face(folder / file, size) for file in files])
    labels = np.repeat(np.arange(len(chosen)), [len(names) for names in chosen.values()])
    augment = Chain((Flip(), Warp(degrees=10, outside="border")))
    return Parts(Pixels(pixels, labels, names=files), None, tuple(chosen), augment)


def _face(path: Path, size: int) -> np.ndarray:
    image = decode(path)
    return resized(image, centre(image, FACE), size)
