"""What a certificate proves of a network as a whole, in one line."""

from __future__ import annotations

from onnx2snn.analysis.certificate import APART, REAL, WHOLE, Certificate, Verdict
from onnx2snn.artifact import Manifest
from onnx2snn.flow.conversion.calibration import model_as, was_calibrated
from onnx2snn.ir import Graph
from onnx2snn.reference import tail_nodes
from onnx2snn.words import amount


def headline(proven: int, breakpoints: int, words: str) -> str:
    """What a certificate proves, counted where there is anything to count; words: its claim."""
    return (
        f"certificate: {proven} of {breakpoints} breakpoints proven; {words}"
        if breakpoints
        else f"certificate: {words}"
    )


def claim_of(manifest: Manifest, certificate: Certificate) -> str:
    """How far an artifact equals its model, with what is proven of its network."""
    if manifest.reading:
        return _imported(certificate, was_calibrated(manifest.staircase_passes))
    network = model_as(manifest.staircase_passes)
    if certificate.exact:
        whole = any(verdict.reason.startswith(WHOLE) for verdict in certificate.verdicts)
        return f"equal to the {network} in every count, for every input{' of whole numbers' if whole else ''}"
    if certificate.proven_as_staircases:
        return f"equal in every count to the {network}, as approximated below"
    if manifest.fine_tuning is not None:
        return (
            f"fine-tuned after conversion: its weights are no longer the {network}'s, and it is not proven equal to it"
        )
    return _inexact(certificate, network)


def _imported(certificate: Certificate, rounded: bool) -> str:
    """The same of a trained spiking network; rounded: its weights were."""
    network = f"trained spiking network{' with its weights rounded' if rounded else ''}"
    if certificate.proven_as_staircases:
        return f"spikes at the very steps of the {network}, for every input"
    if any(verdict.reason == REAL for verdict in certificate.verdicts):
        return f"nothing to prove: the {network} itself, {REAL}"
    return f"not proven to spike as the {network} does, as a whole"


def _inexact(certificate: Certificate, network: str) -> str:
    """What is proven where counts are not: thresholds without the timing of spikes, or less."""
    populations = [verdict for verdict in certificate.verdicts if verdict.counts is not None and not verdict.tail]
    open_ = [v for v in certificate.verdicts if v.exactness != "exact" and not v.tail]
    if any(verdict.reason == REAL for verdict in open_):
        return f"not proven equal to the {network}: {REAL}"
    if any(verdict.reason.endswith(APART) for verdict in open_):
        return f"not proven equal to the {network}: fewer steps than levels"
    if all(verdict in populations and 0 < verdict.breakpoints == verdict.proven for verdict in open_):
        return (
            f"every layer has the thresholds of the {network}; its counts are not proven equal, as in {len(open_)} of "
            f"{amount(len(populations), 'population')} they depend on the timing of spikes"
        )
    return f"not proven equal to the {network} as a whole"


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
