"""Every numbered constraint in the docstring of an op has a negative test here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from onnx2snn.errors import ConstraintError, GraphError
from onnx2snn.ir import Op, Shape
from onnx2snn.ir.graph import Graph
from onnx2snn.ir.ops import (
    ALL_OPS,
    LIF,
    NEURONS,
    STBIF,
    Add,
    Affine,
    AveragePool,
    BatchNorm,
    Clip,
    Concat,
    Conv,
    Dense,
    Dilate,
    Encoder,
    Gather,
    Input,
    Ladder,
    LeakyRelu,
    Maximum,
    MaxPool,
    Minimum,
    Multiply,
    Neuron,
    Pad,
    Quantise,
    Readout,
    Reshape,
    SignedIF,
    Softmax,
    Staircase,
    Steps,
    StoreAndForward,
    SumPool,
    Traced,
    Transpose,
    Unary,
)

Case = tuple[type[Op], str, Callable[[], object]]
ONE = np.ones(())
NAN, INF = np.array(np.nan), np.array(np.inf)


def f64(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.ones(shape)


def conv(*shapes: Shape, **changes: Any) -> object:
    fields: dict[str, Any] = {
        "weight": f64(4, 2, 3, 3),
        "strides": (1, 1),
        "pads": (1,) * 4,
        "dilations": (1, 1),
    }
    return infer(Conv(**(fields | changes)), shapes)


def pool(kind: type[Op], *shapes: Shape, **changes: Any) -> object:
    fields: dict[str, Any] = {"kernel": (2, 2), "strides": (2, 2), "pads": (0,) * 4, "dilations": (1, 1)}
    return infer(kind(**(fields | changes)), shapes)


def norm(*shapes: Shape, **changes: Any) -> object:
    fields: dict[str, Any] = {name: f64(2) for name in ("gamma", "beta", "mean", "var")}
    return infer(BatchNorm(**(fields | changes)), shapes)


def neuron(kind: type[Neuron], *shapes: Shape, **changes: Any) -> object:
    fields: dict[str, Any] = {"theta": ONE, "v0": ONE, "bias": ONE, "value": ONE}
    fields |= {"hi": 3} if issubclass(kind, Traced) else {"decay": 0.5} if kind is LIF else {}
    return infer(kind(**(fields | changes)), shapes)


def infer(op: Op, shapes: tuple[Shape, ...]) -> object:
    return op.infer(*shapes) if shapes else op


WINDOW: list[tuple[str, dict[str, Any], Shape | None]] = [
    ("W1", {"strides": (1,)}, None),
    ("W1", {"dilations": (1, 1, 1)}, None),
    ("W2", {"pads": (1, 1)}, None),
    ("W2", {"pads": (0, 0, 0, -1)}, None),
    ("W3", {"strides": (0, 1)}, None),
    ("W3", {"dilations": (1, 0)}, None),
    ("W4", {}, (2, 5)),
    ("W4", {}, (2, 5, 5, 5)),
    ("W5", {"pads": (0,) * 4}, (2, 1, 5)),
    ("W5", {"pads": (0,) * 4, "dilations": (4, 1)}, (2, 4, 4)),
]


def window_cases() -> list[Case]:
    found: list[Case] = []
    for name, changes, shape in WINDOW:
        shapes = () if shape is None else (shape,)
        found.append((Conv, name, lambda s=shapes, c=changes: conv(*s, **c)))
        for kind in (SumPool, MaxPool, AveragePool):
            found.append((kind, name, lambda k=kind, s=shapes, c=changes: pool(k, *s, **c)))
    for kind in (SumPool, MaxPool, AveragePool):
        found.append((kind, "W3", lambda k=kind: pool(k, kernel=(0, 2))))
    return found


def neuron_cases() -> list[Case]:
    found: list[Case] = []
    whole = {name: np.int64(1) for name in ("theta", "v0", "bias", "value")}
    for kind in NEURONS:
        wrong: list[tuple[str, dict[str, Any], tuple[Shape, ...]]] = [
            ("C1", {"theta": 0 * ONE}, ()),
            ("C1", {"value": -ONE}, ()),
            ("C1", whole | {"theta": np.int64(0)}, ()),
            ("C2", {"theta": NAN}, ()),
            ("C2", {"v0": INF}, ()),
            ("C2", {"bias": NAN}, ()),
            ("C2", {"value": INF}, ()),
            *[("C2", {array: f64(2)}, ((3,),)) for array in whole],
            ("C2", {"bias": f64(4, 3)}, ((3,),)),
            ("C3", {"shift": 1}, ()),
            ("C3", whole | {"shift": -1}, ()),
            *[("C4", {array: np.int64(1)}, ()) for array in whole],
        ]
        found += [(kind, name, lambda k=kind, c=c, s=s: neuron(k, *s, **c)) for name, c, s in wrong]
    found.append((SignedIF, "C5", lambda: neuron(SignedIF, lo=1)))
    for kind in (STBIF, StoreAndForward, Ladder):
        found += [(kind, "C5", lambda k=kind, c=c: neuron(k, **c)) for c in ({"lo": 1}, {"hi": 0}, {"lo": 4, "hi": 3})]
    found.append((StoreAndForward, "C6", lambda: neuron(StoreAndForward, opens=-1)))
    leaks = ({"decay": -0.1}, {"decay": 1.1}, {"decay": float("nan")}, whole | {"decay": 0.9})
    leaks += ({"current_decay": -0.1}, {"current_decay": 1.1}, whole | {"current_decay": 0.9})
    found += [(LIF, "C5", lambda c=c: neuron(LIF, **c)) for c in leaks]
    found.append((LIF, "C6", lambda: neuron(LIF, reset="one")))
    found.append((LIF, "C7", lambda: neuron(LIF, steady=True, current_decay=1.0)))
    return found


def scale_cases() -> list[Case]:
    found: list[Case] = []
    makers: dict[type[Op], Callable[..., Op]] = {
        Quantise: lambda **c: Quantise(**({"scale": ONE, "zero_point": 0, "qmin": 0, "qmax": 3} | c)),
        Staircase: lambda **c: Staircase(**({"scale": ONE, "lo": 0, "hi": 3} | c)),
        Encoder: lambda **c: Encoder(**({"scale": ONE, "lo": 0, "hi": 3, "value": ONE} | c)),
    }
    for kind, make in makers.items():
        found += [(kind, "C1", lambda m=make, s=s: m(scale=s)) for s in (0 * ONE, -ONE, NAN, INF, np.array([1.0, 0.0]))]
        found += [(kind, "C1", lambda m=make, s=s: m(scale=s).infer((2, 3))) for s in (f64(2), f64(2, 2, 3))]
    for kind in (Staircase, Encoder):
        found += [
            (kind, "C2", lambda m=makers[kind], c=c: m(**c)) for c in ({"lo": 1}, {"hi": 0}, {"lo": -3, "hi": -1})
        ]
    found.append((Quantise, "C2", lambda: makers[Quantise](qmin=3)))
    found.append((Quantise, "C3", lambda: makers[Quantise](rounding="sideways")))
    found += [(Encoder, "C3", lambda v=v: makers[Encoder](value=v)) for v in (0 * ONE, -ONE, NAN)]
    found.append((Encoder, "C3", lambda: makers[Encoder](value=f64(2)).infer((2, 3))))
    return found


CASES: list[Case] = [
    (Input, "C1", lambda: Input(shape=(3, 0))),
    (Input, "C1", lambda: Input(shape=(-1,))),
    (Conv, "C1", lambda: conv(weight=f64(4, 2))),
    (Conv, "C1", lambda: conv(weight=f64(4, 2, 3, 3) * np.nan)),
    (Conv, "C2", lambda: conv(scale=f64(3))),
    (Conv, "C2", lambda: conv(scale=-f64(4))),
    (Conv, "C2", lambda: conv(bias=f64(4, 1))),
    (Conv, "C2", lambda: conv(bias=f64(4) * np.inf)),
    (Conv, "C3", lambda: conv(groups=3)),
    (Conv, "C3", lambda: conv(groups=0)),
    (Conv, "C3", lambda: conv((3, 5, 5))),
    (Conv, "C3", lambda: conv((2, 5, 5), groups=2)),
    (Conv, "C3", lambda: conv(())),
    (Conv, "W3", lambda: conv(weight=f64(4, 2, 0, 3))),
    (Dense, "C1", lambda: Dense(weight=f64(3))),
    (Dense, "C1", lambda: Dense(weight=f64(2, 3) * np.inf)),
    (Dense, "C2", lambda: Dense(weight=f64(2, 3), scale=f64(3))),
    (Dense, "C2", lambda: Dense(weight=f64(2, 3), scale=0 * f64(2))),
    (Dense, "C2", lambda: Dense(weight=f64(2, 3), bias=f64(2) * np.nan)),
    (Dense, "C3", lambda: Dense(weight=f64(2, 3)).infer((4,))),
    (Dense, "C3", lambda: Dense(weight=f64(2, 3)).infer(())),
    (Affine, "C1", lambda: Affine(scale=NAN)),
    (Affine, "C1", lambda: Affine(shift=INF)),
    (Affine, "C1", lambda: Affine(scale=f64(2)).infer((3,))),
    (Affine, "C1", lambda: Affine(shift=f64(2, 3)).infer((3,))),
    (Add, "C1", lambda: Add().infer((3,))),
    (Add, "C1", lambda: Add().infer((3,), (1,))),
    (Concat, "C1", lambda: Concat(axis=1).infer((3,), (3,))),
    (Concat, "C1", lambda: Concat(axis=-1).infer((3,), (3,))),
    (Concat, "C1", lambda: Concat(axis=0).infer((3, 2), (3, 4))),
    (Concat, "C1", lambda: Concat(axis=0).infer((3, 2), (3,))),
    (Reshape, "C1", lambda: Reshape(shape=(4,)).infer((3,))),
    (Clip, "C1", lambda: Clip(low=1.0, high=1.0)),
    (Clip, "C1", lambda: Clip(low=float("nan"), high=1.0)),
    (BatchNorm, "C1", lambda: norm(beta=f64(3))),
    (BatchNorm, "C1", lambda: norm(**{name: f64(2, 1) for name in ("gamma", "beta", "mean", "var")})),
    (BatchNorm, "C1", lambda: norm(mean=f64(2) * np.nan)),
    (BatchNorm, "C2", lambda: norm(var=-f64(2))),
    (BatchNorm, "C2", lambda: norm(var=0 * f64(2), epsilon=0.0)),
    (BatchNorm, "C3", lambda: norm((3, 2))),
    (BatchNorm, "C3", lambda: norm(())),
    (Readout, "C1", lambda: Readout(scale=NAN, bias=ONE)),
    (Readout, "C1", lambda: Readout(scale=ONE, bias=INF)),
    (Readout, "C1", lambda: Readout(scale=f64(2), bias=ONE).infer((3,))),
    (Readout, "C1", lambda: Readout(scale=ONE, bias=f64(2, 3)).infer((3,))),
    (Transpose, "C1", lambda: Transpose(perm=(0, 2))),
    (Transpose, "C1", lambda: Transpose(perm=(1, 0)).infer((2, 3, 4))),
    (Gather, "C1", lambda: Gather(axis=0, indices=np.zeros((1, 1), np.int64))),
    (Gather, "C1", lambda: Gather(axis=0, indices=np.zeros(0, np.int64))),
    (Gather, "C1", lambda: Gather(axis=0, indices=f64(2))),
    (Gather, "C2", lambda: Gather(axis=2, indices=np.zeros(1, np.int64)).infer((3, 3))),
    (Gather, "C3", lambda: Gather(axis=0, indices=np.array([0, 3])).infer((3,))),
    (Gather, "C3", lambda: Gather(axis=0, indices=np.array([-1])).infer((3,))),
    (Pad, "C1", lambda: Pad(pads=(0, -1))),
    (Pad, "C2", lambda: Pad(pads=(1, 1)).infer((2, 3))),
    (Dilate, "C1", lambda: Dilate(strides=(0,))),
    (Dilate, "C2", lambda: Dilate(strides=(2,)).infer((3, 3, 3))),
    (Unary, "C1", lambda: Unary(function="sine")),  # type: ignore[arg-type]
    (LeakyRelu, "C1", lambda: LeakyRelu(slope=NAN)),
    (LeakyRelu, "C1", lambda: LeakyRelu(slope=f64(2)).infer((3,))),
    *[(kind, "C1", lambda k=kind: k().infer((3,), (1,))) for kind in (Multiply, Minimum, Maximum)],
    (Softmax, "C1", lambda: Softmax(axis=1).infer((3,))),
    (Steps, "C1", lambda: Steps(breakpoints=np.array([1.0, 0.5]), heights=f64(2))),
    (Steps, "C1", lambda: Steps(breakpoints=np.array([NAN, 1.0]), heights=f64(2))),
    (Steps, "C1", lambda: Steps(breakpoints=f64(2, 4), heights=f64(2)).infer((3,))),
    (Steps, "C2", lambda: Steps(breakpoints=f64(2), heights=f64(3))),
    (Steps, "C2", lambda: Steps(breakpoints=f64(2), heights=np.array([1.0, 0.0]))),
    (Steps, "C3", lambda: Steps(breakpoints=f64(2), heights=f64(2), base=float("inf"))),
    *window_cases(),
    *neuron_cases(),
    *scale_cases(),
]


@pytest.mark.parametrize(
    ("kind", "constraint", "broken"), CASES, ids=[f"{kind.name}-{name}" for kind, name, _ in CASES]
)
def test_a_broken_constraint_is_named(kind: type[Op], constraint: str, broken: Callable[[], object]) -> None:
    with pytest.raises(ConstraintError, match=rf"\({constraint}\) "):
        broken()


def documented(kind: type[Op]) -> set[str]:
    """The constraints that the docstrings of an op and its bases name; `(W1-W5)` names five."""
    text = " ".join(base.__dict__.get("__doc__") or "" for base in kind.__mro__)
    names = set(re.findall(r"\(([CW]\d+)\)", text))
    for letter, first, last in re.findall(r"\(([CW])(\d+)-[CW](\d+)\)", text):
        names |= {f"{letter}{number}" for number in range(int(first), int(last) + 1)}
    return names


@pytest.mark.parametrize("kind", ALL_OPS, ids=lambda kind: kind.name)
def test_every_documented_constraint_has_a_case(kind: type[Op]) -> None:
    tested = {name for case, name, _ in CASES if case is kind}
    assert documented(kind) == tested


def test_the_docstrings_were_read() -> None:
    assert documented(Conv) == {"C1", "C2", "C3", "W1", "W2", "W3", "W4", "W5"}
    assert documented(MaxPool) == {"W1", "W2", "W3", "W4", "W5"}
    assert documented(STBIF) == {"C1", "C2", "C3", "C4", "C5"}
    assert sum(len(documented(kind)) for kind in ALL_OPS) > 50


def test_a_concat_of_nothing_is_refused_by_the_graph() -> None:
    with pytest.raises(GraphError, match="one or more inputs expected, found 0"):
        Graph().add("c", Concat(axis=0), [])
