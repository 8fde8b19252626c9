"""Integrate-and-fire neurons: how a staircase is climbed, one step a spike.

Over T inject steps and any number of settle steps after them, a neuron receives its input current and, in equal
parts over the inject steps, its `bias` and whatever input is constant (see `onnx2snn.reference.drive`).
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, final

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require

Ties = Literal["up", "even"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Neuron(Op):
    """What all neurons share.

    v_t = v_{t-1} + 2^shift x_t + bias_t;  s_t = spike(v_t);  v_t <- v_t - theta s_t;  output value s_t.
    State: v (starts at v0), n = sum of spikes so far (starts at 0), both shaped like the input.
    All four arrays are integers (exact arithmetic) or all are real.
    (C1) theta > 0 and value > 0.  (C2) arrays are finite and broadcast to the input.
    (C3) shift >= 0, and 0 in a real-valued neuron.  (C4) arrays are all integer or all real.
    ties: where a charge exactly half-way between two counts belongs. A bounded tracer obeys it at every step; the
    other neurons have nothing to obey it with, send ties upward, and honour it only through a v0 chosen for it.
    """

    code: ClassVar[str]  #: name of the code that this neuron belongs to
    exact: ClassVar[bool]  #: whether the resting count is a function of the total charge alone

    theta: Array
    v0: Array
    bias: Array
    value: Array
    shift: int = 0
    ties: Ties = "up"

    @property
    def integer(self) -> bool:
        """Whether the neuron computes in integers."""
        return self.theta.dtype.kind == "i"

    @property
    @abstractmethod
    def range(self) -> tuple[int, int | None]:
        """Least and greatest count the neuron can hold; None: as many as there are steps."""

    def check(self) -> None:
        arrays = {"theta": self.theta, "v0": self.v0, "bias": self.bias, "value": self.value}
        for name, array in arrays.items():
            require(finite(array), "C2", f"{name} must be finite")
        require((self.theta > 0).all() and (self.value > 0).all(), "C1", "theta and value must be positive")
        kinds = {array.dtype.kind for array in arrays.values()}
        require(len(kinds) == 1, "C4", f"theta, v0, bias and value must be all integer or all real, found {kinds}")
        require(
            self.shift >= 0 and (self.integer or self.shift == 0),
            "C3",
            f"shift {self.shift} must be >= 0, and 0 in real arithmetic",
        )

    def infer(self, *shapes: Shape) -> Shape:
        for name in ("theta", "v0", "bias", "value"):
            array = getattr(self, name)
            require(fits(array, shapes[0]), "C2", f"{name} {array.shape} does not broadcast to {shapes[0]}")
        return shapes[0]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class IF(Neuron):
    """Unsigned integrate-and-fire, soft reset: s_t = 1 if v_t >= theta, else 0.

    The neuron of Fast-SNN `-u`, QCFS (v0 = theta / 2) and Rate Norm Layers (v0 = 0).
    """

    code: ClassVar[str] = "if"
    exact: ClassVar[bool] = False

    @property
    def range(self) -> tuple[int, int | None]:
        return (0, None)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SignedIF(Neuron):
    """Signed integrate-and-fire, soft reset: s_t = +1 if v_t >= theta, -1 if v_t < 0 and n > lo, else 0.

    The default neuron of Fast-SNN: the net count never falls below lo, and nothing bounds it from above.
    (C5) lo <= 0.
    """

    code: ClassVar[str] = "signed-if"
    exact: ClassVar[bool] = False
    lo: int = 0

    @property
    def range(self) -> tuple[int, int | None]:
        return (self.lo, None)

    def check(self) -> None:
        super().check()
        require(self.lo <= 0, "C5", f"lo {self.lo} must not be positive")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class STBIF(Neuron):
    """Ternary integrate-and-fire with a spike tracer bounded on both sides, soft reset.

    s_t = +1 if v_t >= theta and n < hi, -1 if v_t < 0 and n > lo, else 0.
    At rest n = clip(floor((v0 + total charge) / theta), lo, hi): a function of the total charge alone.
    ties = "even": a membrane exactly at a step boundary goes to the even count (ONNX rounding): with n + 1 odd the
    upward test is v > theta, with n odd the downward test is v <= 0.
    (C5) lo <= 0 < hi.      Source of the neuron: SpikeZIP (You et al., ICML 2024); the tie rule is our own.
    """

    code: ClassVar[str] = "st-bif"
    exact: ClassVar[bool] = True
    lo: int = 0
    hi: int

    @property
    def range(self) -> tuple[int, int | None]:
        return (self.lo, self.hi)

    def check(self) -> None:
        super().check()
        require(self.lo <= 0 < self.hi, "C5", f"lo <= 0 < hi expected, found lo = {self.lo}, hi = {self.hi}")
