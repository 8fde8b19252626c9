"""Random small quantised networks as a frontend reads them, and samples for them.

Structure is drawn by Hypothesis, numbers come from a seeded generator, so that examples are quick to make and
shrink to fewer layers. Two kinds of numbers:

- dyadic: few-bit fractions of powers of two. Every sum and product is exact in float64, so a charge can lie
  exactly on a tie between two counts, and often does.
- irregular: 53-bit scales, as training gives them. Ties then have probability zero, but for a charge of zero.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from onnx2snn.extras import need
from onnx2snn.ir import Array, Graph, Op, Origin, Shape
from onnx2snn.ir.ops import (
    Add,
    Affine,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    Dense,
    Dilate,
    Gather,
    Input,
    LeakyRelu,
    MaxPool,
    Multiply,
    Pad,
    Quantise,
    Relu,
    Reshape,
    Softmax,
    Transpose,
    Unary,
)

need("onnx2snn.testing", "hypothesis")
from hypothesis import strategies as st  # noqa: E402

Draw = Callable[[st.SearchStrategy[Any]], Any]


@st.composite
def networks(
    draw: Draw,
    *,
    dyadic: bool | None = None,
    branches: bool = True,
    quantised_input: bool = True,
    plain: bool = False,
    spellings: bool = False,
    moves: bool = True,
    tails: bool = False,
    blocks: int = 3,
) -> Graph:
    """Networks of ANN ops: quantised weighted layers with BatchNorm, pools, residual adds, concats and moves.

    As from a frontend, every node names as its origin the tensor that holds its value, here itself.

    dyadic: the kind of numbers; None: either.  branches: whether adds and concats may occur.
    plain: only what most targets have: square kernels, even padding, average pools, no concats, moves or negative
    counts.
    spellings: whether quantisers may be spelled with elementwise ops, or follow a leaky or absolute value.
    moves: whether numbers may be moved: transposes, gathers, zeros put in.
    tails: whether real-valued functions may stand behind the head, and other outputs beside it.
    blocks: the most quantised layers before the head.
    """
    numbers = Numbers(draw(st.integers(0, 2**32 - 1)), draw(st.booleans()) if dyadic is None else dyadic)
    maker = _Maker(draw, numbers, draw(st.sampled_from([(3,), (2, 6), (1, 6, 6), (2, 4, 5)])), plain, spellings)
    if quantised_input:
        maker.quantise(signed=draw(st.booleans()))
    kinds = [maker.layer, maker.residual, maker.concat][: 1 if not branches else 2 if plain else 3]
    for _ in range(draw(st.integers(1, blocks))):
        draw(st.sampled_from(kinds))()
        if maker.pools() and draw(st.booleans()):
            maker.pool()
        if moves and not plain and draw(st.booleans()):
            kinds_of_moves = [maker.transpose, maker.gather, maker.pad, maker.dilate]
            draw(st.sampled_from(kinds_of_moves if spellings else [*kinds_of_moves, maker.there_and_back]))()
    maker.head(transposed=moves and not plain and draw(st.booleans()))
    return maker.tail() if tails else maker.graph


@st.composite
def inputs(draw: Draw, graph: Graph, batch: int = 4) -> Array:
    """Samples (batch, *input shape) past both ends of the input's quantiser, a third exactly on a tie."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    (start,) = graph.of(Input)
    shape = (batch, *graph.shape(start.name))
    (reader,) = graph.consumers(start.name)
    if not isinstance(reader.op, Quantise):
        return rng.normal(0, 1, shape)
    op = reader.op
    counts = rng.uniform(op.qmin - op.zero_point - 1, op.qmax - op.zero_point + 1, shape)
    tie = rng.random(shape) < 1 / 3
    return np.where(tie, np.floor(counts) + 0.5, counts) * op.scale


class Numbers:
    """Random numbers of one of the two kinds."""

    def __init__(self, seed: int, dyadic: bool) -> None:
        self.rng = np.random.default_rng(seed)
        self.dyadic = dyadic

    def scales(self, *shape: int) -> Array:
        """Step sizes, from about 0.02 to 1."""
        if self.dyadic:
            return self.rng.integers(1, 16, shape) / 2.0 ** self.rng.integers(4, 6, shape)
        return self.rng.uniform(0.02, 0.5, shape)

    def reals(self, *shape: int) -> Array:
        """Biases and the like, around zero."""
        return self.rng.integers(-32, 33, shape) / 16 if self.dyadic else self.rng.normal(0, 0.7, shape)

    def codes(self, *shape: int) -> Array:
        """Whole weights of 4 bits."""
        return self.rng.integers(-7, 8, shape).astype(np.int8)

    def batch_norm(self, channels: int) -> BatchNorm:
        """Factors of either sign; about one in five is zero."""
        gamma = self.reals(channels) * (self.rng.random(channels) > 0.2)
        beta, mean = self.reals(2, channels)
        if self.dyadic:
            return BatchNorm(
                gamma=gamma, beta=beta, mean=mean, var=4.0 ** self.rng.integers(-1, 3, channels), epsilon=0.0
            )
        return BatchNorm(gamma=gamma, beta=beta, mean=mean, var=self.rng.uniform(0.3, 3, channels))


class _Maker:
    """Grows a graph from its input; `self.at` is the newest node."""

    def __init__(self, draw: Draw, numbers: Numbers, shape: Shape, plain: bool, spellings: bool) -> None:
        self.draw, self.numbers, self.plain, self.graph = draw, numbers, plain, Graph("net")
        self.spellings = spellings
        self.at = self.graph.add("x", Input(shape=shape))

    @property
    def shape(self) -> Shape:
        return self.graph.shape(self.at)

    def put(self, op: Op, *sources: str) -> str:
        name = self.graph.fresh(op.name)
        self.at = self.graph.add(name, op, sources or [self.at], Origin(f"/{name}", op.name, name))
        return self.at

    def quantise(self, signed: bool = False) -> None:
        top = self.draw(st.sampled_from([1, 3, 7, 15]))
        zero = self.draw(st.integers(1, top)) if signed else 0
        rounding = self.draw(st.sampled_from(["half-even", "half-even", "half-up"]))
        low, offset = (-zero, 0) if self.draw(st.booleans()) else (0, zero)  # int8 without, uint8 with a zero point
        if low + top <= offset:
            low, offset = -zero, 0
            top += 1
        self.put(Quantise(scale=self.numbers.scales(), zero_point=offset, qmin=low, qmax=low + top, rounding=rounding))

    def weighted(self, out: int, keep: bool = False) -> None:
        """A convolution (dense on flat features); `keep`: the spatial size stays."""
        bias = self.numbers.reals(out) if self.draw(st.booleans()) else None
        inside, size = self.shape[0], self.shape[1:]
        scale = self.numbers.scales(out)
        if not size:
            self.put(Dense(weight=self.numbers.codes(out, inside), scale=scale, bias=bias))
            return
        kernel, pads, strides = ((n,) * len(size) for n in (3, 1, 1)) if keep else self.window(size)
        groups = inside if out % inside == 0 and self.draw(st.booleans()) else 1
        weight = self.numbers.codes(out, inside // groups, *kernel)
        ones = (1,) * len(size)
        self.put(
            Conv(
                weight=weight,
                scale=scale,
                bias=bias,
                strides=strides,
                pads=pads * 2 if len(pads) == len(size) else pads,
                dilations=ones,
                groups=groups,
            )
        )

    def window(self, size: Shape) -> tuple[Shape, Shape, Shape]:
        """Kernel, pads (one an axis in a plain network, else begins and ends) and strides that fit `size`."""
        if self.plain:
            kernel = self.draw(st.integers(1, min(3, *size)))
            pad, stride = self.draw(st.integers(0, kernel // 2)), self.draw(st.integers(1, 2))
            return (kernel,) * len(size), (pad,) * len(size), (stride,) * len(size)
        kernels = tuple(self.draw(st.integers(1, min(3, n))) for n in size)
        pads = tuple(self.draw(st.integers(0, k // 2)) for k in kernels * 2)
        return kernels, pads, tuple(self.draw(st.integers(1, 2)) for _ in size)

    def activate(self, norm: bool = True) -> None:
        """Optional BatchNorm, Relu or Clip, then a quantiser, and perhaps a Relu after it."""
        if norm and self.draw(st.booleans()):
            self.put(self.numbers.batch_norm(self.shape[0]))
        kinds = ["relu", "clip"] if self.plain else ["relu", "relu", "clip", "signed", "late relu"]
        kind = self.draw(st.sampled_from(kinds + ["floor", "leaky", "abs", "ceil"] * self.spellings))
        if kind in ("floor", "ceil"):
            self.spelled(kind)
            return
        if kind == "leaky":
            self.put(LeakyRelu(slope=self.numbers.scales()))
        if kind == "abs":
            self.put(Unary(function="abs"))
        if kind == "relu":
            self.put(Relu())
        if kind == "clip":
            self.put(Clip(low=0.0, high=2.0))
        self.quantise(signed=kind in ("signed", "late relu", "leaky"))
        if kind == "late relu":
            self.put(Relu())

    def spelled(self, rounding: Literal["floor", "ceil"]) -> None:
        """A quantiser as x / s, clip, add a constant, round, times s; s may differ from channel to channel.

        With irregular numbers no step is at zero: terms that cancel would come within rounding of one.
        """
        count = self.shape[0] if self.draw(st.booleans()) else 1
        exact = 2.0 ** self.numbers.rng.integers(-4, 1, count)  # the reciprocal of no other number is
        scale = exact if self.numbers.dyadic else self.numbers.scales(count)
        scale = scale.reshape(-1, *(1,) * (len(self.shape) - 1))
        low, high = -float(self.draw(st.integers(0, 4))), float(self.draw(st.integers(1, 7)))
        self.put(Affine(scale=1 / scale))
        self.put(Clip(low=low, high=high))
        shifts = [0.0, 0.5, -0.25] if self.numbers.dyadic else [0.5, -0.25]
        self.put(Affine(shift=np.asarray(self.draw(st.sampled_from(shifts)))))
        self.put(Unary(function=rounding))
        self.put(Affine(scale=scale))

    def layer(self) -> None:
        self.weighted(self.draw(st.integers(1, 4)))
        self.activate()

    def residual(self) -> None:
        """y = quantise(f(x) + x), or f(x) + g(x)."""
        start, channels = self.at, self.shape[0]
        self.weighted(channels, keep=True)
        first = self.at
        if self.draw(st.booleans()):
            self.at = start
            self.weighted(channels, keep=True)
            start = self.at
        self.put(Add(), first, start)
        self.activate(norm=not self.plain)

    def concat(self) -> None:
        """Two quantised layers of the same input side by side."""
        start = self.at
        ends: list[str] = []
        for _ in range(2):
            self.at = start
            self.weighted(self.draw(st.integers(1, 2)), keep=True)
            self.activate()
            ends.append(self.at)
        self.put(Concat(axis=0), *ends)

    def pools(self) -> bool:
        """Whether a pool may follow."""
        size = self.shape[1:]
        return len(size) > 0 and min(size) >= 2 and (len(size) == 2 or not self.plain)

    def pool(self) -> None:
        """A max or average pool; in dyadic networks the average is over a power of two."""
        size = self.shape[1:]
        most = 2 if self.numbers.dyadic else 3
        kernel = tuple(self.draw(st.integers(1, min(most, n))) for n in size)
        kind = AveragePool if self.plain else self.draw(st.sampled_from([MaxPool, AveragePool]))
        zeros, ones = (0,) * (2 * len(size)), (1,) * len(size)
        strides = tuple(self.draw(st.integers(1, k)) for k in kernel)
        self.put(kind(kernel=kernel, strides=strides, pads=zeros, dilations=ones))

    def transpose(self) -> None:
        """Axes in any order."""
        self.put(Transpose(perm=tuple(self.draw(st.permutations(range(len(self.shape)))))))

    def there_and_back(self) -> None:
        """Elementwise ops on channels that an exporter left last."""
        rank = len(self.shape)
        self.put(Transpose(perm=(*range(1, rank), 0)))
        if self.draw(st.booleans()):
            self.put(Relu())
        self.quantise(signed=self.draw(st.booleans()))
        self.put(Transpose(perm=(rank - 1, *range(rank - 1))))

    def gather(self) -> None:
        """Entries along any axis: a part, another order, repeated ones."""
        axis = self.draw(st.integers(0, len(self.shape) - 1))
        indices = self.draw(st.lists(st.integers(0, self.shape[axis] - 1), min_size=1, max_size=6))
        self.put(Gather(axis=axis, indices=np.array(indices, np.int64)))

    def pad(self) -> None:
        """Zeros around the spatial axes, or the features."""
        rank = len(self.shape)
        pads = [self.draw(st.integers(0, 1)) for _ in range(2 * rank)]
        if rank > 1:
            pads[0] = pads[rank] = 0
        self.put(Pad(pads=tuple(pads)))

    def dilate(self) -> None:
        """Zeros between neighbours."""
        self.put(Dilate(strides=tuple(self.draw(st.integers(1, 2)) for _ in self.shape[1:])))

    def head(self, transposed: bool) -> None:
        """A dense layer over all features, perhaps with the channels last."""
        rank = len(self.shape)
        if transposed:
            self.put(Transpose(perm=(*range(1, rank), 0)))
        if len(self.shape) > 1:
            self.put(Reshape(shape=(int(np.prod(self.shape)),)))
        self.weighted(2)
        self.graph.outputs = (self.at,)

    def tail(self) -> Graph:
        """Perhaps a softmax or a gate behind the head, and what stands before them as an output of its own."""
        before = self.at
        kind = self.draw(st.sampled_from(["none", "softmax", "gate"]))
        if kind == "softmax":
            self.put(Softmax(axis=0))
        if kind == "gate":
            self.put(Unary(function="sigmoid"))
            self.put(Multiply(), before, self.at)
        others = [name for name in (before, self.graph[before].inputs[0]) if self.draw(st.booleans())]
        self.graph.outputs = tuple(dict.fromkeys([self.at, *others]))
        return self.graph
