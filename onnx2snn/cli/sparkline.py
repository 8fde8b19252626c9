"""A curve in one line of text."""

from __future__ import annotations

import sys
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN = "_.-~=+*#"  #: where the terminal's encoding has no blocks


def sparkline(values: Sequence[float], width: int = 60) -> str:
    """Values from their least to their greatest as eight heights; at most `width` of them, evenly chosen."""
    count = len(values)
    if count > width:
        values = [values[round(i * (count - 1) / (width - 1))] for i in range(width)]
    low, high = min(values), max(values)
    heights = [7 if high == low else round(7 * (value - low) / (high - low)) for value in values]
    return "".join(_blocks()[height] for height in heights)


def _blocks() -> str:
    try:
        BLOCKS.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return PLAIN
    return BLOCKS
