"""What a certificate proves of a network as a whole, in one line."""

from __future__ import annotations

from onnx2snn.analysis.certificate import Certificate, Verdict
from onnx2snn.artifact import Manifest
from onnx2snn.flow.conversion.calibration import was_calibrated
from onnx2snn.ir import Graph
from onnx2snn.reference import tail_nodes


def claim(certificate: Certificate, calibrated: bool = False, fine_tuned: bool = False, imported: bool = False) -> str:
    """How far the network equals the model; calibrated: the model as calibration quantised it.

    imported: the model is a trained spiking network.
    """
    if imported:
        rounded = " with its weights rounded" if calibrated else ""
        if certificate.proven_as_staircases:
            return f"spikes at the very steps of the trained spiking network{rounded}, for every input"
        return f"not proven to spike as the trained spiking network{rounded} does, as a whole"
    network = "model as calibrated" if calibrated else "quantised network"
    if certificate.exact:
        return f"equal to the {network} in every count, for every input"
    if certificate.proven_as_staircases:
        return f"equal in every count to the {network}, as approximated below"
    if fine_tuned:
        return (
            f"fine-tuned after conversion: its weights are no longer the {network}'s, and it is not proven equal to it"
        )
    return f"not proven equal to the {network} as a whole"


def claim_of(manifest: Manifest, certificate: Certificate) -> str:
    """The same of an artifact, with what is proven of its network."""
    calibrated, tuned = was_calibrated(manifest.staircase_passes), manifest.fine_tuning is not None
    return claim(certificate, calibrated, tuned, bool(manifest.reading))


def files(fidelity: str) -> str:
    """What the files of an artifact are to its spiking network; what that is to the model is another question."""
    if fidelity == "faithful":
        return "files faithful to the spiking network"
    return "files approximate: they cannot say all of the spiking network"


def recorded(manifest: Manifest, graph: Graph) -> Certificate:
    """The certificate as the manifest of an artifact has it."""
    tail = tail_nodes(graph)
    verdicts = (
        Verdict(tail=layer.name in tail, **layer.model_dump(exclude={"onnx_node", "shape"}))
        for layer in manifest.layers
    )
    return Certificate(tuple(verdicts), manifest.approximations)
