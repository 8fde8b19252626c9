"""`network.net`: groups and data sets as lava-dl 0.6.0 reads them (lava.lib.dl.netx.hdf5.Network).

/layer/i/type is input, conv, flatten or dense. Layer 0 has the shape of the first population, whose spikes the host
feeds: channels, y, x as everywhere in the file; the reader turns them around. Weights are those that spikes add to the
synaptic sum, in correlation order. neuron: type CUBA, iDecay 4096 (the current is gone after its tick), vDecay 0 over
several steps and 4095 for one, vThMant. The readout's threshold is the largest; over several steps its membrane is
read at their end, for one step its current at every tick.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from onnx2snn.backends.chains import Chain, Layer, Population
from onnx2snn.backends.loihi import chip
from onnx2snn.backends.loihi.netx.fit import bias_of, effective
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.errors import ArtifactError
from onnx2snn.extras import need
from onnx2snn.ir import Array

FILE = "network.net"
Datasets = dict[str, Array]  #: by path


def datasets_of(chain: Chain, steps: int) -> Datasets:
    """All data sets of the file."""
    found: Datasets = {"layer/0/type": _word("input"), "layer/0/shape": np.array(chain.populations[0].shape)}
    place = 1
    for layer in chain.layers[1:]:
        assert layer.synapse is not None
        geometry = layer.synapse.geometry
        if geometry.kind == "dense" and len(geometry.source) > 1:
            found[f"layer/{place}/type"] = _word("flatten")
            place += 1
        found |= {f"layer/{place}/{name}": value for name, value in _layer(layer, steps).items()}
        place += 1
    return found


def _layer(layer: Layer, steps: int) -> Datasets:
    assert layer.synapse is not None
    geometry, weight = layer.synapse.geometry, effective(layer).astype(np.int32)
    spiking = isinstance(layer, Population)
    threshold = chip.MOST_THRESHOLD
    if spiking:
        threshold = 0 if steps == 1 else round(float(layer.theta.mean())) * scaling(layer).scale - 1
    found: Datasets = {
        "type": _word(geometry.kind),
        "shape": np.array(layer.shape),
        "weight": weight,
        "neuron/type": np.array(b"CUBA"),
        "neuron/iDecay": np.array(chip.DECAY_UNIT, np.int32),
        "neuron/vDecay": np.array(chip.FORGETFUL if steps == 1 else 0, np.int32),
        "neuron/vThMant": np.array(threshold, np.int32),
        "neuron/refDelay": np.array(1, np.int32),
        "neuron/gradedSpike": np.array(False),
    }
    bias = bias_of(layer, steps).reshape(layer.shape).astype(np.int32)
    if geometry.kind == "dense":
        return found | {
            "inFeatures": np.array(weight.shape[1], np.int32),
            "outFeatures": np.array(weight.shape[0], np.int32),
            "bias": bias.reshape(-1),
        }
    same = (np.ptp(bias.reshape(len(bias), -1), axis=1) == 0).all()
    return found | {
        "inChannels": np.array(geometry.reads[0], np.int32),
        "outChannels": np.array(geometry.makes[0], np.int32),
        "kernelSize": np.array(weight.shape[2:]),
        "stride": np.array(geometry.strides),
        "padding": np.array(geometry.pads[: len(geometry.strides)]),
        "dilation": np.array(geometry.dilations),
        "groups": np.array(geometry.groups, np.int32),
        "bias": bias[:, 0, 0] if same else bias.transpose(2, 1, 0),  # the reader takes neurons as x, y, channel
    }


def write_file(folder: Path, datasets: Datasets) -> None:
    """Writes the file; the same data sets give the same bytes."""
    with h5py().File(folder / FILE, "w", track_order=False) as file:
        for path in sorted(datasets):
            file.create_dataset(path, data=datasets[path], track_times=False)


def read_file(folder: Path) -> Datasets:
    """All data sets of the file; raises `ArtifactError` where it cannot be read."""
    found: Datasets = {}
    library = h5py()

    def take(path: str, item: Any) -> None:
        if isinstance(item, library.Dataset):
            found[path] = np.asarray(item[()])

    try:
        with library.File(folder / FILE, "r") as file:
            file.visititems(take)
    except OSError as error:
        raise ArtifactError(f"{FILE}: cannot be read: {str(error).partition(chr(10))[0]}") from None
    return found


def h5py() -> Any:
    """The package; raises `MissingExtraError`."""
    need("backend netx", "h5py")
    import h5py

    return h5py


def _word(text: str) -> Array:
    return np.array([text], dtype="S10")
