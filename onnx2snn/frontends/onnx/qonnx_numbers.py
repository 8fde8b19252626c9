"""The arithmetic of QONNX that reading and running share: ranges, rounding modes, layouts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from onnx2snn.errors import ModelError
from onnx2snn.ir.op import Array
from onnx2snn.ir.ops import QuantiserRounding

WIDEST = 32  #: bits of a code
MOST_BITS = 16  #: of a feature: wider ones have more steps than a neuron can climb


def half_away(x: Array) -> Array:
    """To the nearest whole number, halves away from zero."""
    return np.sign(x) * np.floor(np.abs(x) + 0.5)


def half_toward_zero(x: Array) -> Array:
    """To the nearest whole number, halves toward zero."""
    return np.sign(x) * np.ceil(np.abs(x) - 0.5)


def away(x: Array) -> Array:
    """To the next whole number away from zero."""
    return np.sign(x) * np.ceil(np.abs(x))


#: rounding_mode: what it does, and what the IR calls it
ROUNDINGS: dict[str, tuple[Callable[[Array], Array], QuantiserRounding]] = {
    "ROUND": (np.rint, "half-even"),
    "HALF_EVEN": (np.rint, "half-even"),
    "CEIL": (np.ceil, "ceil"),
    "FLOOR": (np.floor, "floor"),
    "UP": (away, "away"),
    "DOWN": (np.trunc, "truncate"),
    "HALF_UP": (half_away, "half-away"),
    "HALF_DOWN": (half_toward_zero, "half-toward-zero"),
}


def rounding_of(mode: str | bytes) -> tuple[Callable[[Array], Array], QuantiserRounding]:
    """Function and IR name of a rounding mode, spelled in any case."""
    name = (mode.decode() if isinstance(mode, bytes) else str(mode)).upper()
    if name not in ROUNDINGS:
        raise ModelError(f"rounding_mode: one of {', '.join(ROUNDINGS)} expected, found {name}")
    return ROUNDINGS[name]


def code_range(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    """Least and greatest code; a narrow range lacks the least one if signed, the greatest one if not."""
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0, 2**bits - 1 - narrow


def whole_number(array: Array, what: str, least: int, most: int) -> int:
    """A constant that must be one whole number, whatever type it is stored as."""
    values = np.unique(np.asarray(array, np.float64))
    if len(values) != 1 or values[0] != np.rint(values[0]) or not least <= values[0] <= most:
        found = values[0] if len(values) == 1 else f"{len(values)} values from {values[0]} to {values[-1]}"
        raise ModelError(f"{what}: one whole number from {least} to {most} expected, found {found}")
    return int(values[0])


def channel_axis(layout: str, rank: int) -> int:
    """The channel axis of a MultiThreshold input with `rank` axes, batch included: the last one but for NC and NCHW."""
    return 1 if rank == 2 or (rank == 4 and layout != "NHWC") else rank - 1
