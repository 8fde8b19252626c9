"""Widths of membranes: the same in 64-bit and in Python's whole numbers, up to where the first overflow."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.analysis import registers
from onnx2snn.analysis.lattice import Lattice
from onnx2snn.analysis.registers import membrane_bits
from onnx2snn.ir.ops import IF, STBIF

size = st.integers(0, 58)


@given(st.booleans(), st.lists(size, min_size=5, max_size=5), st.integers(0, 12), st.integers(1, 300))
def test_widths_are_those_of_unlimited_whole_numbers(traced: bool, bits: list[int], shift: int, ticks: int) -> None:
    theta, v0, bias, low, high = (np.array([1 << b, (1 << b) - 1 or 1]) for b in bits)
    if traced:
        op = STBIF(theta=theta, v0=v0, bias=-bias, value=np.asarray(1), shift=shift, lo=-3, hi=12)
    else:
        op = IF(theta=theta, v0=v0, bias=-bias, value=np.asarray(1), shift=shift)
    place = Lattice(np.ones(()), -low, high, "a")
    found = membrane_bits(op, place, ticks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registers, "_narrow", lambda *_: False)
        assert found == membrane_bits(op, place, ticks)
