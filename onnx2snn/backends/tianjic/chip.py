"""What TianjicX computes with: word lengths, and weights and vectors in the order of its memory.

Source: the behaviour simulator of BiMap (openBII/BiMap, Center for Brain-Inspired Computing Research, Tsinghua
University), primitives P04, P41, P06 and P08.

A spike is an int8 of 0 or 1, a weight an int8. A weight beyond that is shared out: the input is laid out several
times side by side (P06 merges a vector with itself) and each copy brings a part of the weight.
"""

from __future__ import annotations

import numpy as np

from onnx2snn.backends.chains import Geometry
from onnx2snn.ir import Array, Shape

WEIGHT = 127  #: magnitude of an int8 weight that both signs have
MOST_REPEATS = 4  #: copies of an input that a layer may take
ACCUMULATOR_BITS, STATE_BITS = 32, 28  #: signed, both saturate
MOST_SUM = (1 << (ACCUMULATOR_BITS - 1)) - 1
MOST_STATE = (1 << (STATE_BITS - 1)) - 1
INPUT_GROUP, OUTPUT_GROUP = 16, 32  #: int8 inputs and outputs are laid out in groups, zeros filled in
CORES, CORE_BYTES = 160, 128 << 10  #: of a chip; memory for weights and state of a core


def padded(count: int, group: int) -> int:
    """The next multiple of `group`."""
    return -(-count // group) * group


def repeats_of(effective: Array) -> int:
    """Copies of the input that int8 weights of this size need."""
    return max(1, -(-int(np.abs(effective).max(initial=0)) // WEIGHT))


def shared_out(effective: Array, repeats: int) -> Array:
    """The weights as `repeats` nearly equal parts that add up to them, (repeats, *shape)."""
    return np.stack([(effective + part) // repeats for part in range(repeats)])


# -- vectors: channels last ------------------------------------------------------------------------------------------


def channels_last(shape: Shape) -> Array:
    """For each place of a vector in memory, the neuron (row-major over channels first) that stands there."""
    return np.moveaxis(np.arange(int(np.prod(shape))).reshape(shape), 0, -1).reshape(-1)


def same_memory(one: Shape, other: Shape) -> bool:
    """Whether the same neurons under two shapes lie alike in memory, filling included."""
    return one[0] == other[0] and np.array_equal(channels_last(one), channels_last(other))


def to_memory(values: Array, shape: Shape) -> Array:
    """A vector over neurons in the order of the chip's memory."""
    return values[channels_last(shape)]


def from_memory(values: Array, shape: Shape) -> Array:
    """The vector back in row-major order, channels first."""
    result = np.empty_like(values)
    result[channels_last(shape)] = values
    return result


# -- weights: groups of 32 outputs -----------------------------------------------------------------------------------


def conv_image(parts: Array, groups: int) -> Array:
    """P41: (repeats, out, in / groups, ky, kx) to int8 (groups, output groups, ky, kx, repeats * padded in, 32)."""
    repeats, out, inside, *kernel = parts.shape
    each, rows = out // groups, padded(inside, INPUT_GROUP)
    image = np.zeros((groups, padded(each, OUTPUT_GROUP), repeats, rows, *kernel), np.int8)
    image[:, :each, :, :inside] = np.moveaxis(parts.reshape(repeats, groups, each, inside, *kernel), 0, 2)
    grouped = image.reshape(groups, -1, OUTPUT_GROUP, repeats * rows, *kernel)
    return grouped.transpose(0, 1, 4, 5, 3, 2)


def conv_parts(image: Array, repeats: int, out: int, inside: int) -> Array:
    """What `conv_image` took, int64."""
    groups, _, *kernel, rows, _ = image.shape
    merged = image.transpose(0, 1, 5, 4, 2, 3).reshape(groups, -1, repeats, rows // repeats, *kernel)
    parts = np.moveaxis(merged[:, : out // groups, :, :inside], 2, 0)
    return parts.reshape(repeats, out, inside, *kernel).astype(np.int64)


def dense_image(parts: Array, source: Shape) -> Array:
    """P04: (repeats, out, in) to int8 (output groups, pixels * repeats * padded channels, 32).

    The input rows follow the memory of the population before it: pixel by pixel, in each the copies of its channels.
    """
    repeats, out, _ = parts.shape
    channels = source[0]
    rows = padded(channels, INPUT_GROUP)
    pixels = np.moveaxis(parts.reshape(repeats, out, channels, -1), 0, 3)  # (out, channels, pixels, repeats)
    image = np.zeros((padded(out, OUTPUT_GROUP), pixels.shape[2], repeats, rows), np.int8)
    image[:out, :, :, :channels] = pixels.transpose(0, 2, 3, 1)
    return image.reshape(-1, OUTPUT_GROUP, image[0].size).transpose(0, 2, 1)


def dense_parts(image: Array, repeats: int, out: int, source: Shape) -> Array:
    """What `dense_image` took, int64."""
    channels = source[0]
    merged = image.transpose(0, 2, 1).reshape(-1, int(np.prod(source[1:])), repeats, padded(channels, INPUT_GROUP))
    return merged[:out, :, :, :channels].transpose(2, 0, 3, 1).reshape(repeats, out, -1).astype(np.int64)


def image_of(effective: Array, repeats: int, geometry: Geometry) -> Array:
    """Weights (out, in / groups, *kernel) in the order of memory."""
    parts = shared_out(effective, repeats)
    return dense_image(parts, geometry.source) if geometry.kind == "dense" else conv_image(parts, geometry.groups)


def image_bytes(weight: Shape, repeats: int, geometry: Geometry) -> int:
    """Bytes of the image of int8 weights of shape (out, in / groups, *kernel)."""
    out, inside, *kernel = weight
    if geometry.kind == "dense":
        channels, *space = geometry.source
        return padded(out, OUTPUT_GROUP) * int(np.prod(space)) * repeats * padded(channels, INPUT_GROUP)
    each = padded(out // geometry.groups, OUTPUT_GROUP) * repeats * padded(inside, INPUT_GROUP)
    return geometry.groups * each * int(np.prod(kernel))


def mac_order(geometry: Geometry, taps: int, repeats: int) -> tuple[Array, Array]:
    """In which order a neuron multiplies and adds: (copy of the input, tap), taps in the order (channels, kernel).

    A convolution goes through the copies channel by channel and in each through the kernel; a matrix product
    through its input rows.
    """
    if geometry.kind == "conv":
        return np.repeat(np.arange(repeats), taps), np.tile(np.arange(taps), repeats)
    pixels = channels_last(geometry.source).reshape(-1, 1, geometry.source[0])
    copies = np.arange(repeats).reshape(1, -1, 1)
    copy, tap = np.broadcast_arrays(copies, pixels)
    return copy.reshape(-1), tap.reshape(-1)
