"""The pictures of a report, a module each: `TITLE`, `draw(report)` (None: nothing to show), `words(report)`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from onnx2snn.reporting.pictures import accuracy, errors, image, membranes, operations, raster, rates
from onnx2snn.reporting.pictures.canvas import style, to_inline, to_png, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from onnx2snn.reporting.facts import Report

Format = Literal["png", "svg"]
FORMATS: tuple[Format, ...] = ("png", "svg")


@dataclass(frozen=True)
class Picture:
    """A picture by its name, which is the name of its file."""

    name: str
    title: str
    draw: Callable[[Report], Figure | None]
    words: Callable[[Report], str]


PICTURES = tuple(
    Picture(name, module.TITLE, module.draw, module.words)
    for name, module in (
        ("accuracy", accuracy),
        ("rates", rates),
        ("errors", errors),
        ("operations", operations),
        ("image", image),
        ("raster", raster),
        ("membranes", membranes),
    )
)


def inline(report: Report) -> dict[str, str]:
    """Each picture there is, by name, as an <svg> element."""
    return {picture.name: to_inline(drawn, picture.name, picture.words(report)) for picture, drawn in _drawn(report)}


def files(report: Report, kind: Format) -> dict[str, bytes]:
    """Each picture there is, by the name of its file."""
    write = {"png": to_png, "svg": to_svg}[kind]
    return {f"{picture.name}.{kind}": write(drawn, picture.name) for picture, drawn in _drawn(report)}


def _drawn(report: Report) -> Iterator[tuple[Picture, Figure]]:
    for picture in PICTURES:
        with style(picture.name):
            drawn = picture.draw(report)
        if drawn is not None:
            yield picture, drawn
