"""Integrate-and-fire neurons, and the surrogate gradients that train through them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn

from onnx2snn.backends.torch.runtime.arithmetic import Number, keep, shares
from onnx2snn.backends.torch.runtime.signals import Clock, Signal

Gates = tuple[Tensor | int, Tensor | int]
DECAY_BITS = 12  #: a decay in whole numbers is a multiple of 2^-12


class Surrogate(torch.autograd.Function):
    """The spike s as it is; its derivative as if the steps of s at v = theta and v = 0 were ramps.

    ds/dv = rise * w(v - theta) + fall * w(v),   ds/dtheta = -rise * w(v - theta),
    w(d) = max(0, 1 - |d| / theta) / theta: a triangle of area 1.
    rise, fall: 1 where the count may still go up, down, else 0. With both open, the triangles add up to 1 / theta
    between 0 and theta: the mean slope of the staircase that the neuron climbs. The triangle is the
    pseudo-derivative of Esser et al. (PNAS 2016) and of Bellec et al. (NeurIPS 2018).
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, theta: Tensor, spike: Tensor, rise: Tensor | int, fall: Tensor | int) -> Tensor:
        up, down = ((1 - d.abs() / theta).clamp(min=0) / theta for d in (v - theta, v))
        ctx.save_for_backward(up * rise, down * fall)
        ctx.shape = theta.shape
        return spike.to(v.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        up, down = (gradients[0] * window for window in ctx.saved_tensors)
        return up + down, -up.sum_to_size(ctx.shape), None, None, None


class Straight(torch.autograd.Function):
    """Several spikes at once as they are; their derivative as if they were v / theta, the line through all steps.

    ds/dv = 1 / theta, ds/dtheta = -v / theta^2 between the ends of the staircase (`free`), else 0: the
    straight-through estimator of a clipped rounding (Bengio et al., arXiv 1308.3432).
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, theta: Tensor, spike: Tensor, free: Tensor) -> Tensor:
        slope = free / theta
        ctx.save_for_backward(slope, v * slope / theta)
        ctx.shape = theta.shape
        return spike.to(v.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        by_v, by_theta = (gradients[0] * slope for slope in ctx.saved_tensors)
        return by_v, -by_theta.sum_to_size(ctx.shape), None, None


class Neuron(nn.Module):
    """v_t = v_{t-1} + 2^shift x_t + bias_t;  s_t = spike(v_t, n);  v_t <- v_t - theta s_t;  n <- n + s_t.

    Emits value * s_t. `bias` and a constant input arrive in equal parts over the inject steps.
    opens: the tick before which it only integrates.  tracer: the whole number that holds n.
    After a run: counts, the n of every neuron, int64; activity, the number of spikes of either sign in each tick.
    """

    theta: Tensor
    v0: Tensor
    bias: Tensor
    value: Tensor
    counts: Tensor
    activity: Tensor

    def __init__(
        self,
        *,
        theta: Tensor,
        v0: Tensor,
        bias: Tensor,
        value: Tensor,
        shift: int = 0,
        ties: Literal["up", "even"] = "up",
        clock: Clock,
        name: str = "",
        number: Number = None,
    ) -> None:
        super().__init__()
        self.clock, self.name, self.shift, self.ties, self.number = clock, name, shift, ties, number
        self.opens, self.tracer = 0, torch.int32
        keep(self, "theta", theta, number, train=True)
        keep(self, "v0", v0, number)
        keep(self, "bias", bias, number, train=True)
        keep(self, "value", value, number)

    def fire(self, v: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        """The spikes for membranes v and counts n so far, int8."""
        raise NotImplementedError

    def gates(self, n: Tensor) -> Gates:
        """1 where the count n may still rise, and fall; else 0."""
        raise NotImplementedError

    def leak(self, v: Tensor) -> Tensor:
        """What is left of the membranes v when a tick begins."""
        return v

    def reset(self, v: Tensor, theta: Tensor, spike: Tensor) -> Tensor:
        """The membranes after these spikes."""
        return v - theta * spike

    def soften(self, v: Tensor, theta: Tensor, n: Tensor, fired: Tensor) -> Tensor:
        """The spikes `fired` with a gradient."""
        return Surrogate.apply(v, theta, fired, *self.gates(n))  # type: ignore[no-any-return]

    def forward(self, signal: Signal) -> Signal:
        kind = self.number or self.theta.dtype
        arriving, theta = self.arriving(signal, kind), self.theta.to(kind)
        v = self.v0.to(kind).expand(signal.values.shape[0 if signal.still else 1 :])
        n = torch.zeros(v.shape, dtype=self.tracer, device=v.device)
        first = min(self.opens, self.clock.most - 1)
        train: list[Tensor] = []
        activity: list[Tensor] = []
        for tick in range(self.clock.most):
            current = arriving(tick)
            v = self.leak(v) if current is None else self.leak(v) + current
            if tick < self.opens:
                continue
            spike = fired = self.fire(v, n, theta)
            if train and tick >= self.least(signal) and not fired.any():
                break
            if torch.is_grad_enabled() and (v.requires_grad or theta.requires_grad):
                spike = self.soften(v, theta, n, fired)
            n, v = n + fired, self.reset(v, theta, spike)
            train.append(spike)
            activity.append(fired.abs().sum())
        trains = torch.stack(train or [torch.zeros_like(n, dtype=torch.int8)])
        self.counts, self.activity = n.to(torch.int64), self.at_ticks(activity, first)
        return Signal(trains * self.value if self.number is None else trains, still=False, first=first)

    def at_ticks(self, activity: list[Tensor], first: int) -> Tensor:
        """Spikes in every tick from the first of the run on."""
        silence = torch.zeros(first, dtype=torch.int64, device=self.theta.device)
        return torch.cat([silence, torch.stack(activity)]) if activity else silence

    def least(self, signal: Signal) -> int:
        """Ticks after which silence means silence for good."""
        if self.clock.settle is not None:
            return self.clock.most
        return self.clock.steps if signal.still else max(self.clock.steps, signal.stop)

    def arriving(self, signal: Signal, kind: torch.dtype) -> Callable[[int], Tensor | None]:
        """What reaches the membrane in a tick, the share of the bias included; None: nothing."""
        values, constant = signal.values, self.constant(signal, kind)
        if signal.still:
            return constant

        def arriving(tick: int) -> Tensor | None:
            there = signal.first <= tick < signal.stop
            current = values[tick - signal.first].to(kind) * (1 << self.shift) if there else None
            part = constant(tick)
            if part is None:
                return current
            return part if current is None else current + part

        return arriving

    def constant(self, signal: Signal, kind: torch.dtype) -> Callable[[int], Tensor | None]:
        """The share of a tick of the bias, and of an input that is constant."""
        steps, total = self.clock.steps, self.bias
        if signal.still:
            values = signal.values
            total = total + (values.to(kind) if self.number is None else values.to(torch.int64) << self.shift)
        parts = [part.to(kind) for part in shares(total, steps)]
        return lambda tick: parts[min(tick, 1)] if tick < steps else None


class IF(Neuron):
    """s = 1 if v >= theta, else 0."""

    def fire(self, v: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        return (v >= theta).view(torch.int8)

    def gates(self, n: Tensor) -> Gates:
        return 1, 0


class SignedIF(Neuron):
    """s = +1 if v >= theta, -1 if v < 0 and n > lo, else 0."""

    def __init__(self, *, lo: int = 0, **rest: Any) -> None:
        super().__init__(**rest)
        self.lo = lo

    def fire(self, v: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        return (v >= theta).view(torch.int8) - ((v < 0) & (n > self.lo)).view(torch.int8)

    def gates(self, n: Tensor) -> Gates:
        return 1, n > self.lo


class LIF(Neuron):
    """v_t = decay v_{t-1} + c_t;  s = 1 if v >= theta, else 0;  v <- v - theta s, or 0 after a spike.

    c_t = current_decay c_{t-1} + 2^shift x_t + bias_t is the synaptic current.
    In whole numbers decay v_{t-1} and current_decay c_{t-1} are cut toward zero. Where `steady`, bias and constant
    input K of a step are what the current moves to: c_t = K + current_decay (c_{t-1} - K) + 2^shift x_t.
    """

    def __init__(
        self,
        *,
        decay: float,
        reset: Literal["subtract", "zero"] = "subtract",
        current_decay: float = 0.0,
        steady: bool = False,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.decay, self.to_zero, self.current_decay, self.steady = decay, reset == "zero", current_decay, steady

    def leak(self, v: Tensor) -> Tensor:
        return self.decayed(v, self.decay)

    def decayed(self, v: Tensor, decay: float) -> Tensor:
        """decay * v, in whole numbers cut toward zero."""
        if self.number is None:
            return v * decay
        whole = round(decay * (1 << DECAY_BITS))
        if v.is_floating_point():
            return torch.trunc(v * whole / (1 << DECAY_BITS))
        size = v.abs()  # the product in two parts, high bits and low, so that it fits where v does
        low = (size & ((1 << DECAY_BITS) - 1)) * whole >> DECAY_BITS
        return v.sign() * ((size >> DECAY_BITS) * whole + low)

    def arriving(self, signal: Signal, kind: torch.dtype) -> Callable[[int], Tensor | None]:
        arriving = super().arriving(signal, kind)
        return self.through_synapse(arriving, self.constant(signal, kind)) if self.current_decay else arriving

    def through_synapse(
        self, arriving: Callable[[int], Tensor | None], constant: Callable[[int], Tensor | None]
    ) -> Callable[[int], Tensor | None]:
        """The synaptic current at a tick, asked for one tick after the other."""
        held: Tensor | None = None

        def current(tick: int) -> Tensor | None:
            nonlocal held
            settled = constant(tick) if self.steady else None
            if settled is not None:
                held = -settled if held is None else held - settled
            new, kept = arriving(tick), None if held is None else self.decayed(held, self.current_decay)
            held = new if kept is None else kept if new is None else kept + new
            return held

        return current

    def least(self, signal: Signal) -> int:
        return self.clock.most if self.current_decay else super().least(signal)

    def reset(self, v: Tensor, theta: Tensor, spike: Tensor) -> Tensor:
        return v * (1 - spike) if self.to_zero else super().reset(v, theta, spike)

    def fire(self, v: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        return (v >= theta).view(torch.int8)

    def gates(self, n: Tensor) -> Gates:
        return 1, 0


class STBIF(Neuron):
    """s = +1 if v >= theta and n < hi, -1 if v < 0 and n > lo, else 0.

    ties = "even": a membrane exactly on a step goes to the even count: upward to an odd count only if v > theta,
    downward from an odd count also if v = 0.
    """

    def __init__(self, *, lo: int = 0, hi: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.lo, self.hi = lo, hi
        self.tracer = torch.int8 if lo >= -128 and hi <= 127 else torch.int32

    def fire(self, v: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        up, down = self.asks(v, n & 1, theta) if self.ties == "even" else (v >= theta, v < 0)
        return (up & (n < self.hi)).view(torch.int8) - (down & (n > self.lo)).view(torch.int8)

    def asks(self, v: Tensor, odd: Tensor, theta: Tensor) -> tuple[Tensor, Tensor]:
        """Whether a membrane asks for a spike up, and down; odd: 1 where the count is. A whole v >= k is v > k - 1."""
        if self.number is not None:
            return v > theta - odd, v < odd
        on = odd.bool()
        return (v > theta) | (v >= theta) & on, (v < 0) | (v <= 0) & on

    def gates(self, n: Tensor) -> Gates:
        return n < self.hi, n > self.lo


class StoreAndForward(STBIF):
    """Integrates in silence before tick `opens`, and is an STBIF from then on."""

    def __init__(self, *, opens: int = 0, **rest: Any) -> None:
        super().__init__(**rest)
        self.opens = opens


class Ladder(STBIF):
    """hi - lo units side by side: s = clip(m, lo - n, hi - n), the largest m with v >= m theta.

    ties = "even": where v = m theta and n + m is odd, m - 1.
    """

    def __init__(self, **rest: Any) -> None:
        super().__init__(**rest)
        self.tracer = torch.int32  # n + m is no count, and may not fit what holds one

    def fire(self, v: Tensor, n: Tensor, theta: Tensor) -> Tensor:
        m = torch.div(v, theta, rounding_mode="floor")
        m = m + ((m + 1) * theta <= v).to(m.dtype)
        m = m - (m * theta > v).to(m.dtype)
        if self.ties == "even":
            m = m - ((m * theta == v) & ((n + m) % 2 == 1)).to(m.dtype)
        most = next(
            kind for kind in (torch.int8, torch.int16, torch.int32) if self.hi - self.lo <= torch.iinfo(kind).max
        )
        return m.clamp(self.lo - n, self.hi - n).to(most)

    def soften(self, v: Tensor, theta: Tensor, n: Tensor, fired: Tensor) -> Tensor:
        place = v / theta + n - 0.5
        return Straight.apply(v, theta, fired, (place > self.lo) & (place < self.hi))  # type: ignore[no-any-return]
