"""The layers of the torch runtime one by one, each against the reference, and the file reader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from onnx2snn.ir import Array, Graph, Op
from onnx2snn.ir.ops import (
    IF,
    LIF,
    NEURONS,
    Add,
    Affine,
    AveragePool,
    Clip,
    Concat,
    Conv,
    Dense,
    Dilate,
    Encoder,
    Function,
    Gather,
    Input,
    LeakyRelu,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Neuron,
    Pad,
    Quantise,
    QuantiserRounding,
    Readout,
    Relu,
    Reshape,
    SignedIF,
    Softmax,
    Steps,
    StoreAndForward,
    SumPool,
    Transpose,
    Unary,
)
from onnx2snn.reference import apply, run

torch = pytest.importorskip("torch")

from onnx2snn.backends.torch import build, runtime  # noqa: E402
from onnx2snn.backends.torch.rules import TAIL  # noqa: E402

ONES, ZEROS = {1: (1,), 2: (1, 1), 3: (1, 1, 1)}, {1: (0, 0), 2: (0,) * 4, 3: (0,) * 6}


class Maker:
    """Spiking graphs op by op, with whole or real random numbers."""

    def __init__(self, shape: tuple[int, ...], integer: bool, code: type[Neuron], ties: Any, seed: int) -> None:
        self.graph, self.integer, self.code, self.ties = Graph(), integer, code, ties
        self.random = np.random.default_rng(seed)
        self.x = self.graph.add("x", Input(shape=shape))

    def add(self, op: Op, *sources: str) -> str:
        return self.graph.add(self.graph.fresh(op.name), op, sources)

    def numbers(self, low: int, high: int, *shape: int) -> Array:
        whole = self.random.integers(low, high, shape)
        return whole if self.integer else whole + self.random.normal(0, 0.1, shape)

    def encode(self) -> str:
        value = np.asarray(1 if self.integer else 0.7)
        return self.add(Encoder(scale=np.asarray(0.1), lo=-3, hi=9, rounding="half-up", value=value), self.x)

    def fire(self, source: str) -> str:
        column = (self.graph.shape(source)[0],) + (1,) * (len(self.graph.shape(source)) - 1)
        theta, start, bias = self.numbers(5, 30, *column), self.numbers(-3, 9, *column), self.numbers(-20, 20, *column)
        value = np.asarray(1 if self.integer else 1.3)
        extra = {IF: {}, SignedIF: {"lo": -2}}.get(self.code, {"lo": -2, "hi": 4})
        if self.code is LIF:
            extra = {"decay": 0.75, "reset": "zero" if self.random.random() < 0.5 else "subtract"}
            extra["current_decay"] = float(self.random.choice([0.0, 0.25, 3277 / 4096]))
        if self.code is StoreAndForward:
            extra["opens"] = int(self.random.integers(0, 12))
        shift = {"shift": int(self.random.integers(0, 3))} if self.integer else {}
        op = self.code(theta=theta, v0=start, bias=bias, value=value, ties=self.ties, **shift, **extra)
        return self.add(op, source)

    def conv(self, source: str, out: int, groups: int = 1, pads: int = 0) -> str:
        rank = len(self.graph.shape(source)) - 1
        weight = self.numbers(-4, 5, out, self.graph.shape(source)[0] // groups, *(2,) * rank)
        window = {"strides": ONES[rank], "pads": (pads,) * rank + (0,) * rank, "dilations": (1, 2, 1)[:rank]}
        return self.add(Conv(weight=weight, groups=groups, **window), source)

    def moved(self, source: str) -> str:
        """A signal through every op that moves numbers."""
        axes = len(self.graph.shape(source))
        at = self.add(Transpose(perm=(*range(1, axes), 0)), source)
        at = self.add(Gather(axis=axes - 1, indices=np.array([1, 0, 1])), at)
        at = self.add(Pad(pads=(1, *(0,) * (axes - 1), *(0,) * (axes - 1), 2)), at)
        return self.add(Dilate(strides=(2, 1, 3)[: axes - 1]), at)

    def finish(self, *sources: str) -> Graph:
        flat = [self.add(Reshape(shape=(int(np.prod(self.graph.shape(s))),)), s) for s in sources]
        at = self.add(Concat(), *flat)
        at = self.add(Dense(weight=self.numbers(-4, 5, 3, self.graph.shape(at)[0])), at)
        self.graph.outputs = (self.add(Readout(scale=np.ones(3), bias=np.zeros(3)), at),)
        return self.graph


def everything(rank: int, integer: bool, code: type[Neuron], ties: str, seed: int) -> Graph:
    """Every op, and still charges that join moving trains in sums and concats."""
    m = Maker((2, *(6, 5, 4)[:rank]), integer, code, ties, seed)
    window = {"kernel": (2, 3, 1)[:rank], "strides": (2, 1, 2)[:rank], "dilations": ONES[rank]}
    still = m.encode()
    a = m.fire(m.conv(still, 4, groups=2, pads=1))
    b = m.conv(a, 4, groups=4, pads=1)
    c = m.fire(m.add(Add(), b, m.add(Affine(scale=m.numbers(-3, 4, 4, *ONES[rank])), b), a) if rank == 1 else b)
    d = m.add(MaxPool(pads=(1, *(0,) * (2 * rank - 1)), **window), c)
    e = m.fire(m.add(Affine(scale=m.numbers(1, 4)), m.add(SumPool(pads=ZEROS[rank], **window), c)))
    f = m.fire(m.conv(m.add(Concat(), still, m.add(Add(), still, still)), 2))
    g = m.fire(m.add(Add(), m.conv(still, 4), m.conv(m.add(Concat(axis=0), still, m.fire(still)), 4)))
    return m.finish(d, e, f, g, m.moved(still), m.moved(a))


@given(
    st.sampled_from([1, 2, 3]),
    st.booleans(),
    st.sampled_from(NEURONS),
    st.sampled_from(["up", "even"]),
    st.sampled_from([1, 2, 5]),
    st.sampled_from([None, 0, 3]),
    st.integers(0, 999),
)
def test_every_op_is_the_references(
    rank: int, integer: bool, code: type[Neuron], ties: str, steps: int, settle: int | None, seed: int
) -> None:
    graph = everything(rank, integer, code, ties, seed)
    x = np.random.default_rng(seed).uniform(-0.5, 1.2, (3, *graph.shape("x")))
    expected = run(graph, x, steps, settle)
    module = build(graph, steps, settle)
    with torch.inference_mode():
        output = module(torch.from_numpy(x))
    for name, counts in expected.counts.items():
        np.testing.assert_array_equal(module.counts[name].numpy(), counts, err_msg=name)
    assert (module.steps, module.spikes) == (expected.steps, expected.spikes)
    np.testing.assert_allclose(output.numpy(), expected.output, rtol=1e-9, atol=1e-9)


# -- the tail behind the readouts -----------------------------------------------------------------------------------

WINDOW = {"kernel": (2, 2), "strides": (1, 2), "pads": (1, 0, 1, 1), "dilations": (1, 1)}
ENDS = {"elu": (0.7, 1.0), "selu": (1.6, 1.05), "celu": (0.7, 0.0), "hard-sigmoid": (0.2, 0.5), "power": (3.0, 0.0)}
TAILS: list[Op] = [
    *(Unary(function=f, alpha=ENDS.get(f, (0.3, 0.0))[0], beta=ENDS.get(f, (0, 0.0))[1]) for f in get_args(Function)),
    *(
        Quantise(scale=np.array([[[0.25]], [[0.5]]]), zero_point=3, qmin=0, qmax=9, rounding=rounding)
        for rounding in get_args(QuantiserRounding)
    ),
    Softmax(axis=0),
    Softmax(axis=2, log=True),
    Relu(),
    Clip(low=-0.25, high=np.inf),
    LeakyRelu(slope=np.array([0.1, -0.2, 0.3])),
    Steps(breakpoints=np.array([[-1.0], [0.25], [0.25]]), heights=np.array([2.0, -0.5, 1.0]), base=-1.0),
    Affine(scale=np.array(2.0), shift=np.array(0.5)),
    Conv(weight=np.arange(8).reshape(1, 2, 2, 2), scale=np.array([0.5]), **{k: WINDOW[k] for k in list(WINDOW)[1:]}),
    Dense(weight=np.arange(6.0).reshape(2, 3), bias=np.ones(2)),
    MaxPool(**WINDOW),
    SumPool(**WINDOW),
    AveragePool(**WINDOW),
    AveragePool(**WINDOW, count_padding=True),
    Reshape(shape=(3, 6)),
    Transpose(perm=(2, 0, 1)),
    Gather(axis=1, indices=np.array([2, 2, 0, 1])),
    Pad(pads=(0, 1, 2, 1, 0, 0)),
    Dilate(strides=(2, 3)),
    *(kind() for kind in (Add, Multiply, Minimum, Maximum)),
    Concat(axis=1),
]


def test_every_op_of_the_tail_is_tried() -> None:
    assert {type(op) for op in TAILS} == set(TAIL)


@pytest.mark.parametrize("op", TAILS, ids=lambda op: " ".join([op.name, *map(str, list(op.parameters().values())[:1])]))
def test_the_tail_is_the_references(op: Op) -> None:
    """On a grid of eighths: exactly on ties, on both sides of zero."""
    graph, unit = Graph(), {"scale": np.ones(()), "bias": np.zeros(())}
    graph.add("x", Input(shape=(2, 3, 3)))
    graph.add("one", Readout(**unit), ["x"])
    graph.add("half", Readout(scale=np.array(0.5), bias=np.array(0.125)), ["x"])
    graph.add("end", op, ["one", "half"][: op.arity or 2])
    graph.outputs = ("end", "half")
    x = np.arange(-36, 36).reshape(4, 2, 3, 3) / 8
    expected = run(graph, x, 1).outputs
    with torch.inference_mode():
        found = build(graph, 1)(torch.from_numpy(x))
    for ours, truth in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours.numpy(), truth, rtol=1e-12, atol=1e-12)


def test_an_encoder_rounds_up_only_from_a_half_on() -> None:
    below = np.nextafter(0.5, 0)
    encoder = Encoder(scale=np.ones(()), lo=0, hi=3, rounding="half-up", value=np.ones(()))
    assert apply(encoder, np.array([below, 0.5])).tolist() == [0, 1]
    layer = runtime.Encoder(scale=torch.ones(()), value=torch.ones(()), lo=0, hi=3, rounding="half-up")
    assert layer(runtime.still(torch.tensor([below, 0.5], dtype=torch.float64))).values.tolist() == [0, 1]


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolution_by_places_is_the_same(rank: int, groups: int) -> None:
    rng = torch.Generator().manual_seed(rank)
    weight = torch.randint(-7, 8, (4, 4 // groups, *(3,) * rank), generator=rng)
    pads = (1, 0, 2)[:rank] + (0, 2, 1)[:rank]
    window = {"strides": (1, 2, 3)[:rank], "pads": pads, "dilations": (2, 1, 1)[:rank]}
    layer = runtime.Conv(weight=weight, groups=groups, number=torch.float32, **window)
    x = torch.randint(-9, 10, (2, 4, *(7,) * rank), generator=rng).float()
    torch.testing.assert_close(layer.sums_by_place(x, weight.float()), layer.current(x), rtol=0, atol=0)


def test_whole_numbers_stay_exact_where_float32_is_reduced() -> None:
    weight = torch.full((4, 64), 4097)
    layer = runtime.Dense(weight=weight, number=torch.float32)
    x = torch.ones(32, 64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (torch.nn.functional.linear(x, weight.float()).double() != 4097 * 64).any()
        assert (layer.current(x) == 4097 * 64).all()
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        assert layer.current(x).dtype == torch.float64
    finally:
        torch.set_float32_matmul_precision(before)
    assert layer.current(x).dtype == torch.float32


def test_surrogate_is_the_triangle_of_its_docstring() -> None:
    theta = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    v = torch.linspace(-3, 5, 81, dtype=torch.float64, requires_grad=True)
    spike = (v >= theta).to(torch.int8)
    out = runtime.Surrogate.apply(v, theta, spike, 1, 1)
    assert torch.equal(out, spike.double())
    out.sum().backward()
    up, down = ((1 - abs(v.detach() - at) / 2).clamp(min=0) / 2 for at in (2, 0))
    assert v.grad is not None
    assert theta.grad is not None
    torch.testing.assert_close(v.grad, up + down)
    torch.testing.assert_close(theta.grad, -up.sum())
    between = (v > 0) & (v < 2)
    torch.testing.assert_close(v.grad[between], torch.full_like(v.grad[between], 0.5))


def test_closed_gates_pass_no_gradient() -> None:
    v = torch.ones(3, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor(2.0, dtype=torch.float64)
    gate = torch.tensor([True, False, True])
    runtime.Surrogate.apply(v, theta, v.detach().to(torch.int8), gate, 0).sum().backward()
    assert v.grad is not None
    assert v.grad.tolist() == [0.25, 0.0, 0.25]


# -- the safetensors reader -----------------------------------------------------------------------------------------


def test_reads_what_the_safetensors_package_writes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        f"{np.dtype(kind).name}.{size}": (rng.normal(size=(size, 3)) * 50).astype(kind)
        for kind in (np.float64, np.float32, np.int64, np.int8)
        for size in (0, 1, 5)
    }
    arrays["scalar"] = np.array(2.5)
    data = save(arrays, metadata={"made": "here"})
    (tmp_path / "a.safetensors").write_bytes(data)
    found = runtime.read_safetensors(tmp_path / "a.safetensors")
    expected = load(data)
    assert set(found) == set(expected) == set(arrays)
    for name, array in expected.items():
        assert found[name].numpy().dtype == array.dtype
        np.testing.assert_array_equal(found[name].numpy(), array)


def _file(**entry: Any) -> bytes:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **entry}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(8)


DAMAGED = {
    "empty": b"",
    "short": b"\x10\0\0",
    "header beyond the end": (1 << 40).to_bytes(8, "little") + b"{}",
    "no JSON": (2).to_bytes(8, "little") + b"{x",
    "wrong size": _file(shape=[3]),
    "beyond the end": _file(shape=[4], data_offsets=[0, 16]),
    "before the start": _file(data_offsets=[-8, 0]),
    "unknown type": _file(dtype="F4"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_files_are_refused(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(DAMAGED[damage])
    with pytest.raises(ValueError):
        runtime.read_safetensors(path)
    path.write_bytes(_file())
    assert runtime.read_safetensors(path)["a"].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("number", [None, torch.float32, torch.int64])
@pytest.mark.parametrize(("lo", "hi"), [(0, 15), (-128, 127), (-129, 127), (0, 128)])
def test_ties_to_even_as_the_docstring_says(number: Any, lo: int, hi: int) -> None:
    """At every count, a step and the next number on both of its sides."""
    kind = number or torch.float64
    theta = 7
    numbers = {name: torch.tensor(value, dtype=kind) for name, value in (("theta", theta), ("v0", 0), ("bias", 0))}
    clock = runtime.Clock(steps=4, settle=None, bound=4)
    layer = runtime.STBIF(
        lo=lo, hi=hi, ties="even", clock=clock, number=number, value=torch.tensor(1, dtype=kind), **numbers
    )
    steps = torch.tensor([0, theta], dtype=kind)
    past = steps.nextafter(torch.tensor(torch.inf, dtype=kind)) if number is None else steps + 1
    short = steps.nextafter(torch.tensor(-torch.inf, dtype=kind)) if number is None else steps - 1
    for count in {lo, lo + 1, 0, 1, hi - 1, hi}:
        for v in torch.cat([steps, past, short]).unbind():
            n = torch.full((1,), count, dtype=layer.tracer)
            up = (v > theta or (v == theta and count % 2 == 1)) and count < hi
            down = (v < 0 or (v == 0 and count % 2 == 1)) and count > lo
            fired = layer.fire(torch.stack([v]), n, numbers["theta"])
            assert fired.tolist() == [int(up) - int(down)]
