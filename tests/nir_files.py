"""NIR files as other tools write them, and what their authors mean by them, in a few lines of NumPy."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import nir
import numpy as np

from onnx2snn.ir import Array

DT = 1e-4


def write(path: Path, *nodes: Any, **metadata: Any) -> Path:
    """A chain of nodes in a file."""
    names = [f"n{i}" for i in range(len(nodes))]
    edges = list(itertools.pairwise(names))
    graph = nir.NIRGraph(dict(zip(names, nodes, strict=True)), edges, metadata=metadata, type_check=False)
    nir.write(str(path), graph)
    return path


def ends(inside: int, outside: int) -> tuple[Any, Any]:
    return nir.Input({"input": np.array([inside])}), nir.Output({"output": np.array([outside])})


def lif(neurons: int, beta: float, theta: float = 1.0, **other: Any) -> Any:
    """As snnTorch writes it: tau = dt / (1 - beta), and r such that a current of one adds one."""
    tau = np.full(neurons, DT / (1 - beta))
    fields = {
        "tau": tau,
        "r": tau / DT,
        "v_leak": np.zeros(neurons),
        "v_threshold": np.full(neurons, theta),
        "v_reset": np.zeros(neurons),
    }
    return nir.LIF(**(fields | other))


def cuba(neurons: int, alpha: float, beta: float, theta: float = 1.0, **other: Any) -> Any:
    """As snnTorch writes its Synaptic: tau = dt / (1 - factor), r and w_in such that an input of one adds one."""
    membrane, synapse = np.full(neurons, DT / (1 - beta)), np.full(neurons, DT / (1 - alpha))
    fields = {
        "tau_mem": membrane,
        "tau_syn": synapse,
        "r": membrane / DT,
        "w_in": synapse / DT,
        "v_leak": np.zeros(neurons),
        "v_threshold": np.full(neurons, theta),
        "v_reset": np.zeros(neurons),
    }
    return nir.CubaLIF(**(fields | other))


def synapse(currents: Array, alpha: float) -> Array:
    """What a synapse makes of `currents` (steps, ...): i <- alpha i + I."""
    i, found = np.zeros_like(currents[0]), []
    for current in currents:
        i = alpha * i + current
        found.append(i)
    return np.stack(found)


def integrate_and_fire(neurons: int, theta: float = 1.0, r: float = 1.0) -> Any:
    full = np.full(neurons, theta)
    return nir.IF(r=np.full(neurons, r), v_threshold=full, v_reset=np.zeros(neurons))


def spikes(currents: Array, beta: float, theta: float, reset: str) -> Array:
    """Spikes (steps, ...) of neurons that get `currents` (steps, ...): v <- beta v + I, fire at v >= theta."""
    v, found = np.zeros_like(currents[0]), []
    for current in currents:
        v = beta * v + current
        spike = v >= theta
        v = v - theta * spike if reset == "subtract" else np.where(spike, 0.0, v)
        found.append(spike.astype(float))
    return np.stack(found)


W = np.array([[0.5, -0.25, 1.0], [0.75, 0.5, -0.5]])
B = np.array([0.125, -0.0625])


def chain(path: Path, neuron: Any, **metadata: Any) -> Path:
    """Three inputs, two neurons of some kind behind weights W and biases B."""
    first, last = ends(3, 2)
    return write(path / "snn.nir", first, nir.Affine(weight=W, bias=B), neuron, last, **metadata)
