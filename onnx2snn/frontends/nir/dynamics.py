r"""From NIR's continuous time to one update a step.

NIR says (https://neuroir.org/docs/primitives):

    LIF      tau dv/dt = (v_leak - v) + r I                   spike where v >= v_threshold, then v <- v_reset
    IF           dv/dt = r I
    CubaLIF  tau_syn di/dt = -i + w_in S,  tau_mem dv/dt = (v_leak - v) + r i

With a = dt / tau (`euler`, as snnTorch, Norse and SpikingJelly do) or a = 1 - exp(-dt / tau) (`exponential`, exact
while I holds, as sinabs does), one step of the LIF is v <- (1 - a) v + a (v_leak + r I). Measured from v_leak and in
units of the gain a r that is u <- decay u + I with decay = 1 - a and theta = (v_threshold - v_leak) / (a r): the
neuron of `onnx2snn.ir.ops.LIF`. A synapse is a filter in front of it, j <- (1 - a_syn) j + S, whose new value the
membrane takes in the same step, and its gain a_syn w_in divides the threshold as well (Synaptic of snnTorch,
CUBALIFNode of SpikingJelly and LIFCell of Norse step so; `exponential` takes each equation to be exact while what
drives it holds). A reset leaves the current. Membranes start at v_leak (of IF: v_reset), or where metadata `v0` says
so; currents at zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, cast, get_args

import numpy as np

from onnx2snn.errors import ModelError, UsageError
from onnx2snn.frontends.nir.fields import array, parameter, small, word
from onnx2snn.frontends.nir.file import Raw, Value
from onnx2snn.ir import Array, Shape
from onnx2snn.ir.ops import IF, LIF, Neuron, Reset

Integrator = Literal["euler", "exponential"]
DT = 1e-4  #: seconds; what snnTorch and SpikingJelly write files with
SAME = 1e-6  #: relative: time constants that differ by no more are one, and so near a gain of one is one: float32


@dataclass(frozen=True)
class Discretisation:
    """How continuous time becomes steps.

    dt: length of a step, in the unit of the file's time constants; 0: what the file's metadata say, else 1e-4.
    reset: what a spike does, "subtract" the threshold or set to "zero" (v_reset), whatever metadata say; "": what those
    of the node say, else those of the file, else "zero", which is what NIR means.  integrator: see the module.
    """

    dt: float = 0.0
    reset: str = ""
    integrator: str = "euler"

    def __post_init__(self) -> None:
        if not 0 <= self.dt < float("inf"):
            raise UsageError(f"`dt`: a positive length of a step expected, found {self.dt}")
        if self.reset not in ("", *get_args(Reset)):
            raise UsageError(f"`reset`: {' or '.join(get_args(Reset))} expected, found {self.reset!r}")
        if self.integrator not in get_args(Integrator):
            raise UsageError(f"`integrator`: {' or '.join(get_args(Integrator))} expected, found {self.integrator!r}")

    def settled(self, metadata: Mapping[str, Value]) -> Discretisation:
        """With what the metadata of a file say where the user says nothing."""
        said = array(metadata, "dt") if "dt" in metadata else np.zeros(())
        if said.size != 1 or (said < 0).any():
            raise ModelError(f"metadata dt: one positive number expected, found {said.tolist()}")
        dt = self.dt or float(said.reshape(-1)[0]) or DT
        reset = self.reset or word(metadata, "reset") or "zero"
        if reset not in get_args(Reset):
            raise ModelError(f"metadata reset: {' or '.join(get_args(Reset))} expected, found {reset!r}")
        return Discretisation(dt, reset, self.integrator)


@dataclass(frozen=True)
class Cell:
    """A population in steps: what its neuron op will hold, arrays that broadcast to the features."""

    theta: Array
    v0: Array
    decay: float
    reset: Reset
    current_decay: float = 0.0

    def op(self, leaky: bool) -> Neuron:
        """The neuron; one that need not leak does so by a factor of one where others of the graph leak."""
        shared = {"theta": self.theta, "v0": self.v0, "bias": np.zeros(()), "value": np.ones(())}
        if not leaky:
            return IF(**shared)
        return LIF(**shared, decay=self.decay, reset=self.reset, current_decay=self.current_decay)

    @property
    def leaky(self) -> bool:
        """Whether it takes more than integrate-and-fire with soft reset."""
        return self.decay != 1 or self.reset == "zero" or self.current_decay > 0


def if_cell(raw: Raw, shape: Shape, how: Discretisation) -> Cell:
    """IF: dt r I is added in a step; an r of one is one a step, as snnTorch, Norse and sinabs mean it."""
    r = parameter(raw.fields, "r", shape, 1.0)
    gain = r * how.dt if takes_dt(raw) else r
    return _cell(raw, shape, how, rest="v_reset", gain=gain, decay=1.0)


def takes_dt(raw: Raw) -> bool:
    """Whether the length of a step decides what a neuron does: wherever it leaks or integrates at a rate of its own."""
    if raw.type == "IF":
        return "r" in raw.fields and bool((array(raw.fields, "r") != 1).any())
    return raw.type != "Threshold"


def lif_cell(raw: Raw, shape: Shape, how: Discretisation) -> Cell:
    """LIF."""
    part = _part(raw, "tau", shape, how)
    return _cell(raw, shape, how, "v_leak", part * parameter(raw.fields, "r", shape, 1.0), 1 - part)


def cuba_cell(raw: Raw, shape: Shape, how: Discretisation) -> Cell:
    """CubaLIF."""
    synapse, part = _part(raw, "tau_syn", shape, how), _part(raw, "tau_mem", shape, how)
    r, w_in = (parameter(raw.fields, name, shape, 1.0) for name in ("r", "w_in"))
    cell = _cell(raw, shape, how, "v_leak", part * r * synapse * w_in, 1 - part)
    return replace(cell, current_decay=1 - synapse)


def threshold_cell(raw: Raw, shape: Shape, how: Discretisation) -> Cell:
    """Threshold: a spike wherever the input of this step reaches it; no memory."""
    fields = {**raw.fields, "v_threshold": array(raw.fields, "threshold")}
    return _cell(Raw(raw.type, fields, {}), shape, Discretisation(how.dt, "zero"), "v_leak", np.ones(()), 0.0)


def _part(raw: Raw, name: str, shape: Shape, how: Discretisation) -> float:
    """What a step takes of the way to rest: one number for the layer."""
    tau = parameter(raw.fields, name, shape)
    if (tau <= 0).any():
        raise ModelError(f"{name}: positive time constants expected, found {tau.min():g}")
    if np.ptp(tau) > SAME * tau.min():
        raise ModelError(f"{name}: one time constant for the layer expected, found {tau.min():g} to {tau.max():g}")
    steps = float(tau.reshape(-1)[0]) / how.dt
    if how.integrator == "exponential":
        return 1 - float(np.exp(-1 / steps))
    if steps < 1 - SAME:
        raise ModelError(f"{name}: at least a step of dt = {how.dt:g} expected, found {tau.min():g}; give its dt")
    return 1.0 if steps <= 1 + SAME else 1 / steps


def _cell(raw: Raw, shape: Shape, how: Discretisation, rest: str, gain: Array, decay: float) -> Cell:
    fields = raw.fields
    reset = cast("Reset", how.reset)
    base, back = parameter(fields, rest, shape, 0.0), parameter(fields, "v_reset", shape, 0.0)
    if reset == "subtract" and (np.any(base) or np.any(back)):
        raise ModelError("v_leak and v_reset: 0 expected where a spike subtracts the threshold, found others")
    if reset == "zero" and np.any(base != back):
        raise ModelError("v_reset: a reset to v_leak expected, found another potential")
    gain = np.where(np.abs(gain - 1) <= SAME, 1.0, gain)
    if not (gain > 0).all():
        which = "r, w_in" if "w_in" in fields else "r"
        raise ModelError(f"{which}: positive gains expected, found {np.min(gain):g} a step")
    theta = (parameter(fields, "v_threshold", shape, 1.0) - base) / gain
    if not (theta > 0).all():
        raise ModelError(f"v_threshold: above the potential at rest expected, found {theta.min():g} above it")
    start = parameter(raw.metadata, "v0", shape, 0.0)
    start = (start - base) / gain if "v0" in raw.metadata else np.zeros(())
    return Cell(small(theta, shape), small(start, shape), decay, reset)
