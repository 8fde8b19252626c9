"""`onnx2snn verify`: proof and measurement against the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from onnx2snn.cli.output import Json, interruptible, percent, print_json, print_notes, print_table, progress
from onnx2snn.words import amount

if TYPE_CHECKING:
    from onnx2snn.analysis.causes import Cause
    from onnx2snn.analysis.certificate import Verdict
    from onnx2snn.flow.verification.findings import Diagnosis
    from onnx2snn.flow.verification.parity import Parity
    from onnx2snn.flow.verification.verify import Verification

NAME = "verify"
MANY = 4  #: channels of a layer that are shown; JSON has them all


def command(
    model: Annotated[Path, typer.Argument(help="The model file: ONNX, or NIR.", show_default=False)],
    artifact: Annotated[Path, typer.Argument(metavar="DIR", help="The artifact folder.", show_default=False)],
    data: Annotated[
        Optional[Path],  # noqa: UP045  typer reads the annotation
        typer.Option(help="Samples to measure parity with the model on.", show_default=False),
    ] = None,
    diagnose: Annotated[
        bool, typer.Option("--diagnose", help="Say where and why counts differ on DATA, and try what would mend it.")
    ] = False,
    keep: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(metavar="NAME", help="Keep what is measured in NAME.partial until all is.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with what an interrupted run left in NAME.partial.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Prove what can be proven of the artifact in DIR, and measure it on DATA. Exit code 1 for a finding."""
    from onnx2snn.flow.verification.verify import verify

    with interruptible(), progress("verifying") as bar:
        found = verify(model, artifact, data, bar, diagnose, keep, resume)
    print_notes(found.notes)
    if as_json:
        print_json(as_dictionary(found))
    else:
        show(found)
    raise typer.Exit(0 if found.ok else 1)


def as_dictionary(found: Verification) -> dict[str, object]:
    """The verification as JSON has it."""
    certificate = found.certificate
    return {
        "ok": found.ok,
        "certificate": {
            "exact": certificate.exact,
            "claim": found.claim,
            "calibrated": found.calibrated,
            "fine_tuned": found.fine_tuning is not None,
            "imported": found.imported,
            "breakpoints": certificate.breakpoints,
            "proven": certificate.proven,
            "layers": certificate.verdicts,
            "approximations": certificate.approximations,
        },
        "parity": found.parity,
        "diagnosis": found.diagnosis,
        "findings": found.findings,
        "notes": found.notes,
    }


def show(found: Verification) -> None:
    """The verification in words."""
    from onnx2snn.flow.verification.claim import headline

    certificate = found.certificate
    print(headline(certificate.proven, certificate.breakpoints, found.claim))
    rows = [
        (
            v.name,
            v.op,
            v.exactness,
            f"{v.proven}/{v.breakpoints}" if v.breakpoints else "",
            v.bound or "",
            v.accumulator_bits or "",
            v.reason,
        )
        for v in certificate.verdicts
    ]
    print_table("certificate", ("node", "op", "class", "proven", "bound", "bits", "reason"), rows)
    for verdict in certificate.verdicts:
        _show_faults(verdict)
    for text in certificate.approximations:
        print(f"approximation: {text}")
    if found.parity is not None:
        _show_parity(found.parity)
    if found.diagnosis is not None:
        _show_diagnosis(found.diagnosis)
    for finding in found.findings:
        print(f"finding: {finding}")


def _show_faults(verdict: Verdict) -> None:
    for fault in verdict.faults[:MANY]:
        where = "every channel" if fault.channel is None else f"channel {fault.channel}"
        print(
            f"  {verdict.name}, {where}: count {fault.count} from accumulator {fault.expected} on expected, from "
            f"{fault.found} on found; {fault.differing} breakpoints differ, {fault.ties} by a tie"
        )
    if len(verdict.faults) > MANY:
        print(f"  {verdict.name}: {len(verdict.faults) - MANY} more channels; --json has them all")


def _show_parity(parity: Parity) -> None:
    print(
        f"measured against {parity.executor} on {amount(parity.samples, 'sample')}: argmax agreement "
        f"{percent(parity.argmax_agreement)}, accuracy "
        f"{percent(parity.accuracy)} (model {percent(parity.model_accuracy)}), largest output error "
        f"{parity.largest_output_error:.3g}, {amount(parity.steps, 'step')}"
    )
    rows = [(p.name, p.counts, p.alone, p.cumulative, p.rounding, p.worst) for p in parity.layers]
    columns = ("population", "counts", "differ alone", "differ in the network", "of these float32 near-ties", "worst")
    print_table(f"parity with {parity.executor}", columns, rows)


def _show_diagnosis(diagnosis: Diagnosis) -> None:
    from onnx2snn.analysis.causes import CAUSES

    causes: list[Cause] = [c for c in CAUSES if any(p.alone[c] or p.network[c] for p in diagnosis.layers)]
    if not causes:
        print("diagnosis: no count differs")
    else:
        rows = [
            (name, what, sum(split.values()), *(split[cause] or "" for cause in causes))
            for p in diagnosis.layers
            for name, what, split in ((p.name, "alone", p.alone), ("", "in the network", p.network))
        ]
        print_table("diagnosis", ("population", "counts that differ", "all", *causes), rows)
    reals = [(p.name, percent(p.real.beyond / max(1, p.real.values)), *p.real.rms) for p in diagnosis.layers if p.real]
    if reals:
        columns = ("population", "real values past its ends", "rms steps off alone", "in the network")
        print_table("against the model's real values", columns, reals)
    for layer in diagnosis.layers:
        if layer.advice:
            print(layer.advice)
