"""Runs Loihi tables on Lava's bit-accurate models and compares every spike of every layer and tick.

After `loihi_expected.py`, in an environment made by (Python 3.11)

    python3 -m venv lava
    lava/bin/pip install "numpy==1.26.4" "scipy==1.13.1" "networkx==2.8.7" "asteval==0.9.33" "scikit-learn<2" \\
        safetensors
    lava/bin/pip install --no-deps --ignore-requires-python lava-nc==0.10.0
    sed -i 's/= ByteEncoder()/= field(default_factory=ByteEncoder)/;
            s/^from dataclasses import dataclass, InitVar/from dataclasses import dataclass, field, InitVar/' \\
        lava/lib/python3.11/site-packages/lava/magma/compiler/var_model.py

run

    lava/bin/python benchmarks/checks/loihi_lava.py FOLDER benchmarks/results/loihi_checks.json

Synapses are Lava's Dense or Sparse with mantissas, exponent and sign mode, the reset synapses inhibitory ones from a
layer to itself; neurons are LIF, those that reset to zero as Lava has them. What Lava has not is a dendrite that hands
its membrane to a soma: its model is Lava's bit-accurate LIF with two lines overridden, the reset to zero at a spike
and, where the soma has a bias, the comparison. All else is Lava's own.
"""

from __future__ import annotations

import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag  # type: ignore[import-not-found]
from lava.magma.core.model.py.type import LavaPyType  # type: ignore[import-not-found]
from lava.magma.core.process.variable import Var  # type: ignore[import-not-found]
from lava.magma.core.resources import CPU  # type: ignore[import-not-found]
from lava.magma.core.run_conditions import RunSteps  # type: ignore[import-not-found]
from lava.magma.core.run_configs import Loihi1SimCfg  # type: ignore[import-not-found]
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol  # type: ignore[import-not-found]
from lava.proc.dense.process import Dense  # type: ignore[import-not-found]
from lava.proc.io.sink import RingBuffer as Sink  # type: ignore[import-not-found]
from lava.proc.io.source import RingBuffer as Source  # type: ignore[import-not-found]
from lava.proc.lif.models import AbstractPyLifModelFixed, PyLifModelBitAcc  # type: ignore[import-not-found]
from lava.proc.lif.process import LIF  # type: ignore[import-not-found]
from lava.proc.monitor.process import Monitor  # type: ignore[import-not-found]
from lava.proc.sparse.process import Sparse  # type: ignore[import-not-found]
from lava.utils.weightutils import SignMode  # type: ignore[import-not-found]
from loihi_tables import Array, Expected, ExpectedLadder, Layer, Row, Tables, expected, report
from scipy.sparse import block_diag, diags

TOGETHER = 500_000  # synapses of a layer, all samples together, up to which samples run side by side


class Dendrite(LIF):
    """A LIF process whose model does not reset."""

    def __init__(self, *, soma_bias: int, **rest: Any) -> None:
        super().__init__(**rest)
        self.soma_bias = Var(shape=(1,), init=soma_bias)


@implements(proc=Dendrite, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class DendriteModel(AbstractPyLifModelFixed):
    """The chip's dendrite of a soft reset: its soma, with a bias or none, spikes in the same tick, and only a synapse
    takes the reset off.

    Lava allows no subclass of PyLifModelBitAcc, so its ports and methods are taken over one by one.
    """

    s_out = PyLifModelBitAcc.s_out
    vth = PyLifModelBitAcc.vth
    scale_threshold = PyLifModelBitAcc.scale_threshold
    soma_bias: Array = LavaPyType(np.ndarray, np.int32, precision=24)

    def spiking_activation(self) -> Array:
        """Lava's comparison of the membrane with a soma's bias on top."""
        return self.v + self.soma_bias > self.effective_vth

    def reset_voltage(self, spike_vector: Array) -> None:
        """Nothing: the one thing that differs from Lava's model."""


@dataclass(frozen=True)
class Group:
    """The processes of a layer: `copies` samples side by side."""

    layer: Layer
    neurons: Any
    synapses: tuple[Any, ...]
    sink: Any

    def set(self, membrane: Array, current: Array, bias: Array) -> None:
        """Writes the registers."""
        self.neurons.v.set(membrane)
        self.neurons.u.set(current)
        self.neurons.bias_mant.set(bias)

    def clear(self) -> None:
        """Puts all state to zero, what is on its way included."""
        size = int(np.prod(self.neurons.v.shape))
        self.set(np.zeros(size), np.zeros(size), np.zeros(size))
        for synapse in self.synapses:
            synapse.a_buff.set(np.zeros(synapse.a_buff.shape))


def build(tables: Tables, copies: int, ticks: int, host: Any = None) -> list[Group]:
    """The processes of a network, connected; host: what spikes before the first layer, where that has weights."""
    groups, before = list[Group](), host
    for layer in tables.layers:
        shape = (copies * layer.size,)
        fields = {
            "shape": shape,
            "du": layer.decay_u - 1,  # Lava adds one, as the chip does
            "dv": layer.decay_v,
            "vth": layer.threshold,
            "bias_mant": np.tile(layer.bias, copies),
            "bias_exp": np.full(shape, layer.bias_exponent),
        }
        neurons = Dendrite(soma_bias=layer.soma_bias, **fields) if layer.resets else LIF(**fields)
        synapses = list[Any]()
        for reset in layer.resets:
            mantissas = diags(np.tile(-reset.mantissas, copies), format="csr")
            synapse = Sparse(weights=mantissas, weight_exp=reset.exponent, sign_mode=SignMode.INHIBITORY)
            neurons.s_out.connect(synapse.s_in)
            synapses.append(synapse)
        if layer.weights is not None:
            synapses.append(_synapse(layer, copies))
            before.s_out.connect(synapses[-1].s_in)
        for synapse in synapses:
            synapse.a_out.connect(neurons.a_in)
        sink = Sink(shape=shape, buffer=ticks)
        neurons.s_out.connect(sink.a_in)
        groups.append(Group(layer, neurons, tuple(synapses), sink))
        before = neurons
    return groups


def _synapse(layer: Layer, copies: int) -> Any:
    options = {"weight_exp": layer.weight_exponent, "num_weight_bits": 8, "sign_mode": SignMode.MIXED}
    weights = layer.weights
    if copies == 1 and weights.nnz == np.prod(weights.shape):
        return Dense(weights=weights.toarray(), **options)
    return Sparse(weights=block_diag([weights] * copies, format="csr"), **options)


def run(tables: Tables, told: Expected) -> tuple[list[Array], Array]:
    """Codes `if` and `lif`: spikes of every layer (steps, samples, neurons) and the readout's last membrane."""
    widest = max(layer.weights.nnz for layer in tables.layers if layer.weights is not None)
    copies = told.samples if told.samples * widest <= TOGETHER else 1
    windows = told.samples // copies
    groups = build(tables, copies, 1 + windows * tables.ticks)
    config, last = Loihi1SimCfg(select_tag="fixed_pt"), list[Array]()
    first = groups[0].neurons
    first.run(condition=RunSteps(num_steps=1), run_cfg=config)  # registers can be set after a first tick
    for window in range(windows):
        samples = range(window * copies, (window + 1) * copies)
        for group in groups:
            group.clear()
        for group in groups:  # layer l starts at tick l
            starts = zip(*(told.start(group.layer, sample) for sample in samples), strict=True)
            group.set(*(np.concatenate(part) for part in starts))
            first.run(condition=RunSteps(num_steps=1), run_cfg=config)
        if tables.steps > 1:
            first.run(condition=RunSteps(num_steps=tables.steps - 1), run_cfg=config)
        last.append(groups[-1].neurons.v.get().reshape(copies, -1))
    spikes = [_spikes(group, tables, windows, copies) for group in groups]
    first.stop()
    return spikes, np.concatenate(last)


def _spikes(group: Group, tables: Tables, windows: int, copies: int) -> Array:
    data = group.sink.data.get()[:, 1:].reshape(copies, group.layer.size, windows, tables.ticks)
    own = data[..., group.layer.first_tick : group.layer.first_tick + tables.steps]
    return own.transpose(3, 2, 0, 1).reshape(tables.steps, windows * copies, group.layer.size) != 0


def run_ladder(tables: Tables, told: ExpectedLadder) -> tuple[list[Array], Array]:
    """Code `ladder`: spikes of every layer but the readout (samples, compartments), and the readout's currents.

    Lava's processes as they are. Their membranes have no floor; what a decay of 4095 leaves of one far below it could
    change a comparison, but seldom does.
    """
    ticks = told.samples + tables.ticks
    spikes = told.spikes(tables.host_units).T.astype(np.int32)
    host = Source(data=np.concatenate([spikes, np.zeros((len(spikes), ticks - told.samples), np.int32)], axis=1))
    groups, probe = build(tables, 1, ticks, host), Monitor()
    readout = groups[-1].neurons
    probe.probe(readout.u, ticks)
    readout.run(condition=RunSteps(num_steps=ticks), run_cfg=Loihi1SimCfg(select_tag="fixed_pt"))
    fired = [g.sink.data.get()[:, g.layer.first_tick : g.layer.first_tick + told.samples].T for g in groups[:-1]]
    currents = next(iter(next(iter(probe.get_data().values())).values())).reshape(ticks, -1)
    readout.stop()
    first = tables.layers[-1].first_tick
    return fired, currents[first : first + told.samples].astype(np.int64)


def check(place: Path, tables: Tables) -> Row:
    """One network."""
    begun, told = time.monotonic(), expected(place)
    row: Row = {"code": tables.code, "layers": len(tables.layers), "steps": tables.steps, "samples": told.samples}
    if isinstance(told, ExpectedLadder):
        row |= told.differences(tables, *run_ladder(tables, told))
    else:
        spikes, readout = run(tables, told)
        pairs = list(zip(spikes, told.spikes, strict=True))
        row |= {
            "spikes": sum(int(found.sum()) for found, _ in pairs),
            "compared": sum(found.size for found, _ in pairs),
            "spikes_that_differ": sum(int((found != wanted).sum()) for found, wanted in pairs),
            "membranes_compared": readout.size,
            "membranes_that_differ": int((readout != told.membranes[-1][-1]).sum()),
        }
    return row | {"seconds": round(time.monotonic() - begun, 1)}


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    warnings.filterwarnings("ignore", message="Cannot import module")  # Lava tries the scripts beside this one
    versions = {package: version(package) for package in ("lava-nc", "numpy", "scipy")}
    command = "python benchmarks/checks/loihi_lava.py FOLDER RESULT"
    about = {"emulator": "lava", "command": command, "versions": versions, "models": "Loihi1SimCfg, fixed_pt"}
    sys.exit(report(Path(sys.argv[1]), check, about, Path(sys.argv[2])) > 0)
