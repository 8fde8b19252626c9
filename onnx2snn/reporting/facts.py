"""Everything a report says, as one tree: what the page, the pictures and the tables are made from, and its JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from onnx2snn.artifact import LayerRecord, Record
from onnx2snn.flow.evaluation.curve import Exit, Moment
from onnx2snn.metrics import Energy, InputActivity, Totals


class Conversion(Record):
    """What was converted, how, and what is proven of it.

    claim: how far the network equals the model, in one line.  exact: whether it equals it in every count.
    proved_from: the model file, proven anew for this report, or the manifest, as converted.
    pipeline_steps: what the way from layer to layer takes on a chip, beyond all other steps.
    """

    model: str
    sha256: str
    made_by: str
    command: str
    backend: str
    fidelity: str
    pipeline_steps: int
    code: str
    arithmetic: str
    encoder: str
    inputs: dict[str, tuple[int, ...]]
    outputs: dict[str, tuple[int, ...]]
    steps: int
    settle: int | Literal["auto"]
    settle_bound: int
    calibrate_steps: int
    populations: int
    neurons: int
    claim: str
    exact: bool
    breakpoints: int
    proven: int
    proved_from: Literal["the model file", "the manifest"]
    approximations: tuple[str, ...]
    fine_tuning: str | None
    notes: tuple[str, ...]
    staircase_passes: str
    neuron_passes: str


class Device(Record):
    """An energy estimate and where its prices come from."""

    title: str
    source: str
    year: int
    estimate: Energy


class Robustness(Record):
    """What is left of the accuracy where every spike is lost with probability `drop`: mean and deviation over runs."""

    drop: float
    runs: int
    accuracy: float
    deviation: float | None


class Simulation(Record):
    """The network on all samples in the NumPy simulator: latency in ticks, settle steps included, and accuracy.

    Accuracy where there are labels; the rest as in `onnx2snn.flow.evaluation.simulate.Simulation`.
    early: the exit with the fewest steps that costs at most 0.1 % of the samples.
    notes: what does not fit of the samples, and populations that never fire.
    """

    data: str
    samples: int
    steps: int
    inject_steps: int
    accuracy: float | None
    curve: tuple[Moment, ...] = ()
    exit_rule: str = ""
    early: Exit | None = None
    inputs: tuple[InputActivity, ...] = ()
    totals: Totals | None = None
    devices: tuple[Device, ...] = ()
    robustness: tuple[Robustness, ...] = ()
    notes: tuple[str, ...] = ()


class Parity(Record):
    """The network beside the model on all samples; see `onnx2snn.flow.verification.verify.Parity`."""

    samples: int
    executor: str
    calibrated: bool
    argmax_agreement: float | None
    accuracy: float | None
    model_accuracy: float | None
    largest_output_error: float


class Difference(Record):
    """Counts of a population that differ from the model's; see `onnx2snn.flow.verification.verify.LayerParity`.

    causes: how many differ in the network for which cause (`onnx2snn.analysis.causes`).  advice: what to do.
    """

    counts: int
    alone: int | None
    cumulative: int
    rounding: int
    worst: int
    worst_alone: int | None
    causes: dict[str, int] = Field(default_factory=dict)
    advice: str = ""


class Layer(Record):
    """A neuron population, or a max pool that spikes reach, numbered from 1 in network order.

    role: encoder, hidden or pool.  The rest for each sample, None where it was not counted; see
    `onnx2snn.metrics.LayerActivity`. spikes: of either sign.  rate: spikes for each neuron and step.
    operations: synaptic operations.  macs: multiplications in an ANN with the same layers.
    """

    number: int
    name: str
    op: str
    role: str
    neurons: int
    spikes: float | None = None
    rate: float | None = None
    sparsity: float | None = None
    operations: float | None = None
    macs: float | None = None
    difference: Difference | None = None


class Placement(Record):
    """What the artifact takes of a chip, as `convert` says it; see `onnx2snn.backends.base.Footprint`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int | float | str | None, ...], ...]
    sentences: tuple[str, ...]


class Raster(Record):
    """Spikes of some neurons of a population for one sample.

    shown: flat indices of the neurons, from the most active to the least active.  neurons: how many there are.
    events: (tick from 0, row in `shown`, net spikes at that tick).
    """

    layer: int
    name: str
    neurons: int
    shown: tuple[int, ...]
    events: tuple[tuple[int, int, int], ...]


class Membrane(Record):
    """A neuron's membrane potential for one sample, in the units of its threshold.

    peaks: before firing, at each tick; potentials: at its end, after the reset.  spikes: net spikes of each tick.
    start: before the first tick.  signed: whether it also fires downwards, below zero.
    """

    layer: int
    name: str
    neuron: int
    place: tuple[int, ...]
    threshold: float
    start: float
    signed: bool
    peaks: tuple[float, ...]
    potentials: tuple[float, ...]
    spikes: tuple[int, ...]


class Sample(Record):
    """One sample run tick by tick.  inject_steps and steps: ticks of input, and until the last spike.

    picture: the input as rows of grey (height, width) or colour (height, width, 3) values, where it is an image.
    """

    index: int
    label: int | None
    answer: int | None
    inject_steps: int
    steps: int
    picture: tuple[tuple[float | tuple[float, ...], ...], ...] | None
    rasters: tuple[Raster, ...]
    membranes: tuple[Membrane, ...]


class Report(Record):
    """A whole report.  missing: what is left out, by section, and how to get it.  findings: what is wrong.

    cores: what the artifact takes of a chip, as in the JSON of `convert`.  placement: the same for people.  Both are
    None where the backend has no cores.
    """

    schema_version: Literal[1] = 1
    made_by: str
    conversion: Conversion
    certificate: tuple[LayerRecord, ...]
    layers: tuple[Layer, ...]
    simulation: Simulation | None = None
    parity: Parity | None = None
    sample: Sample | None = None
    cores: dict[str, Any] | None = None
    placement: Placement | None = None
    findings: tuple[str, ...] = ()
    missing: dict[str, str] = Field(default_factory=dict)
