"""What all pictures share: size, colours, type, and how a figure becomes a file.

Colours are roles. A file has their light values; a page has `var(--role)` instead, so that its style sheet decides.
The same figure gives the same bytes.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from html import escape
from os.path import commonprefix
from typing import TYPE_CHECKING, Any

from onnx2snn.reporting.words import clean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, MUTED, GRID = "#1b1f24", "#59636e", "#d8dce2"
FIRST, SECOND, SOFT = "#1f5fae", "#b0500c", "#dce8f6"
ROLES = {INK: "ink", MUTED: "muted", GRID: "grid", FIRST: "first", SECOND: "second", SOFT: "soft"}
WIDTH = 6.0  #: inches of a figure: 432 units of an SVG, so that text stays legible on a phone
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "svg.fonttype": "none",
    "path.simplify": False,
}
FONT = "'DejaVu Sans'"
LEFT_OUT = re.compile(r"<metadata>.*?</metadata>\s*|<style[^>]*>.*?</style>\s*", re.DOTALL)
IDENTITY = re.compile(r'(\bid="|url\(#|href="#)')
PATH = re.compile(r'(?<= d=")[^"]*')
LONG = re.compile(r"(\d+\.\d\d)\d+")  #: no eye sees more of a coordinate
COLOUR = re.compile("|".join(ROLES))


@contextmanager
def style(salt: str = "onnx2snn") -> Generator[None]:
    """All drawing and writing happens within; characters that the font lacks are left to the viewer's."""
    from matplotlib import rc_context

    with rc_context({**STYLE, "svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        yield


def figure(height: float, rows: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `height` inches with axes one above the other."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = made.subplots(rows, 1, squeeze=False, **options)
    return made, list(axes[:, 0])


def ticks(axes: Axes) -> None:
    """The axis counts timesteps: whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))


def to_png(drawn: Figure, name: str) -> bytes:
    """On white, 200 dots an inch."""
    return _saved(drawn, name, format="png", dpi=200, facecolor="white", metadata={"Software": None})


def to_svg(drawn: Figure, name: str) -> bytes:
    """A file of its own, on white, its text kept as text."""
    return _saved(drawn, name, format="svg", facecolor="white", metadata=dict.fromkeys(("Date", "Creator", "Type")))


def to_inline(drawn: Figure, name: str, words: str) -> str:
    """An <svg> element for a page: without background, its colours the page's, its names its own.

    words: what someone hears who does not see it.
    """
    text = _saved(drawn, name, format="svg", transparent=True, metadata=dict.fromkeys(("Date", "Creator", "Type")))
    svg = text.decode()
    svg = LEFT_OUT.sub("", svg[svg.index("<svg") :])
    svg = IDENTITY.sub(rf"\g<1>{name}-", svg)
    svg = COLOUR.sub(lambda found: f"var(--{ROLES[found[0]]})", svg).replace(FONT, "var(--type)")
    svg = PATH.sub(lambda path: LONG.sub(r"\1", path[0]), svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{escape(clean(words))}"', 1)


def _saved(drawn: Figure, name: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    with style(name):
        drawn.savefig(buffer, **options)
    return buffer.getvalue()


def labels(names: Sequence[str], most: int = 22) -> list[str]:
    """Names short enough to stand beside one another; an end that all share is left off first."""
    turned = [name[::-1] for name in names]
    shared = commonprefix(turned)[::-1] if len(names) > 1 else ""  # noqa: RUF071  these are no paths
    cut = next((i for i, sign in enumerate(shared) if sign in "./_:"), len(shared))
    if max(map(len, names), default=0) > most and len(shared) - cut > 1:
        names = [f"{name[: len(name) - len(shared) + cut]}…" for name in names]
    return [shortened(name, most) for name in names]


def shortened(name: str, most: int = 22) -> str:
    """The end of a long name, which tells it from the others, on one line and without what cannot be drawn."""
    plain = clean(" ".join(name.split()))
    return plain if len(plain) <= most else f"…{plain[1 - most :]}"
