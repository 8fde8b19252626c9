"""The certificate as an artifact keeps it."""

from __future__ import annotations

from onnx2snn.analysis.certificate import Certificate
from onnx2snn.artifact import LayerRecord
from onnx2snn.ir import Graph


def layer_records(graph: Graph, certificate: Certificate) -> tuple[LayerRecord, ...]:
    """The certificate as records of the manifest."""
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
