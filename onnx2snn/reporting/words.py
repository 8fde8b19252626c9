"""How a report writes numbers and names."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from onnx2snn.ir.ops import EXACT_CODES
from onnx2snn.reporting.facts import Conversion

THIN = "\N{NARROW NO-BREAK SPACE}"


def grouped(number: float) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{number:,.0f}".replace(",", THIN)


def short(number: float) -> str:
    """Three digits and a unit: 12.3 k, 4.56 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= 0.9995 * size:
            return f"{_three(number / size)}{THIN}{unit}"
    return _three(number)


def _three(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 99.95 else f"{number:.3g}"


def joule(nanojoules: float | None) -> str:
    """An energy given in nanojoules, or a dash."""
    if nanojoules is None:
        return "–"
    for size, unit in ((1e9, "J"), (1e6, "mJ"), (1e3, "µJ"), (1.0, "nJ")):
        if nanojoules >= 0.9995 * size:
            return f"{_three(nanojoules / size)}{THIN}{unit}"
    return f"{_three(nanojoules * 1000)}{THIN}pJ"


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "–" if share is None else f"{100 * share:.2f}{THIN}%"


def shape(sizes: Sequence[int]) -> str:
    """1 × 28 × 28."""
    return " × ".join(map(str, sizes)) or "one number"


def settling(conversion: Conversion) -> str:
    """How long after its input the network runs, and where it is silent for certain."""
    if conversion.code not in EXACT_CODES:
        until = f"until silent, {conversion.settle_bound} steps at most"
        return until if conversion.settle == "auto" else f"{conversion.settle} steps"
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
