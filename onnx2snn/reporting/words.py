"""How a report writes numbers and names."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from onnx2snn.reporting.facts import Conversion

THIN = "\N{NARROW NO-BREAK SPACE}"


def grouped(number: float) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", THIN)


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "–" if share is None else f"{100 * share:.2f}{THIN}%"


def shape(sizes: Sequence[int]) -> str:
    """1 × 28 × 28."""
    return " × ".join(map(str, sizes)) or "one number"


def settling(conversion: Conversion) -> str:
    """How long after its input the network runs, and the proven bound."""
    if conversion.settle == "auto":
        return f"until silent, proven to take {conversion.settle_bound} steps at most"
    if conversion.settle >= conversion.settle_bound:
        return f"{conversion.settle} steps, enough to be silent for certain (proven bound {conversion.settle_bound})"
    return f"{conversion.settle} steps (silent for certain after {conversion.settle_bound}, proven bound)"


def clean(text: str) -> str:
    """The text without what no page may hold or what turns the direction of writing; line breaks stay."""
    return "".join("\N{REPLACEMENT CHARACTER}" if _hidden(sign) else sign for sign in text)


def _hidden(sign: str) -> bool:
    return sign != "\n" and unicodedata.category(sign) in ("Cc", "Cf", "Cs")
