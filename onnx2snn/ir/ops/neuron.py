"""Integrate-and-fire neurons: how a staircase is climbed, one step a spike.

Over T inject steps and any number of settle steps after them, a neuron receives its input current and, in equal
parts over the inject steps, its `bias` and whatever input is constant (see `onnx2snn.reference.drive`).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import ClassVar, Literal, final, get_args

import numpy as np

from onnx2snn.ir.op import Array, Op, Shape, finite, fits, require

Ties = Literal["up", "even"]
Reset = Literal["subtract", "zero"]
DECAY_BITS = 12  #: a decay in whole numbers is a multiple of 2^-12, as on Loihi


def whole_decay(decay: float) -> int:
    """A decay in units of 2^-12, rounded."""
    return round(decay * (1 << DECAY_BITS))


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
    def range(self) -> tuple[int, int | None]:
        """Least and greatest count the neuron can hold; None: as many as there are steps."""
        raise NotImplementedError  # every neuron overrides it

    @property
    def most_at_once(self) -> int:
        """The most spikes that the neuron sends in one tick."""
        return 1

    @property
    def silent_until(self) -> int:
        """The tick before which the neuron only integrates."""
        return 0

    @property
    def lingers(self) -> bool:
        """Whether charge goes on arriving at the membrane after nothing reaches the neuron any more."""
        return False

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
class LIF(Neuron):
    """Leaky integrate-and-fire: v_t = decay v_{t-1} + c_t; s_t = 1 if v_t >= theta, else 0.

    c_t = current_decay c_{t-1} + I_t is the synaptic current (c_{-1} = 0), I_t = 2^shift x_t + bias_t what arrives;
    with a current_decay of 0 it has no memory. Reset after a spike: v_t <- v_t - theta ("subtract"), or v_t <- 0
    ("zero"); the current stays. In whole numbers decay v_{t-1} and current_decay c_{t-1} are cut toward zero to whole
    numbers, as Loihi does with its two registers. With decay 1, reset "subtract" and no memory of the current this is
    `IF`. The count depends on when charge arrives, by design: no staircase stands behind it.
    steady: constant charge, the bias and a constant input, is given as the current K that it settles at, to which the
    current moves: c_t = K + current_decay (c_{t-1} - K) + I_t, I_t without what is constant. In real numbers that is
    a constant charge of (1 - current_decay) K; in whole ones the distance from K is what is cut.
    (C5) 0 <= decay <= 1 and 0 <= current_decay <= 1, in an integer neuron multiples of 2^-12.
    (C6) reset is "subtract" or "zero".  (C7) steady goes with a current_decay below 1.
    Sources: the neuron of networks trained with STBP (Wu et al., Frontiers in Neuroscience 2018); CubaLIF of NIR
    (Pedersen et al., Nature Communications 2024); Loihi's neuron (Davies et al., IEEE Micro 2018).
    """

    code: ClassVar[str] = "lif"
    exact: ClassVar[bool] = False
    decay: float
    reset: Reset = "subtract"
    current_decay: float = 0.0
    steady: bool = False

    @property
    def range(self) -> tuple[int, int | None]:
        return (0, None)

    @property
    def lingers(self) -> bool:
        return self.current_decay > 0

    @property
    def leaks(self) -> bool:
        """Whether anything is lost from the membrane or the current between spikes."""
        return self.decay != 1 or self.lingers

    @property
    def decays(self) -> dict[str, float]:
        """The decays of both registers by the names of their fields."""
        return {"decay": self.decay, "current_decay": self.current_decay}

    @property
    def whole_decays(self) -> dict[str, float]:
        """The same, as an integer neuron can have them: rounded to multiples of 2^-12."""
        return {name: whole_decay(decay) / (1 << DECAY_BITS) for name, decay in self.decays.items()}

    def worth(self, ticks: int) -> int:
        """At most how much of one unit of charge the membrane gets through the current in so many ticks, rounded up.

        Of a unit that arrives, the current brings current_decay^k units k ticks later: 1 / (1 - current_decay) in all.
        """
        return ticks if self.current_decay == 1 else max(1, min(ticks, ceil(1 / (1 - self.current_decay))))

    def check(self) -> None:
        super().check()
        for name, decay in self.decays.items():
            require(0 <= decay <= 1, "C5", f"a {name} from 0 to 1 expected, found {decay}")
            whole = decay == self.whole_decays[name]
            require(whole or not self.integer, "C5", f"{name} {decay} of an integer neuron is no multiple of 2^-12")
        require(self.reset in get_args(Reset), "C6", f"reset subtract or zero expected, found {self.reset!r}")
        require(self.current_decay < 1 or not self.steady, "C7", "a current that keeps all settles nowhere")


@dataclass(frozen=True, eq=False, kw_only=True)
class Traced(Neuron):
    """What neurons share whose count n is bounded on both sides: at rest it is the staircase of the total charge.

    n = clip(floor((v0 + total charge) / theta), lo, hi), which no order of arrival changes.
    ties = "even": a charge exactly at a step boundary goes to the even count (ONNX rounding): step k is reached at
    v0 + charge >= k theta for even k, at > k theta for odd k.
    (C5) lo <= 0 < hi.
    """

    exact: ClassVar[bool] = True
    lo: int = 0
    hi: int

    @property
    def range(self) -> tuple[int, int | None]:
        return (self.lo, self.hi)

    def check(self) -> None:
        super().check()
        require(self.lo <= 0 < self.hi, "C5", f"lo <= 0 < hi expected, found lo = {self.lo}, hi = {self.hi}")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class STBIF(Traced):
    """Ternary integrate-and-fire with a spike tracer bounded on both sides, soft reset.

    s_t = +1 if v_t >= theta and n < hi, -1 if v_t < 0 and n > lo, else 0.
    ties = "even": with n + 1 odd the upward test is v > theta, with n odd the downward test is v <= 0.
    It may fire too much and take it back: both signs occur in one train.
    (C5) lo <= 0 < hi.      Source of the neuron: SpikeZIP (You et al., ICML 2024); the tie rule is our own.
    """

    code: ClassVar[str] = "st-bif"


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class StoreAndForward(Traced):
    """Integrates without firing before tick `opens` (counted from 0), and is an `STBIF` from then on.

    Where all charge has arrived before tick `opens`, the neuron sends its count n as a unary train, |n| spikes of one
    sign in the ticks opens ... opens + |n| - 1, and nothing after it: `window` = max(hi, -lo) ticks hold any count.
    Proof. At `opens` the membrane is v = v0 + charge and the tracer 0. Let n > 0 be the count at rest. By the
    definition of n the first n upward tests hold (v - k theta >= theta for k < n; > where the tie rule asks for it),
    and no downward one before them, v being at or above theta; after n spikes the count is the one at rest, where no
    test holds. n < 0 is the mirror image, and for n = 0 no test holds at once.
    Charge that still comes later is taken in as by an `STBIF`, corrections included.
    (C5) lo <= 0 < hi.  (C6) opens >= 0.
    Sources: PASCAL (TMLR 2025); the store-and-release neuron of PAICore.
    """

    code: ClassVar[str] = "store-and-forward"
    opens: int = 0

    @property
    def window(self) -> int:
        """Ticks from `opens` on in which every count can be sent."""
        return max(self.hi, -self.lo)

    @property
    def silent_until(self) -> int:
        return self.opens

    def check(self) -> None:
        super().check()
        require(self.opens >= 0, "C6", f"opens {self.opens} must not be negative")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Ladder(Traced):
    """hi - lo binary units side by side instead of hi - lo steps one after the other; their outputs are gathered.

    Unit k = lo + 1 ... hi passes its threshold at v0 + total charge >= k theta (> for odd k where ties = "even"). The
    count is n = lo + the number of units that have passed, and a tick sends its change, s_t = n_t - n_{t-1}, at once.
    With one step n_0 = 0 and all charge arrives in it, so the units need no memory: those with k > 0 fire +1 where
    they pass, those with k <= 0 fire -1 where they do not, and |n| units fire.
    (C5) lo <= 0 < hi.      Source: scatter-and-gather, of median quantisation (ISCAS 2020).
    """

    code: ClassVar[str] = "ladder"

    @property
    def most_at_once(self) -> int:
        return self.hi - self.lo

    def unit_thresholds(self) -> Array:
        """The accumulator value x from which each unit passes: (hi - lo, *channels), unit lo + 1 first.

        channels: the shape that theta, v0 and bias broadcast to. Whole numbers where the neuron is integer: the least
        whole x with 2^shift x + bias + v0 >= k theta (or >). Real ones otherwise, k theta - v0 - bias, the next
        number above it for odd k where ties go to the even count.
        """
        theta, start = np.broadcast_arrays(self.theta, self.v0 + self.bias)
        counts = np.arange(self.lo + 1, self.hi + 1).reshape(-1, *(1,) * theta.ndim)
        strict = (counts % 2 == 1) & (self.ties == "even")
        need = counts * theta - start
        if self.integer:
            return -(-(need + strict) >> self.shift)
        return np.where(strict, np.nextafter(need, np.inf), need)


NEURONS: tuple[type[Neuron], ...] = (IF, SignedIF, LIF, STBIF, StoreAndForward, Ladder)
EXACT_CODES = frozenset(kind.code for kind in NEURONS if kind.exact)
