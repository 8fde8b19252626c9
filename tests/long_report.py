"""A report on a network of hundreds of layers."""

from __future__ import annotations

from onnx2snn.reporting import Report


def huge(facts: Report, count: int) -> Report:
    """The report with so many populations, all like its second."""
    layer, op = facts.layers[1], facts.certificate[1]
    layers = [layer.model_copy(update={"number": i + 1, "name": f"/layer{i}/block/act"}) for i in range(count)]
    certificate = [op.model_copy(update={"name": f"/layer{i}/block/act"}) for i in range(3 * count)]
    return facts.model_copy(update={"layers": tuple(layers), "certificate": tuple(certificate)})
