"""Device tables and what they make of a sample's work."""

from __future__ import annotations

from pathlib import Path

import pytest

from onnx2snn.errors import DataError, UnknownNameError
from onnx2snn.metrics import LayerActivity, known_devices, load_device, price
from onnx2snn.metrics.energy import Work
from onnx2snn.metrics.median import median_figures

WORK = Work(synaptic_operations=1000, neuron_updates=200, spikes=50, input_macs=10, macs=300, macs_active=120)
TABLE = 'title = "chip"\nsource = "bench"\nyear = 2025\n[picojoules]\n'


def test_every_table_has_a_source_and_a_year() -> None:
    assert {"45nm-float32", "45nm-int8", "loihi1"} <= set(known_devices())
    for name in known_devices():
        device = load_device(name)
        assert device.name == name
        assert len(device.source) > 20
        assert 2000 < device.year < 2100
        assert device.synaptic_operation


def test_prices_by_hand() -> None:
    found = price(load_device("45nm-float32"), WORK)
    assert found.synapses == pytest.approx(0.9)  # 1000 x 0.9 pJ
    assert found.input_macs == pytest.approx(0.046)
    assert (found.updates, found.spikes) == (None, None)
    assert found.unpriced == ("updates", "spikes")
    assert found.total == pytest.approx(0.946)
    assert (found.ann, found.ann_active) == (pytest.approx(1.38), pytest.approx(0.552))
    loihi = price(load_device("loihi1"), WORK)
    assert loihi.total == pytest.approx(23.6 + 16.2 + 0.085)
    assert loihi.unpriced == ("input_macs",)
    assert loihi.ann is None


def test_a_table_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "chip.toml"
    path.write_text(TABLE + "synaptic_operation = 2\nmac = 5\n", encoding="utf-8")
    assert price(load_device(str(path)), WORK).total == pytest.approx(2.05)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense", "TOML table"),
        (TABLE, "synaptic_operation expected, found none"),
        (TABLE + 'synaptic_operation = "2"', "a number of at least 0 expected, found '2'"),
        (TABLE + "synaptic_operation = -1", "found -1"),
        (TABLE + "synaptic_operation = 1\nflop = 2", "found flop"),
        (TABLE.replace("2025", '"2025"') + "synaptic_operation = 1", "year of type int expected"),
        (TABLE.replace("title", "tittle") + "synaptic_operation = 1", "found tittle"),
    ],
)
def test_a_wrong_table_says_so(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "chip.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=words):
        load_device(str(path))


def test_an_unknown_device_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="known: 45nm-float32"):
        load_device("abacus")
    with pytest.raises(DataError, match="cannot be read"):
        load_device(str(tmp_path / "none.toml"))


def test_figures_of_median_quantisation_by_hand() -> None:
    # k1B2: 4 units a neuron. 10 encoder neurons, 5 hidden ones that each see all of them, 2 classes; 2 samples.
    first = LayerActivity("a", 40, 30, 0.375, "encoder", 0, 30 * 20, 0, 500, 80, 2 * 50, 60, 2 * 50)
    second = LayerActivity("b", 20, 8, 0.2, "hidden", 0, 8 * 2, 8 * 2, 16, 40, 2 * 10, 8, 0)
    found = median_figures(2, [first, second])
    assert (found.spike_num, found.neurons, found.rate) == (19, 60, 19 / 60)
    assert found.plotted_rate == 19 / 20  # spikes of both over neurons of the second
    assert found.sop == 2 * 15 * 20  # 15 spikes a sample, each to 5 x 4 units, two operations each
    assert found.ann_ops == 3 * 50
