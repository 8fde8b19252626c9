"""What NIR cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.nir.homes import bias_homes, said
from onnx2snn.ir import Node, Op
from onnx2snn.ir.ops import (
    Affine,
    Concat,
    Conv,
    Dense,
    Dilate,
    Encoder,
    Gather,
    Input,
    MaxPool,
    Pad,
    Reshape,
    SumPool,
    Transpose,
)
from onnx2snn.reference import tail_nodes


def _nodes(network: Network, *kinds: type[Op]) -> Iterator[Node]:
    tail = tail_nodes(network.graph)
    return (node for node in said(network.graph) if isinstance(node.op, kinds) and node.name not in tail)


def no_settle_steps(network: Network) -> Iterator[str]:
    """A NIR bias is there at every step; ours ends with the inject steps."""
    settle = network.schedule.settle
    if settle != 0 and network.neurons:
        yield f"{'auto' if settle is None else settle} settle steps asked for, in which NIR's biases would go on"


def one_way_in(network: Network) -> Iterator[str]:
    """The input is encoded in one way, or not at all."""
    ways = [node.name for node in _nodes(network, Input, Encoder)]
    if len(ways) != 1:
        yield f"the input goes in as {', '.join(ways)}; one encoding expected"


def no_max_pool(network: Network) -> Iterator[str]:
    """NIR has no maximum."""
    for node in _nodes(network, MaxPool):
        yield f"{node}: NIR has no max-pool; train with average pooling or strides"


def no_concat(network: Network) -> Iterator[str]:
    """NIR has no concatenation."""
    for node in _nodes(network, Concat):
        yield f"{node}: NIR has no concatenation"


def nothing_moves(network: Network) -> Iterator[str]:
    """NIR cannot rearrange, choose or insert entries; what a dense layer or pads can take is folded before."""
    for node in _nodes(network, Transpose, Gather, Pad, Dilate):
        yield f"{node}: NIR has no {node.op.name}, and no dense layer alone reads it"


def one_output(network: Network) -> Iterator[str]:
    """The graph has one readout, and nothing behind it."""
    names = network.graph.outputs
    if len(names) > 1:
        yield f"outputs {', '.join(names)}; one expected"
    tail = tail_nodes(network.graph)
    found = [f"{node}" for node in network.graph if node.name in tail]
    if found:
        yield f"real-valued behind the readout: {', '.join(found)}; cut it off before export, NIR ends with the readout"


def reshapes_only_flatten(network: Network) -> Iterator[str]:
    """NIR has no reshape but flattening."""
    for node in _nodes(network, Reshape):
        if len(network.graph.shape(node.name)) != 1:
            yield f"{node}: NIR can only flatten, shape {network.graph.shape(node.name)} asked for"


def one_or_two_spatial_axes(network: Network) -> Iterator[str]:
    """NIR convolves over one or two axes, and sum-pools over two."""
    for node in _nodes(network, Conv, SumPool):
        axes = len(network.graph.shape(node.name)) - 1
        if axes not in ((1, 2) if isinstance(node.op, Conv) else (2,)):
            yield f"{node}: {axes} spatial axes"


def square_kernels(network: Network) -> Iterator[str]:
    """Readers infer both output sizes of a Conv2d from the first size of its kernel."""
    for node in _nodes(network, Conv):
        kernel = node.op.kernel if isinstance(node.op, Conv) else ()
        if len(set(kernel)) > 1:
            yield f"{node}: a square kernel expected, found {kernel}"


def symmetric_padding(network: Network) -> Iterator[str]:
    """NIR pads both ends alike."""
    for node in _nodes(network, Conv, SumPool):
        pads = node.op.pads if isinstance(node.op, (Conv, SumPool)) else ()
        if pads[: len(pads) // 2] != pads[len(pads) // 2 :]:
            yield f"{node}: pads {pads} differ between begin and end"


def plain_sum_pools(network: Network) -> Iterator[str]:
    """NIR sum-pools have no dilation."""
    for node in _nodes(network, SumPool):
        if isinstance(node.op, SumPool) and set(node.op.dilations) != {1}:
            yield f"{node}: dilation {node.op.dilations}"


def flat_matrix_products(network: Network) -> Iterator[str]:
    """NIR multiplies a matrix with a vector."""
    for node in _nodes(network, Dense):
        shape = network.graph.shape(node.inputs[0])
        if len(shape) != 1:
            yield f"{node}: flat features expected, found {shape}"


def biases_have_a_home(network: Network) -> Iterator[str]:
    """A NIR neuron has no bias: a convolution or dense layer before it must carry it, one number a channel."""
    for name, (owner, bias) in bias_homes(network.graph).items():
        spread = bias.ndim > 1 and any(size != 1 for size in bias.shape[1:])
        if not owner or spread:
            yield f"{network.graph[name]}: no convolution or dense layer before it can carry its bias"


def no_constants_between(network: Network) -> Iterator[str]:
    """Only neurons and readouts may carry constants."""
    for node in _nodes(network, Affine):
        if isinstance(node.op, Affine) and node.op.shift is not None:
            yield f"{node}: a constant between layers"


RULES: tuple[DesignRule, ...] = (
    no_settle_steps,
    one_way_in,
    no_max_pool,
    no_concat,
    nothing_moves,
    one_output,
    reshapes_only_flatten,
    one_or_two_spatial_axes,
    square_kernels,
    symmetric_padding,
    plain_sum_pools,
    flat_matrix_products,
    biases_have_a_home,
    no_constants_between,
)
