"""What the page lists: terms with their values, and the columns of the table of layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from onnx2snn.flow.verification.claim import files
from onnx2snn.metrics import Totals
from onnx2snn.reporting.facts import Conversion, Layer, Parity, Report, Robustness
from onnx2snn.reporting.pictures.accuracy import shares
from onnx2snn.reporting.pictures.errors import ran_alone
from onnx2snn.reporting.words import grouped, percent, settling, shape, short
from onnx2snn.words import amount

Terms = list[tuple[str, str]]
MARKS = (0.5, 0.9, 0.99)  #: shares of the final accuracy whose first step is named


@dataclass(frozen=True)
class Card:
    """One number at a glance."""

    term: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a table of populations; kind: a class of the style sheet (numbers stand to the right)."""

    head: str
    write: Callable[[Layer], str]
    kind: str = "number"


def at_a_glance(facts: Report) -> list[Card]:
    """The numbers that are asked for first."""
    conversion, simulation, parity = facts.conversion, facts.simulation, facts.parity
    cards = [
        Card("Breakpoints proven", _share(conversion.proven, conversion.breakpoints), _of_breakpoints(conversion)),
        Card("Timesteps of input", str(conversion.steps), f"then {settling(conversion)}"),
        Card("Neurons", grouped(conversion.neurons), f"in {conversion.populations} populations"),
    ]
    if simulation is None:
        return cards
    note = f"{grouped(simulation.samples)} samples of {simulation.data}"
    if simulation.accuracy is not None:
        cards.append(Card("Accuracy", percent(simulation.accuracy), note + _against(parity)))
    if parity is not None and parity.argmax_agreement is not None:
        cards.append(Card("Same answer as the model", percent(parity.argmax_agreement), f"run by {parity.executor}"))
    more = f"; on the chip {conversion.pipeline_steps} more, from layer to layer" if conversion.pipeline_steps else ""
    cards.append(Card("Latency", amount(simulation.steps, "step"), f"until the last spike of any sample{more}"))
    spikes = sum(layer.spikes or 0 for layer in facts.layers if layer.role != "pool")
    each = f"{spikes / conversion.neurons:.3g} for each neuron" if conversion.neurons else ""
    cards.append(Card("Spikes per sample", grouped(spikes) if spikes < 1e6 else short(spikes), each))
    if simulation.totals is not None:
        macs = f"beside {short(simulation.totals.macs)} MACs of an ANN"
        cards.append(Card("Synaptic operations", short(simulation.totals.operations), f"per sample, {macs}"))
    return cards


def about(facts: Report) -> Terms:
    """What was converted, and how."""
    conversion = facts.conversion
    rows = [
        ("Model", conversion.model),
        ("SHA-256", conversion.sha256),
        ("Input", _named(conversion.inputs)),
        ("Output", _named(conversion.outputs)),
        ("Backend", f"{conversion.backend}, {files(conversion.fidelity)}"),
        ("Code", conversion.code),
        ("Arithmetic", "whole numbers, bit-exact" if conversion.arithmetic == "integer" else "real numbers"),
        ("Input is", "quantised" if conversion.encoder == "quantised" else "read as real numbers by the first synapse"),
        ("Inject steps T", str(conversion.steps)),
        ("Settle", settling(conversion)),
    ]
    if conversion.calibrate_steps:
        rows.append(("Before each run", f"{amount(conversion.calibrate_steps, 'step')} that set the initial membranes"))
    return rows


def no_curve(facts: Report) -> str:
    """Why there is no accuracy over time although there was a run."""
    return "The answer takes one timestep." if shares(facts)[0] else "The output is not one of several classes."


def latency(facts: Report) -> Terms:
    """How soon the answers are there."""
    simulation = facts.simulation
    curve, name = shares(facts)
    if simulation is None or not curve:
        return []
    rows = [(f"After step {step}", f"{name} {percent(curve[step - 1])}") for step in sorted({1, len(curve)})]
    for mark in MARKS if curve[-1] else ():
        step = 1 + max((i for i, share in enumerate(curve, 1) if share < mark * curve[-1]), default=0)
        rows.insert(-1, (f"{100 * mark:g} % of the last", f"at step {step}"))
    early = simulation.early
    if early is not None and early.steps < simulation.steps:
        what = f"accuracy {percent(early.accuracy)}" if early.accuracy is not None else percent(early.agreement)
        rows.append(
            ("Early exit", f"at {simulation.exit_rule} {early.threshold:g}: {early.steps:.2f} steps on average, {what}")
        )
    return rows


def robustness(facts: Report) -> Terms:
    """What is left where spikes are lost."""
    found = () if facts.simulation is None else facts.simulation.robustness
    return [(f"{percent(one.drop)} of all spikes lost", _over_runs(one)) for one in found]


def _over_runs(one: Robustness) -> str:
    spread = "" if one.deviation is None else f" ± {percent(one.deviation)}"
    return f"accuracy {percent(one.accuracy)}{spread} over {one.runs} runs"


def work(facts: Report) -> Terms:
    """What one sample takes, beside an ANN with the same layers."""
    totals = None if facts.simulation is None else facts.simulation.totals
    if totals is None:
        return []
    return [
        (
            "Synaptic operations",
            f"{short(totals.operations)}, {short(totals.readout_operations)} of them at the readout",
        ),
        ("Neuron updates", short(totals.updates)),
        ("Input layer", f"{short(totals.input_macs)} MACs, once a sample"),
        ("The ANN", f"{short(totals.macs)} MACs, {short(totals.macs_active)} without zeros"),
        *_silence(totals),
    ]


def _silence(totals: Totals) -> Terms:
    """How much fires, and how much does not, where there is anything that could."""
    if not totals.neurons:
        return [("Spikes", "none: no population spikes")]
    return [
        ("Spikes", f"{short(totals.spikes)}, {totals.rate:.3g} per neuron and step"),
        ("Sparsity", f"{percent(totals.sparsity)} of neurons and steps are silent"),
    ]


def activity(facts: Report) -> list[Column]:
    """What is known of every population itself."""
    columns = [
        Column("Neuron", lambda layer: layer.op, "word"),
        Column("Neurons", lambda layer: grouped(layer.neurons)),
    ]
    if facts.simulation is not None:
        columns += [
            Column("Spikes per sample", lambda layer: _number(layer.spikes, grouped)),
            Column("Rate", lambda layer: _number(layer.rate, "{:.4f}".format)),
            Column("Sparsity", lambda layer: _number(layer.sparsity, percent)),
        ]
    if any(layer.operations is not None for layer in facts.layers):
        columns += [
            Column("Synaptic operations", lambda layer: _number(layer.operations, grouped)),
            Column("MACs of an ANN", lambda layer: _number(layer.macs, grouped)),
        ]
    return columns


def comparison(facts: Report) -> list[Column]:
    """How the counts of every population compare with the model's; nothing where they were not compared."""
    found = [layer.difference for layer in facts.layers if layer.difference is not None]
    if not found:
        return []
    columns = [Column("Counts", lambda layer: _difference(layer, "counts"))]
    if ran_alone(facts):
        columns.append(Column("Differ alone", lambda layer: _difference(layer, "alone")))
    columns += [
        Column("Differ in the network", lambda layer: _difference(layer, "cumulative")),
        Column("Largest difference", lambda layer: _difference(layer, "worst")),
    ]
    if any(one.rounding for one in found):
        columns.append(Column("Float32 near-ties", lambda layer: _difference(layer, "rounding")))
    if any(one.causes for one in found):
        columns.append(Column("Why, in the network", _causes, "reason"))
    return columns


def raster_caption(facts: Report) -> str:
    """What is shown of how much, and what the marks are."""
    if facts.sample is None:
        return ""
    shown, there = len(facts.sample.rasters), facts.conversion.populations
    populations = "" if shown == there else f"{shown} of {there} populations, evenly spread over the depth. "
    neurons = ""
    if any(len(raster.shown) < raster.neurons for raster in facts.sample.rasters):
        rows = max(len(raster.shown) for raster in facts.sample.rasters)
        neurons = f"Of each population {rows} neurons that fire, from the most active. "
    if any(abs(spikes) > 1 for raster in facts.sample.rasters for _, _, spikes in raster.events):
        return f"{populations}{neurons}The longer a line, the more spikes at once (dotted: negative ones)."
    return f"{populations}{neurons}A bar is a spike, a cross a negative one."


def _share(part: int, whole: int) -> str:
    """Never rounded up to all of them."""
    return "none to prove" if not whole else percent(1 if part == whole else min(part / whole, 0.9999))


def _of_breakpoints(conversion: Conversion) -> str:
    return f"{grouped(conversion.proven)} of {grouped(conversion.breakpoints)}" if conversion.breakpoints else ""


def _against(parity: Parity | None) -> str:
    return "" if parity is None or parity.model_accuracy is None else f"; the model: {percent(parity.model_accuracy)}"


def _named(shapes: Mapping[str, Sequence[int]]) -> str:
    return "; ".join(f"{name}: {shape(sizes)}" for name, sizes in shapes.items())


def _number(value: float | None, write: Callable[[float], str]) -> str:
    return "" if value is None else write(value)


def _difference(layer: Layer, field: str) -> str:
    return _number(getattr(layer.difference, field, None), grouped)


def _causes(layer: Layer) -> str:
    if layer.difference is None:
        return ""
    return ", ".join(f"{cause}: {grouped(number)}" for cause, number in layer.difference.causes.items())
