"""What NIR cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.nir.homes import bias_homes
from onnx2snn.ir.ops import Affine, Concat, Conv, Dense, MaxPool, Reshape, SumPool


def no_max_pool(network: Network) -> Iterator[str]:
    """NIR has no maximum."""
    for node in network.graph.of(MaxPool):
        yield f"{node}: NIR has no max-pool; train with average pooling or strides"


def no_concat(network: Network) -> Iterator[str]:
    """NIR has no concatenation."""
    for node in network.graph.of(Concat):
        yield f"{node}: NIR has no concatenation"


def reshapes_only_flatten(network: Network) -> Iterator[str]:
    """NIR has no reshape but flattening."""
    for node in network.graph.of(Reshape):
        if len(network.graph.shape(node.name)) != 1:
            yield f"{node}: NIR can only flatten, shape {network.graph.shape(node.name)} asked for"


def one_or_two_spatial_axes(network: Network) -> Iterator[str]:
    """NIR convolves over one or two axes, and sum-pools over two."""
    for node in network.graph.of(Conv, SumPool):
        axes = len(network.graph.shape(node.name)) - 1
        if axes not in ((1, 2) if isinstance(node.op, Conv) else (2,)):
            yield f"{node}: {axes} spatial axes"


def symmetric_padding(network: Network) -> Iterator[str]:
    """NIR pads both ends alike."""
    for node in network.graph.of(Conv, SumPool):
        pads = node.op.pads if isinstance(node.op, (Conv, SumPool)) else ()
        if pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
            yield f"{node}: pads {pads} differ between begin and end"


def plain_sum_pools(network: Network) -> Iterator[str]:
    """NIR sum-pools have no dilation."""
    for node in network.graph.of(SumPool):
        if isinstance(node.op, SumPool) and set(node.op.dilations) != {1}:
            yield f"{node}: dilation {node.op.dilations}"


def biases_have_a_home(network: Network) -> Iterator[str]:
    """A NIR neuron has no bias: a convolution or dense layer before it must carry it, one number a channel."""
    for name, (owner, bias) in bias_homes(network.graph).items():
        spread = bias.ndim > 1 and any(size != 1 for size in bias.shape[1:])
        if not owner or spread:
            yield f"{network.graph[name]}: no convolution or dense layer before it can carry its bias"


def scales_within_a_channel(network: Network) -> Iterator[str]:
    """What a spike is worth must go into the weights that read it."""
    for node in network.graph.of(Affine):
        scale = node.op.scale if isinstance(node.op, Affine) else None
        readers = network.graph.consumers(node.name)
        if scale is not None and scale.size > 1 and any(isinstance(r.op, (Conv, Dense)) for r in readers):
            if (
                isinstance(readers[0].op, Conv)
                and all(size == 1 for size in scale.shape[1:])
                and readers[0].op.groups == 1
            ):
                continue
            yield f"{node}: its scales cannot go into {readers[0].name}"


def no_constants_between(network: Network) -> Iterator[str]:
    """Only neurons and readouts may carry constants."""
    for node in network.graph.of(Affine):
        if isinstance(node.op, Affine) and node.op.shift is not None:
            yield f"{node}: a constant between layers"


RULES: tuple[DesignRule, ...] = (
    no_max_pool,
    no_concat,
    reshapes_only_flatten,
    one_or_two_spatial_axes,
    symmetric_padding,
    plain_sum_pools,
    biases_have_a_home,
    scales_within_a_channel,
    no_constants_between,
)
