"""Facts and pictures as one HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from onnx2snn.reporting.facts import Conversion, Layer, Parity, Report
from onnx2snn.reporting.pictures import PICTURES
from onnx2snn.reporting.words import clean, grouped, percent, settling, shape

SECTIONS = (
    ("glance", "At a glance"),
    ("conversion", "What was converted"),
    ("certificate", "Certificate"),
    ("layers", "Layer by layer"),
    ("sample", "One sample"),
)
MARKS = {"exact": "✓", "bounded": "≈", "analog": "~"}


@dataclass(frozen=True)
class Card:
    """One number at a glance."""

    term: str
    value: str
    note: str = ""


def render(facts: Report, pictures: Mapping[str, str]) -> str:
    """The page; `pictures` by name, as <svg> elements."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    room = files(__package__ or "")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["grouped"] = grouped
    template = environment.from_string((room / "report.html.j2").read_text(encoding="utf-8"))
    columns = _columns(facts)
    page = template.render(
        facts=facts,
        css=Markup((room / "report.css").read_text(encoding="utf-8")),
        pictures={name: Markup(svg) for name, svg in pictures.items()},
        titles={picture.name: picture.title for picture in PICTURES},
        sections=SECTIONS,
        marks=MARKS,
        cards=_cards(facts),
        about=_about(facts),
        columns=list(columns),
        compared=any(layer.difference is not None for layer in facts.layers),
        rows=[(layer, [write(layer) for write in columns.values()]) for layer in facts.layers],
        raster_caption=_raster_caption(facts),
    )
    return clean(page)


def _cards(facts: Report) -> list[Card]:
    conversion, simulation, parity = facts.conversion, facts.simulation, facts.parity
    cards = [
        Card("Breakpoints proven", _share(conversion.proven, conversion.breakpoints), _of_breakpoints(conversion)),
        Card("Timesteps of input", str(conversion.steps), f"then {settling(conversion)}"),
        Card("Neurons", grouped(conversion.neurons), f"in {conversion.populations} populations"),
    ]
    if simulation is not None:
        note = f"{grouped(simulation.samples)} samples of {simulation.data}"
        if simulation.accuracy is not None:
            cards.append(Card("Accuracy", percent(simulation.accuracy), note + _against(parity)))
        cards.append(Card("Latency", f"{simulation.steps} steps", "until the last spike of any sample"))
        spikes = sum(layer.spikes or 0 for layer in facts.layers)
        cards.append(Card("Spikes per sample", grouped(spikes), f"{spikes / conversion.neurons:.3g} for each neuron"))
    if parity is not None and parity.argmax_agreement is not None:
        cards.append(Card("Same answer as the model", percent(parity.argmax_agreement), f"by {parity.executor}"))
    return cards


def _share(part: int, whole: int) -> str:
    """Never rounded up to all of them."""
    return "none to prove" if not whole else percent(part / whole if part == whole else min(part / whole, 0.9999))


def _of_breakpoints(conversion: Conversion) -> str:
    return f"{grouped(conversion.proven)} of {grouped(conversion.breakpoints)}" if conversion.breakpoints else ""


def _against(parity: Parity | None) -> str:
    return "" if parity is None or parity.model_accuracy is None else f"; the model: {percent(parity.model_accuracy)}"


def _about(facts: Report) -> list[tuple[str, str]]:
    """What was converted and how, as terms and values."""
    conversion = facts.conversion
    rows = [
        ("Model", conversion.model),
        ("SHA-256", conversion.sha256),
        ("Input", _named(conversion.inputs)),
        ("Output", _named(conversion.outputs)),
        ("Backend", f"{conversion.backend} ({conversion.fidelity})"),
        ("Code", conversion.code),
        ("Arithmetic", "whole numbers, bit-exact" if conversion.arithmetic == "integer" else "real numbers"),
        ("Input is", "quantised" if conversion.encoder == "quantised" else "read as real numbers by the first synapse"),
        ("Inject steps T", str(conversion.steps)),
        ("Settle", settling(conversion)),
    ]
    if conversion.calibrate_steps:
        rows.append(("Before each run", f"{conversion.calibrate_steps} steps that set the initial membranes"))
    return rows


def _named(shapes: Mapping[str, Sequence[int]]) -> str:
    return "; ".join(f"{name}: {shape(sizes)}" for name, sizes in shapes.items())


def _columns(facts: Report) -> dict[str, Callable[[Layer], str]]:
    """What is known of every population, by the head of its column."""
    columns: dict[str, Callable[[Layer], str]] = {"Neurons": lambda layer: grouped(layer.neurons)}
    if facts.simulation is not None:
        columns["Spikes per sample"] = lambda layer: "" if layer.spikes is None else grouped(layer.spikes)
        columns["Spikes per neuron and step"] = lambda layer: "" if layer.rate is None else f"{layer.rate:.4f}"
    if any(layer.difference is not None for layer in facts.layers):
        columns |= {
            "Counts compared": lambda layer: _difference(layer, "counts"),
            "Differ alone": lambda layer: _difference(layer, "alone"),
            "Differ in the network": lambda layer: _difference(layer, "cumulative"),
            "Of these float32 near-ties": lambda layer: _difference(layer, "rounding"),
            "Largest difference": lambda layer: _difference(layer, "worst"),
        }
    return columns


def _difference(layer: Layer, field: str) -> str:
    return "" if layer.difference is None else grouped(getattr(layer.difference, field) or 0)


def _raster_caption(facts: Report) -> str:
    """What is shown of how much, and what the marks are."""
    if facts.sample is None:
        return ""
    shown, there = len(facts.sample.rasters), facts.conversion.populations
    populations = "" if shown == there else f"{shown} of {there} populations, evenly spread over the depth. "
    neurons = ""
    if any(len(raster.shown) < raster.neurons for raster in facts.sample.rasters):
        neurons = f"Of each population the {max(len(r.shown) for r in facts.sample.rasters)} neurons that fire most. "
    return f"{populations}{neurons}A bar is a spike, a cross one taken back."
