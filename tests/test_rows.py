"""Kinds of rows: what numpy's own search for equal rows finds, also where two kinds are mixed into one number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnx2snn.analysis import rows

numbers = st.sampled_from([0, 1, -1, 2**62, 7])


@pytest.mark.parametrize("mixing", [rows.MIXING, np.uint64(0)], ids=["mixed", "all-alike"])
@given(data=st.lists(st.tuples(numbers, st.sampled_from([0.0, 0.5, -0.0, 1e-300])), min_size=1, max_size=20))
def test_kinds_are_those_of_equal_rows(mixing: np.uint64, data: list[tuple[int, float]]) -> None:
    whole, real = np.array([a for a, _ in data]), np.array([b for _, b in data])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "MIXING", mixing)
        found = rows.distinct(whole, real)
    table = np.stack([whole, real.view(np.int64)], axis=1)
    assert len(found.first) == len(np.unique(table, axis=0))
    np.testing.assert_array_equal(table[found.first][found.inverse], table)
    np.testing.assert_array_equal(found.counts, np.bincount(found.inverse))
