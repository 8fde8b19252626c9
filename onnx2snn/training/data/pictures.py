"""Image files: found in folders, decoded with Pillow, cropped and brought to one size."""

from __future__ import annotations

import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import DataError
from onnx2snn.extras import need

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
Box = tuple[float, float, float, float]
"""left, top, right, bottom in pixels"""


class ImageFileError(DataError):
    """An image file that cannot be decoded.

    A DataLoader makes the error of a worker anew from the text of its traceback, whose last line is the message.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message.rstrip().rsplit("\n", 1)[-1].removeprefix(f"{__name__}.{type(self).__name__}: "))


def subfolders(folder: Path) -> list[str]:
    """Names of the folders in `folder`, sorted, hidden ones left out."""
    with _listed(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def image_names(folder: Path) -> list[str]:
    """Names of the image files in `folder`, sorted, hidden ones left out."""
    with _listed(folder) as entries:
        names = [entry.name for entry in entries if entry.name.lower().endswith(ENDINGS)]
    return sorted(name for name in names if not name.startswith("."))


def _listed(folder: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
    try:
        return os.scandir(folder)
    except OSError as error:
        raise DataError(f"{folder}: a folder of images expected, found {error.strerror}") from None


def need_pillow() -> None:
    """Raises MissingExtraError where Pillow is not installed."""
    need("reading image files", "PIL")


def decode(path: Path) -> Image:
    """The image in a file, in red, green and blue. Raises ImageFileError where it cannot be decoded."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about metadata; what cannot be decoded is an error
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return image.convert("RGB")
    except (
        *(OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError, OverflowError, struct.error),
        *(Image.DecompressionBombError, Image.DecompressionBombWarning),
    ) as error:
        reason = "no image that Pillow knows" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise ImageFileError(f"{path}: an image file expected, found {' '.join(reason.split())}") from None


def centre(image: Image, side: float) -> Box:
    """The square of that side in the middle, or the largest one where the image is smaller."""
    width, height = image.size
    side = min(side, width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def resized(image: Image, box: Box, size: int) -> np.ndarray:
    """What the box shows, as pixels (3, size, size) uint8; bilinear, over the whole area when it shrinks,
    for which pixels just beyond the edge of the box count as well."""
    from PIL import Image

    pixels = np.array(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))
