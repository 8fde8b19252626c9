"""The NIR export, read back and run with subtract reset by a small interpreter of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from onnx2snn.errors import BackendError
from onnx2snn.flow.convert import save
from onnx2snn.ir import Array
from onnx2snn.ir.ops import Conv, Encoder, Input, SumPool
from onnx2snn.plugins import load_backend
from onnx2snn.reference import apply, run
from onnx2snn.reference.windows import conv, sum_pool
from onnx2snn.testing.conformance import lowered, samples

nir = pytest.importorskip("nir", reason="the nir extra is not installed")

SAID = (
    "dense-chain",
    "conv-chain",
    "conv-1d",
    "batch-norm-signs",
    "average-pool",
    "padded-average-pool",
    "residual-add-of-unequal-scales",
    "analog-input",
)
NOT_SAID = {
    "max-pool-first": "no max pool",
    "concat": "no concat",
    "dilated-grouped-conv": "symmetric padding",
}


def pair(value: Any, rank: int) -> tuple[int, ...]:
    return tuple(int(v) for v in np.broadcast_to(value, (rank,)))


def evaluate(node: Any, x: Array) -> Array:
    """One stateless NIR node on a batch."""
    if isinstance(node, (nir.Conv1d, nir.Conv2d)):
        rank = node.weight.ndim - 2
        op = Conv(
            weight=node.weight,
            strides=pair(node.stride, rank),
            pads=pair(node.padding, rank) * 2,
            dilations=pair(node.dilation, rank),
            groups=int(node.groups),
        )
        return conv(op, x, node.weight) + node.bias.reshape(-1, *(1,) * rank)
    if isinstance(node, nir.Affine):
        return x @ node.weight.T + node.bias
    if isinstance(node, nir.Scale):
        return x * node.scale
    if isinstance(node, nir.Flatten):
        return x.reshape(len(x), -1)
    assert isinstance(node, nir.SumPool2d)
    kernel, strides, pads = (pair(v, 2) for v in (node.kernel_size, node.stride, node.padding))
    return sum_pool(SumPool(kernel=kernel, strides=strides, pads=pads * 2, dilations=(1, 1)), x)


def simulate(graph: Any, current: Array, steps: int) -> tuple[Array, dict[str, Array]]:
    """Runs a NIR graph with the reset and initial potential that its metadata ask for."""
    sources: dict[str, list[str]] = {}
    for source, target in graph.edges:
        sources.setdefault(target, []).append(source)
    order: list[str] = []
    while len(order) < len(graph.nodes):
        order += [n for n in graph.nodes if n not in order and set(sources.get(n, [])) <= set(order)]
    v: dict[str, Array] = {}
    counts: dict[str, Array] = {}
    total = np.zeros(())
    for _ in range(steps):
        now: dict[str, Array] = {}
        for name in order:
            node = graph.nodes[name]
            x = sum((now[s] for s in sources.get(name, [])), np.zeros(()))
            if isinstance(node, nir.Input):
                now[name] = current
            elif isinstance(node, nir.IF):
                assert node.metadata["reset"] in ("subtract", b"subtract")
                before = v.get(name, np.broadcast_to(node.metadata["v0"], x.shape))
                now[name] = (before + x >= node.v_threshold).astype(float)
                v[name] = before + x - node.v_threshold * now[name]
                counts[name] = counts.get(name, 0) + now[name]
            elif isinstance(node, nir.Output):
                total = total + x
            else:
                now[name] = evaluate(node, x)
    return total, counts


@pytest.mark.parametrize("case", SAID)
def test_the_file_read_back_counts_as_the_reference_does(case: str, tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered(case, backend, "if", "float")
    save(network, backend, tmp_path / "net")
    assert backend.audit(network, tmp_path / "net") == []
    graph = nir.read(str(tmp_path / "net" / "network.nir"))
    x = samples(network)
    encoders = network.graph.of(Encoder)
    encoded = apply(encoders[0].op, x.astype(np.float64)) if encoders else x.astype(np.float64)
    steps = network.schedule.steps
    output, counts = simulate(graph, encoded / steps, steps)
    expected = run(network.graph, x, steps, 0)
    for name, found in expected.counts.items():
        close = (counts[name] == found).mean()
        assert close > 0.99, (name, close)  # sums of floats in another order may tip a membrane at its threshold
    np.testing.assert_allclose(output, expected.output, atol=1e-6 if all(
        (counts[n] == c).all() for n, c in expected.counts.items()) else 1.0)  # fmt: skip


@pytest.mark.parametrize(("case", "rule"), NOT_SAID.items())
def test_what_nir_cannot_say_is_refused_by_name(case: str, rule: str) -> None:
    with pytest.raises(BackendError, match=rule):
        lowered(case, load_backend("nir"), "if", "float")


def test_codes_and_arithmetic_that_nir_lacks() -> None:
    with pytest.raises(BackendError, match="cannot run code st-bif"):
        lowered("dense-chain", load_backend("nir"), "st-bif", "float")
    with pytest.raises(BackendError, match="computes in float only"):
        lowered("dense-chain", load_backend("nir"), "if", "integer")


def test_labelled_approximate_and_the_same_bytes_twice(tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered("conv-chain", backend, "if", "float")
    first, second = save(network, backend, tmp_path / "a"), save(network, backend, tmp_path / "b")
    assert first.fidelity == second.fidelity == "approximate"
    assert (tmp_path / "a" / "network.nir").read_bytes() == (tmp_path / "b" / "network.nir").read_bytes()


def test_audit_finds_a_changed_threshold(tmp_path: Path) -> None:
    backend = load_backend("nir")
    network = lowered("conv-chain", backend, "if", "float")
    save(network, backend, tmp_path / "net")
    path = tmp_path / "net" / "network.nir"
    graph = nir.read(str(path))
    neuron = next(node for node in graph.nodes.values() if isinstance(node, nir.IF))
    neuron.v_threshold = neuron.v_threshold * 1.01
    nir.write(str(path), graph)
    assert any("numbers of node" in problem for problem in backend.audit(network, tmp_path / "net"))


def test_there_is_one_input() -> None:
    network = lowered("conv-chain", load_backend("nir"), "if", "float")
    assert len(network.graph.of(Input)) == 1
