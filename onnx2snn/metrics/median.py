"""Rates and operations as the source of median quantisation (k, B) counts them, to be compared with its figures.

Source: the public code of scatter-and-gather networks (PKU). It counts two operations a synaptic event and three a
multiply-accumulate (a multiplication is worth two additions), leaves the first layer and the last out of operations,
and plots spikes of all layers over the neurons of all but the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from onnx2snn.metrics.activity import LayerActivity

SYNAPTIC, MULTIPLY_ACCUMULATE = 2, 3  #: operations each


@dataclass(frozen=True)
class MedianFigures:
    """Per sample, in the source's words.

    spike_num: spikes of all populations.  neurons: of all, units counted.  rate: their quotient, 0 of no neurons.
    plotted_rate: spikes of all over neurons without the encoder, which overstates it.
    sop: 2 x synaptic operations between populations.  ann_ops: 3 x MACs of the same layers.
    """

    spike_num: float
    neurons: int
    rate: float
    plotted_rate: float | None
    sop: float
    ann_ops: float


def median_figures(samples: int, layers: Iterable[LayerActivity]) -> MedianFigures:
    """The source's figures; max pools, which its networks lack, are left out of rates."""
    rows = list(layers)
    populations = [row for row in rows if row.role != "pool"]
    spikes = sum(row.spikes for row in populations) / samples
    neurons = sum(row.neurons for row in populations)
    hidden = sum(row.neurons for row in populations if row.role == "hidden")
    between = sum((row.operations or 0) - (row.readout_operations or 0) for row in rows)
    return MedianFigures(
        spike_num=spikes,
        neurons=neurons,
        rate=spikes / neurons if neurons else 0.0,
        plotted_rate=spikes / hidden if hidden else None,
        sop=SYNAPTIC * between / samples,
        ann_ops=MULTIPLY_ACCUMULATE * sum(row.hidden_macs or 0 for row in rows) / samples,
    )
