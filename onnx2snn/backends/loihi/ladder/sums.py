"""The readout's sums, which one compartment may not hold: shares of the inputs in compartments side by side.

Sums of one tick have 16 bits. A readout of `parts` compartments an output gives each of them a run of the inputs; the
host adds their currents up. Populations cannot do that: their comparison needs the whole sum.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.backends.chains import Connections, Output, Synapse
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.ir import Array

MOST_PARTS = 64


def share(sources: int, parts: int) -> Array:
    """Which part each source belongs to, int64 (sources,): runs of nearly equal length."""
    return np.arange(sources) * parts // sources


def ends_of(synapse: Synapse, parts: int) -> tuple[int, int]:
    """The least and the greatest sum of any part in one tick, in units of the weights."""
    part = share(int(np.prod(synapse.geometry.source)), parts)
    spikes = synapse.units * (part == np.arange(parts)[:, None])
    down, up = (
        Connections(synapse.geometry, weight, synapse.units).sum(spikes)
        for weight in (np.minimum(synapse.weight, 0), np.maximum(synapse.weight, 0))
    )
    return int(down.min()), int(up.max())


def parts_of(output: Output) -> int:
    """The fewest parts whose sums fit 16 bits, at most 64."""
    scale = scaling(output).scale
    if output.synapse.units == 1:
        return 1
    fitting = (
        parts
        for parts in range(1, MOST_PARTS)
        if scale * max(map(abs, ends_of(output.synapse, parts))) <= chip.MOST_SUM
    )
    return next(fitting, MOST_PARTS)
