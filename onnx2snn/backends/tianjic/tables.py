"""From a chain to the chip's tables; `schema` says what is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from onnx2snn.backends.chains import Chain, Layer, Output, Population, Synapse, store_host, write_tables
from onnx2snn.backends.tianjic import chip
from onnx2snn.backends.tianjic.schema import P04, P08, P41, LayerRecord, TianjicTables
from onnx2snn.ir import Array


def write(chain: Chain, steps: int, folder: Path) -> None:
    """Writes the tables of a chain that keeps all design rules."""
    host, arrays = store_host(chain.host, chain.populations[0], steps)
    records = [_record(layer, tick, steps) for tick, layer in enumerate(chain.layers)]
    for layer in chain.layers:
        arrays |= _arrays(layer, steps)
    arrays |= {f"{chain.output.name}/value": chain.output.scale, f"{chain.output.name}/offset": chain.output.bias}
    tables = TianjicTables(
        steps=steps,
        ticks=steps + len(chain.populations),
        host=host,
        populations=tuple(records[:-1]),
        readout=records[-1],
    )
    write_tables(folder, tables, arrays)


def repeats_in(layer: Layer) -> int:
    """Copies of the input that a layer's weights need."""
    return 1 if layer.synapse is None else chip.repeats_of(layer.synapse.weight << layer.shift)


def memory_of(layer: Layer) -> int:
    """Bytes for weights and biases, and for membrane and threshold of every neuron."""
    neurons = int(np.prod(layer.shape))
    if layer.synapse is None:
        return 8 * neurons
    weights = chip.image_bytes(layer.synapse.weight.shape, repeats_in(layer), layer.synapse.geometry)
    return weights + 4 * len(layer.synapse.weight) + 8 * neurons


def _arrays(layer: Population | Output, steps: int) -> dict[str, Array]:
    name, shape = layer.name, layer.shape
    neurons = int(np.prod(shape))
    arrays: dict[str, Array] = {f"{name}/vtheta": np.zeros(neurons, np.int32), f"{name}/v": np.zeros(neurons, np.int32)}
    if isinstance(layer, Population):
        start = layer.v0 if layer.synapse is None else layer.start(steps)
        arrays[f"{name}/vtheta"] = chip.to_memory(layer.theta - layer.theta.min(), shape).astype(np.int32)
        arrays[f"{name}/v"] = chip.to_memory(start + 1, shape).astype(np.int32)
    if layer.synapse is not None:
        weight = layer.synapse.weight
        arrays[f"{name}/bias"] = layer.per_tick(steps).reshape(len(weight), -1)[:, 0].astype(np.int32)
        arrays[f"{name}/weight"] = chip.image_of(weight << layer.shift, repeats_in(layer), layer.synapse.geometry)
    return arrays


def _record(layer: Layer, tick: int, steps: int) -> LayerRecord:
    spiking = isinstance(layer, Population)
    soma = P08(
        vth0=int(layer.theta.min()) if spiking else chip.MOST_STATE,
        tw_len=steps + 1,
        reset_mode=1 if spiking else 3,
        fire_type=4 if spiking else 0,
    )
    return LayerRecord(
        name=layer.name,
        shape=layer.shape,
        first_tick=tick,
        last_tick=tick + steps - 1,
        shift=layer.shift,
        memory_bytes=memory_of(layer),
        axon=None if layer.synapse is None else axon_record(layer.synapse, repeats_in(layer)),
        soma=soma,
    )


def axon_record(synapse: Synapse, repeats: int) -> P04 | P41:
    """The primitive that a synapse becomes."""
    geometry = synapse.geometry
    out, inside = synapse.weight.shape[:2]
    copies = repeats * chip.padded(geometry.source[0] if geometry.kind == "dense" else inside, chip.INPUT_GROUP)
    if geometry.kind == "dense":
        nif = copies * int(np.prod(geometry.source[1:]))
        return P04(synapse=synapse.name, source=geometry.source, repeats=repeats, nif=nif, nof=out)
    return P41(
        synapse=synapse.name,
        source=geometry.source,
        repeats=repeats,
        nif=copies,
        nof=out // geometry.groups,
        calls=geometry.groups,
        channels=inside,
        niy=geometry.reads[1],
        nix=geometry.reads[2],
        nky=synapse.weight.shape[2],
        nkx=synapse.weight.shape[3],
        stride_y=geometry.strides[0],
        stride_x=geometry.strides[1],
        pad_top=geometry.pads[0],
        pad_left=geometry.pads[1],
        pad_down=geometry.pads[2],
        pad_right=geometry.pads[3],
        dilate_y=geometry.dilations[0],
        dilate_x=geometry.dilations[1],
    )
