"""Sums that arrive at the layers of a chain, against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnx2snn.backends.chains import Connections, Geometry, connections, narrowed
from onnx2snn.ir.ops import Conv
from onnx2snn.reference import apply

Array = np.ndarray[Any, np.dtype[Any]]
CONVS = {
    "padded": {"out": 4, "inside": 3, "kernel": (3, 2), "strides": (2, 1), "pads": (1, 0, 1, 1), "groups": 1},
    "dilated groups": {"out": 6, "inside": 2, "kernel": (2, 2), "dilations": (2, 1), "groups": 3},
    "depthwise": {"out": 6, "inside": 1, "kernel": (3, 3), "pads": (1, 1, 1, 1), "groups": 6},
}


def convolution(name: str, largest: int = 9) -> tuple[Geometry, Array, Array, Array]:
    """Geometry and weight, spikes (5, sources), and the sums of the reference."""
    fields: dict[str, Any] = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), **CONVS[name]}
    random, groups, kernel = np.random.default_rng(0), fields["groups"], fields["kernel"]
    weight = random.integers(-largest, largest + 1, (fields["out"], fields["inside"], *kernel))
    shape = (groups * fields["inside"], 9, 8)
    spikes = random.integers(0, 2, (5, *shape)).astype(bool)
    steps = {key: fields[key] for key in ("strides", "pads", "dilations")}
    sums = apply(Conv(weight=weight, groups=groups, **steps), spikes.astype(np.int64))
    geometry = Geometry(kind="conv", source=shape, reads=shape, makes=sums.shape[1:], groups=groups, **steps)
    return geometry, weight, spikes.reshape(5, -1), sums.reshape(5, -1)


@pytest.mark.parametrize("name", CONVS)
@pytest.mark.parametrize("budget", [1, 500, 1 << 20])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_are_those_of_the_reference(name: str, budget: int, order: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever number of positions is worked on at a time, and however spikes lie in memory."""
    monkeypatch.setattr(connections, "COLUMN_BYTES", budget)
    geometry, weight, spikes, expected = convolution(name)
    found = Connections(geometry, weight).sum(np.asarray(spikes, order=order))
    np.testing.assert_array_equal(found, expected)


def test_sums_of_a_dense_layer_that_reads_a_picture() -> None:
    random = np.random.default_rng(0)
    geometry = Geometry(kind="dense", source=(2, 3, 3), reads=(18,), makes=(7,))
    weight, spikes = random.integers(-9, 10, (7, 18)), random.integers(0, 4, (5, 18))
    np.testing.assert_array_equal(Connections(geometry, weight, 3).sum(spikes), spikes @ weight.T)


@pytest.mark.parametrize("largest", [9, 1 << 20, 1 << 27, 1 << 29])
def test_sums_are_narrow_only_where_all_are_small(largest: int) -> None:
    """Float32, float64, and too large for int32."""
    geometry, weight, spikes, expected = convolution("padded", largest)
    wide, narrow = Connections(geometry, weight).sum(spikes), Connections(geometry, weight, narrow=True).sum(spikes)
    np.testing.assert_array_equal(wide, expected)
    np.testing.assert_array_equal(narrow, expected)
    assert (wide.dtype, narrow.dtype) == (np.int64, np.int32 if largest < 1 << 27 else np.int64)


def test_samples_lie_side_by_side() -> None:
    geometry, weight, spikes, _ = convolution("padded")
    assert Connections(geometry, weight).sum(spikes).flags.f_contiguous


def test_whole_numbers_are_narrowed_where_three_of_them_add_up() -> None:
    most = (1 << 29) - 1
    assert narrowed(np.array([-most, most])).dtype == np.int32
    assert narrowed(np.array([-most, most])).tolist() == [-most, most]
    assert narrowed(np.array([most + 1])).dtype == np.int64
    assert narrowed(np.array([-most - 1])).dtype == np.int64
    assert narrowed(np.zeros(0, np.int64)).size == 0
