"""A network as an artifact: its manifest, and the folder that appears whole or not at all."""

from __future__ import annotations

from pathlib import Path

from onnx2snn.analysis.certificate import Certificate
from onnx2snn.artifact import LayerRecord, Manifest, ModelRecord, Network, check_target, seal, writing
from onnx2snn.backends.base import Backend
from onnx2snn.ir import Graph, save_graph
from onnx2snn.ir.ops import LIF, Reset
from onnx2snn.reference import settle_bound
from onnx2snn.version import __version__


def save(network: Network, backend: Backend, folder: Path, force: bool = False) -> Manifest:
    """Writes `network` as an artifact of `backend`; raises `UsageError` where something would be lost."""
    check_target(folder, force)
    with writing(folder, force) as scratch:
        save_graph(network.graph, scratch)
        backend.emit(network, scratch)
        return seal(scratch, manifest_of(network, backend))


def manifest_of(network: Network, backend: Backend) -> Manifest:
    """The manifest of a network, still without files."""
    graph, schedule = network.graph, network.schedule
    return Manifest(
        made_by=f"onnx2snn {__version__}",
        backend=str(backend),
        fidelity=backend.fidelity_of(network),
        model=ModelRecord(file=network.source.file, sha256=network.source.sha256),
        code=network.code,
        arithmetic="integer" if network.integer else "float",
        steps=schedule.steps,
        settle="auto" if schedule.settle is None else schedule.settle,
        settle_bound=settle_bound(graph, schedule.steps),
        calibrate_steps=schedule.calibrate,
        pipeline_steps=backend.pipeline_steps(network),
        reset=reset_of(graph),
        encoder="analog" if network.analog_input else "quantised",
        inputs=network.inputs,
        outputs=network.outputs,
        reading=network.reading,
        staircase_passes=network.staircase_passes,
        neuron_passes=network.neuron_passes,
        layers=layer_records(graph, network.certificate),
        approximations=network.certificate.approximations,
        fine_tuning=network.fine_tuning,
        notes=(*filter(None, [network.choice]), *network.notes),
        command=network.command,
        files={},
    )


def reset_of(graph: Graph) -> Reset:
    """What a spike does to the membranes of a network."""
    resets: list[Reset] = [node.op.reset for node in graph.of(LIF) if isinstance(node.op, LIF)]
    return resets[0] if resets else "subtract"


def layer_records(graph: Graph, certificate: Certificate) -> tuple[LayerRecord, ...]:
    """The certificate as an artifact keeps it."""
    return tuple(
        LayerRecord(
            name=v.name,
            op=v.op,
            onnx_node=graph[v.name].origin.node,
            shape=graph.shape(v.name),
            exactness=v.exactness,
            breakpoints=v.breakpoints,
            proven=v.proven,
            bound=v.bound,
            accumulator_bits=v.accumulator_bits,
            reason=v.reason,
            counts=v.counts,
            shift=v.shift,
            threshold_bits=v.threshold_bits,
        )
        for v in certificate.verdicts
    )
