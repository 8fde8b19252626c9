"""`onnx2snn convert`: from a model to an artifact."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional, cast

import typer

from onnx2snn.cli.nir import Dt, Integrator
from onnx2snn.cli.output import Json, print_footprint, print_json, print_notes, print_table, progress
from onnx2snn.errors import UsageError
from onnx2snn.words import amount

if TYPE_CHECKING:
    from onnx2snn.analysis.calibration import Method
    from onnx2snn.analysis.certificate import Certificate
    from onnx2snn.analysis.weight_rounding import Scales, Search
    from onnx2snn.artifact import LayerRecord, Manifest
    from onnx2snn.backends.base import Footprint
    from onnx2snn.flow.conversion.options import Settle
    from onnx2snn.ir import Graph
    from onnx2snn.passes import Pass
    from onnx2snn.passes.base import Observer

NAME = "convert"
MANY = 3  #: ops that are named of those with one reason; the manifest has them all


def command(
    model: Annotated[Path, typer.Argument(help="The model file: ONNX, or NIR (.nir).", show_default=False)],
    out: Annotated[Path, typer.Option("-o", "--out", help="The artifact folder to make.", show_default=False)],
    backend: Annotated[
        str,
        typer.Option("--backend", "--format", help="numpy, torch, loihi, netx, tianjic, nir, or a plugin's."),
    ] = "numpy",
    chip: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Of loihi: loihi1 (default) or loihi2; of tianjic: tianjicx (default) or tianjic2019.",
            show_default=False,
        ),
    ] = None,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Write what the format cannot say exactly as well (netx).")
    ] = False,
    code: Annotated[
        Optional[str],  # noqa: UP045  typer reads the annotation
        typer.Option(
            help="st-bif, store-and-forward, ladder, signed-if, if, lif; by default st-bif, or what fits the backend.",
            show_default=False,
        ),
    ] = None,
    steps: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Inject steps T; by default the largest number of levels.", show_default=False),
    ] = None,
    settle: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Steps after them, or auto: until silent (default for st-bif and store-and-forward; 0 for others).",
            show_default=False,
        ),
    ] = None,
    decay: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(help="Code lif: what a membrane keeps from step to step; 0.9 by default.", show_default=False),
    ] = None,
    reset: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="Code lif and NIR files: what a spike does, subtract the threshold or set to zero; by default "
            "subtract, of NIR what the file says, or zero.",
            show_default=False,
        ),
    ] = None,
    dt: Dt = None,
    integrator: Integrator = None,
    integer: Annotated[
        Optional[bool],  # noqa: UP045
        typer.Option(
            "--integer/--float",
            help="Whole or real numbers; by default whole where the model is quantised.",
            show_default=False,
        ),
    ] = None,
    calibrate: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option(help="Samples (.npz with x) on which real-valued activations are quantised.", show_default=False),
    ] = None,
    calibrate_method: Annotated[str, typer.Option(help="Range of an activation: max, percentile or mse.")] = "max",
    percentile: Annotated[float, typer.Option(help="Percentage of values within the range; for percentile.")] = 99.9,
    levels: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Levels of a calibrated activation.", min=1, show_default="15"),
    ] = None,
    per_channel: Annotated[bool, typer.Option("--per-channel", help="A range for each channel.")] = False,
    correct: Annotated[
        str, typer.Option(help="Corrections after it, of theta,bias,v0; see the docs.", show_default=False)
    ] = "",
    quantise_input: Annotated[
        int, typer.Option(help="Quantise the input as well, in N levels.", metavar="N", min=0, show_default=False)
    ] = 0,
    weight_bits: Annotated[
        int,
        typer.Option(
            help="Round weights that are real or have more bits to N bits; needs no samples.",
            metavar="N",
            show_default=False,
        ),
    ] = 0,
    weight_scale: Annotated[str, typer.Option(help="Of rounded weights: one a channel or one a layer.")] = "channel",
    weight_search: Annotated[str, typer.Option(help="Scale of rounded weights by max or least mse.")] = "max",
    most_levels: Annotated[
        int,
        typer.Option(help="Give quantisers with more than N levels N: 8-bit models in N steps.", metavar="N", min=0),
    ] = 0,
    drop_requantisation: Annotated[
        bool,
        typer.Option("--drop-requantisation", help="Add signed branches as they are, not quantised: fewer neurons."),
    ] = False,
    bits: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="What numbers may take: weights=8,threshold=17,state=24, or some.", show_default=False),
    ] = None,
    calibrate_steps: Annotated[
        int,
        typer.Option(help="Steps of a run before each that sets initial membranes (code if).", min=0, metavar="N"),
    ] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an artifact that is there already.")] = False,
    passes: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(
            help="A recipe instead of the backend's own, e.g. 'fold-batchnorm, ...'; see `onnx2snn passes`.",
            show_default=False,
        ),
    ] = None,
    print_after_each: Annotated[
        bool, typer.Option("--print-after-each", help="Print the graph after each pass.")
    ] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Say what each pass did and what it left alone.")] = False,
    as_json: Json = False,
) -> None:
    """Convert MODEL to a spiking network and write it as an artifact folder."""
    from onnx2snn.artifact import check_target
    from onnx2snn.flow.conversion.budget import Budget
    from onnx2snn.flow.conversion.calibration import LEVELS, Calibration
    from onnx2snn.flow.conversion.convert import convert
    from onnx2snn.flow.conversion.write import save
    from onnx2snn.flow.saturation import ASK
    from onnx2snn.flow.whole_inputs import ROUNDED
    from onnx2snn.plugins import load_backend

    check_target(out, force)
    calibration = Calibration(
        cast("Method", calibrate_method),
        percentile,
        LEVELS if levels is None else levels,
        per_channel,
        tuple(name.strip() for name in correct.split(",") if name.strip()),
        quantise_input,
        weight_bits,
        cast("Scales", weight_scale),
        cast("Search", weight_search),
    )
    if calibrate is None and (calibration.needs_samples or levels is not None):
        words = "--levels, --calibrate-method, --percentile, --per-channel, --correct and --quantise-input"
        raise UsageError(f"{words} go with --calibrate DATA.npz; quantisers that are there take --most-levels")
    chosen = load_backend(_with_options(backend, chip, approximate))
    given = {"chip": chip, "code": code, "steps": steps, "settle": settle, "decay": decay, "reset": reset}
    given |= {"dt": dt, "integrator": integrator}
    options = [
        f"--backend {backend}",
        *(f"--{k} {v}" for k, v in given.items() if v is not None),
    ]
    if integer is not None:
        options.append("--integer" if integer else "--float")
    if calibrate is not None:
        options.append(f"--calibrate {calibrate.name}")
    options += calibration.words()
    if most_levels:
        options.append(f"--most-levels {most_levels}")
    if drop_requantisation:
        options.append("--drop-requantisation")
    if bits is not None:
        options.append(f"--bits {bits}")
    if approximate:
        options.append("--approximate")
    if calibrate_steps:
        options.append(f"--calibrate-steps {calibrate_steps}")
    if passes is not None:
        options.append(f"--passes '{passes}'")
    with progress("converting"):
        conversion = convert(
            model,
            code=code,
            steps=steps,
            settle=_settle(settle),
            integer=integer,
            passes=passes,
            most_levels=most_levels,
            drop_requantisation=drop_requantisation,
            decay=decay,
            reset=reset,
            dt=dt,
            integrator=integrator,
            bits=None if bits is None else Budget.parse(bits),
            calibrate=calibrate,
            calibrate_steps=calibrate_steps,
            calibration=calibration,
            command=" ".join(["onnx2snn convert", model.name, *options]),
        )
        for note in conversion.notes:
            print(f"onnx2snn: {model}: {note}", file=sys.stderr)
        network = conversion.lower(chosen, _observer(conversion.ann, print_after_each, explain))
        if calibrate is not None and not conversion.calibrated:
            idle = calibration.idle("start-membranes" in network.neuron_passes)
            print(*(f"onnx2snn: {model}: {line}\n" for line in idle), sep="", end="", file=sys.stderr)
        print_notes(note for note in network.notes if note.endswith((ASK, ROUNDED)))
        if weight_bits and not conversion.rounds_weights:
            print(f"onnx2snn: {model}: nothing to round: no weight takes more than {weight_bits} bits", file=sys.stderr)
        manifest = save(network, chosen, out, force)
    mapped = code is None and conversion.imported is None and "map-neurons" not in (passes or "")
    if network.choice:
        print(f"onnx2snn: backend {backend}: {network.choice}", file=sys.stderr)
    elif mapped and network.code != "st-bif":
        print(
            f"onnx2snn: backend {backend} runs code {network.code} (st-bif needs spikes and tracers it has not)",
            file=sys.stderr,
        )
    _report(manifest, network.certificate, chosen.footprint(out), out, as_json)
    if not (as_json or (network.certificate.exact and not conversion.calibrated)):
        print(f"how far its answers are the model's: onnx2snn verify {model} {out} --data SAMPLES.npz")
    if bits is not None and not as_json:
        _show_bits(manifest.layers)


def _with_options(backend: str, chip: str | None, approximate: bool) -> str:
    """The text of a backend with the options that are given apart."""
    given = {"chip": chip, "approximate": approximate or None}
    options = [f"{name}={json.dumps(value)}" for name, value in given.items() if value is not None]
    if not options:
        return backend
    if "{" in backend:
        raise UsageError(
            f"--backend: all of its options in one place expected, found {backend} and {', '.join(options)}"
        )
    for name in (name for name, value in given.items() if value is not None):
        _check_takes(backend, name)
    return f"{backend}{{{', '.join(options)}}}"


def _check_takes(backend: str, option: str) -> None:
    """Raises `UsageError`, with the backends that have the option, where `backend` has not."""
    from onnx2snn.errors import PluginError
    from onnx2snn.passes.options import options_of
    from onnx2snn.plugins import load_backend, plugins

    if option in options_of(type(load_backend(backend))):
        return
    having: list[str] = []
    for plugin in plugins():
        with suppress(PluginError, UsageError):
            having += [f"--backend {plugin.name}"] if option in options_of(type(load_backend(plugin.name))) else []
    raise UsageError(f"--{option}: goes with {' or '.join(having)}; found backend {backend}")


def _settle(text: str | None) -> Settle | None:
    if text is None:
        return None
    if text == "auto":
        return "auto"
    if not text.isdigit():
        raise UsageError(f"--settle: a number of steps or auto expected, found {text!r}")
    return int(text)


def _observer(start: Graph, print_after_each: bool, explain: bool) -> Observer | None:
    if not (print_after_each or explain):
        return None
    from onnx2snn.ir import print_graph

    seen = [start]

    def watch(step: Pass, graph: Graph, reasons: Sequence[str]) -> None:
        print(f"# {step}: {_headline(step) if explain else ''}".rstrip(": "), file=sys.stderr)
        if explain:
            print(f"#   {_difference(seen[-1], graph)}", file=sys.stderr)
            for reason in reasons:
                print(f"#   left alone: {reason}", file=sys.stderr)
        seen[:] = [graph]
        if print_after_each:
            print(print_graph(graph), file=sys.stderr)

    return watch


def _difference(before: Graph, after: Graph) -> str:
    """Names of nodes that went, came or changed."""
    from onnx2snn.ir import same

    old, new = ({node.name: node for node in graph} for graph in (before, after))
    changed = [n for n in new if n in old and not (same(old[n].op, new[n].op) and old[n].inputs == new[n].inputs)]
    parts = {"removed": sorted(old.keys() - new.keys()), "added": sorted(new.keys() - old.keys()), "changed": changed}
    return "; ".join(f"{word} {', '.join(names)}" for word, names in parts.items() if names) or "changed nothing"


def _headline(step: Pass) -> str:
    return (type(step).__doc__ or "").strip().splitlines()[0]


def _report(
    manifest: Manifest, certificate: Certificate, footprint: Footprint | None, out: Path, as_json: bool
) -> None:
    from onnx2snn.flow.conversion.weight_cost import MEASURED
    from onnx2snn.flow.evaluation.latency import latency_of
    from onnx2snn.flow.verification.claim import claim_of, files, headline

    latency = latency_of(manifest)
    total, proven = (sum(getattr(layer, f) for layer in manifest.layers) for f in ("breakpoints", "proven"))
    classes = {k: sum(layer.exactness == k for layer in manifest.layers) for k in ("exact", "bounded", "analog")}
    if as_json:
        cores = {} if footprint is None else {"cores": footprint.data}
        found = {"artifact": str(out), "breakpoints": total, "proven": proven, "classes": classes, "latency": latency}
        said = {"claim": claim_of(manifest, certificate)}
        print_json({**found, **said, **cores, **manifest.model_dump()})
        return
    silent = f"until silent (at most {amount(manifest.settle_bound, 'step')})"
    settle = silent if manifest.settle == "auto" else amount(manifest.settle, "step")
    kind = f"code {manifest.code}, {manifest.arithmetic} arithmetic"
    print(f"{out}: {manifest.backend} artifact, {kind}; {files(manifest.fidelity)}")
    before = (
        f", {amount(manifest.calibrate_steps, 'step')} before them to set membranes" if manifest.calibrate_steps else ""
    )
    print(f"T = {manifest.steps}, settle {settle}{before}: {amount(latency.most_steps, 'step')} at most")
    for text in latency.words:
        print(f"  {text}")
    print(headline(proven, total, claim_of(manifest, certificate)))
    print(f"ops: {', '.join(f'{n} {k}' for k, n in classes.items() if n)}")
    for text in manifest.approximations:
        print(f"  approximation: {text}")
    for text in manifest.notes:
        if text.startswith(MEASURED):
            print(f"  {text}")
    _show_inexact(manifest.layers)
    if footprint is not None:
        print_footprint(footprint)


def _show_bits(layers: Sequence[LayerRecord]) -> None:
    """What every population takes of a budget, and what that makes of it."""
    rows = [
        (layer.name, layer.shift, layer.threshold_bits, layer.accumulator_bits, layer.exactness, layer.bound or "")
        for layer in layers
        if layer.breakpoints
    ]
    print_table("bits", ("population", "fractional bits", "threshold", "state", "class", "bound"), rows)


def _show_inexact(layers: Sequence[LayerRecord]) -> None:
    """What is not exact, those of one reason on one line."""
    groups: dict[tuple[str, str], list[LayerRecord]] = {}
    for layer in layers:
        if layer.exactness != "exact" or (layer.op == "encoder" and layer.reason):
            groups.setdefault((layer.exactness, layer.reason), []).append(layer)
    for (exactness, reason), group in groups.items():
        names = ", ".join(f"{layer.name} ({layer.op})" for layer in group[:MANY])
        more = f" and {len(group) - MANY} more" if len(group) > MANY else ""
        bound = max(layer.bound for layer in group)
        print(f"  {exactness}{f', at most {bound} counts' if bound else ''}: {reason}: {names}{more}")
