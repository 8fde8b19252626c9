"""The results of the other programs as the tables of the docs.

    python benchmarks/tables.py

writes, on every page, what belongs between the marks <!-- NAME --> and <!-- end -->, from benchmarks/results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
PAGES = sorted([ROOT.parent / "README.md", *(ROOT.parent / "docs").glob("*.md")])
MARKED = re.compile(r"<!-- ([\w-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
RULE = re.compile(r"(?:: |; )\(([a-z][^)]*)\) ")  #: the names of design rules in a refusal
Rows = Iterable[tuple[object, ...]]


def results(name: str) -> dict[str, Any]:
    """What a program found."""
    return json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))


def table(columns: tuple[str, ...], rows: Rows) -> str:
    """Markdown; None is an empty cell."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join('' if cell is None else str(cell) for cell in line)} |\n" for line in lines)


def percent(share: float | None) -> str | None:
    return None if share is None else f"{100 * share:.2f}"


def real_models() -> str:
    """Every real file."""
    columns = ("file", "dialect", "nodes", "T", "proven", "samples", "same answer", "counts that differ (worst)")
    models = results("real_models")["models"]
    return table((*columns, "output error", "seconds", "MB"), (_file(name, row) for name, row in models.items()))


def _file(name: str, row: dict[str, Any]) -> tuple[object, ...]:
    dialect = ", ".join(row.get("dialects", [])) or "float"
    nodes = ", ".join(f"{count} {kind}" for kind, count in row.get("nodes", {}).items())
    if not row.get("converted"):
        return (name, dialect, nodes, None, row.get("failed") or row.get("reason", ""), *[None] * 6)
    calibrated = " (calibrated)" if row["calibrated"] else ""
    whole = "yes" if row["proven_exact"] else "no"
    head = (name, dialect + calibrated, nodes, row["steps"], f"{whole}: {row['certificate']}")
    if "not_compared" in row:
        return (*head, f"not run: {row['not_compared']}", *[None] * 3, row["seconds"], row["peak_mb"])
    agreement = None if row["argmax_agreement"] is None else f"{row['argmax_agreement']:.1%}"
    differing = f"{row['differing']:,} of {row['counts']:,} ({row['largest_count_difference']})"
    found = (row["samples"], agreement, differing, f"{row['largest_output_error']:.2g}")
    return (*head, *found, row["seconds"], row["peak_mb"])


def fast_snn() -> str:
    """Progressive training, and what each code makes of each precision."""
    columns = ("network", "training images", "epochs", "bits", "ANN, whole test set", "test images", "ANN", "`if`")
    return table((*columns, "`signed-if`", "fine-tuned", "`st-bif`", "steps"), _precisions(results("fast_snn")))


def _precisions(found: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for name, entry in sorted(found.items()):
        for bits, row in sorted(entry["bits"].items(), reverse=True):
            codes = [row.get(code, {}).get("accuracy") for code in ("if", "signed-if", "signed-if, fine-tuned")]
            exact = row["st-bif"]
            yield (
                name,
                _thousands(entry["training_images"]),
                row["training"]["epochs"],
                bits,
                percent(row["ann_on_all_test_images"]),
                entry["test_images"],
                percent(row["ann"]),
                *map(percent, codes),
                f"{percent(exact['accuracy'])} ({exact['predictions_that_differ']} differ)",
                f"{row['if']['steps']}; {exact['steps']}",
            )


PUBLISHED = {  #: of the MNIST variant of Fast-SNN: ANN, unsigned, signed, fine-tuned
    ("mnist vgg11", "3"): (97.75, 96.98, 97.46, 97.54),
    ("mnist vgg11", "2"): (98.18, 97.10, 98.11, 98.18),
    ("mnist alexnet", "3"): (98.98, 78.92, 98.90, 98.89),
    ("mnist alexnet", "2"): (98.93, 14.62, 62.72, 81.78),
}


def fast_snn_whole() -> str:
    """The inexact codes on all test images, beside what the source reports."""
    columns = ("network", "bits", "", "ANN", "`if`", "`signed-if`", "fine-tuned", "`if`, v0 corrected")
    return table((*columns, "`if`, membranes calibrated"), _beside_the_source(results("fast_snn")))


def _beside_the_source(found: dict[str, Any]) -> Iterator[tuple[object, ...]]:
    for (name, bits), source in PUBLISHED.items():
        row = found[name]["bits"][bits]
        corrected = "if, membranes corrected on 128 training images"
        names = ("if", "signed-if", "signed-if, fine-tuned", corrected, "if, membranes calibrated")
        codes = [row["on_all_test_images"].get(code) for code in names]
        yield (name, bits, "here", *map(percent, (row["ann_on_all_test_images"], *codes)))
        yield (name, bits, "source", *(f"{number:.2f}" for number in source), "", "")


def _thousands(number: int | str) -> str:
    return number if isinstance(number, str) else f"{number:,}"


def median() -> str:
    """Median k/B quantisation."""
    columns = ("setting", "levels", "epochs", "here", "published", "difference in images", "proven")
    found = results("median_mnist")["settings"]
    return table(
        columns,
        (
            (
                name,
                row["levels"],
                row["training"]["epochs"],
                percent(row["test"]),
                percent(row["published"]),
                f"{row['difference_in_images']:+}",
                row["proven"],
            )
            for name, row in sorted(found.items())
        ),
    )


def rate_norm() -> str:
    """Rate Norm Layers against thresholds from calibration."""
    found = results("rnl_mnist")
    curves = found["accuracy"]
    steps = [step for step in next(iter(curves.values())) if int(step) >= 4]
    reached = found["steps_to_99_percent_of_the_ann"]
    return table(
        ("network", *(f"T = {step}" for step in steps), "99 % of the ANN at"),
        ((name, *(percent(curve[step]) for step in steps), reached[name] or "never") for name, curve in curves.items()),
    )


def codes() -> str:
    """Every code on trained networks."""
    columns = ("network, bits", "training images x epochs", "test images", "code", "ANN", "accuracy", "same answer")
    more = ("counts that differ", "proven", "steps", "spikes per neuron", "synaptic operations", "MACs")
    return table(
        (*columns, *more, "energy, nJ", "ANN, nJ"),
        (_code(name, entry, code) for name, entry in results("codes").items() for code in entry["codes"]),
    )


def _code(name: str, entry: dict[str, Any], code: str) -> tuple[object, ...]:
    row = entry["codes"][code]
    differing, ties = row["differing_counts"], row["float32_near_ties"]
    return (
        name,
        f"{entry['training_images']:,} x {entry['epochs']}",
        f"{entry['test_images']:,}",
        f"`{code}`",
        percent(row["ann_accuracy"]),
        percent(row["accuracy"]),
        percent(row["same_answer"]),
        f"{100 * differing / row['counts']:.4g} %" + (f" ({ties} of {differing} near-ties)" if ties else ""),
        "whole" if row["proven"] else "in part",
        f"{row['steps']} (at most {row['proven_most_steps']})",
        f"{row['spikes_per_neuron']:.3g}",
        f"{row['synaptic_operations']:,.0f}",
        f"{row['ann_macs']:,.0f}",
        f"{row['energy_nanojoules']:,.0f}",
        f"{row['ann_energy_nanojoules']:,.0f}",
    )


def lenet() -> str:
    """The codes on one network, in short."""
    rows = results("codes")["mnist lenet 4"]["codes"]
    first = next(iter(rows.values()))
    columns = ("", "accuracy", "same answer as the ANN", "counts that differ", "steps", "spikes per neuron")
    ann = ("ANN (ONNX Runtime)", percent(first["ann_accuracy"]), *[None] * 4)
    return table(columns, (ann, *(_short(code, row) for code, row in rows.items())))


def _short(code: str, row: dict[str, Any]) -> tuple[object, ...]:
    proven = ", proven exact" if row["proven"] else ""
    differing = f"{100 * row['differing_counts'] / row['counts']:.4g} %"
    head = (f"SNN, `{code}`{proven}", percent(row["accuracy"]), percent(row["same_answer"]))
    return (*head, differing, row["steps"], f"{row['spikes_per_neuron']:.2f}")


def median_spiking() -> str:
    """Scatter-and-gather: the LeNets in one step, and with spikes lost."""
    found = results("median_spiking")["settings"]
    lost = tuple(next(iter(found.values()))["with_spikes_lost"])
    columns = ("setting", "ANN", "`ladder`, T = 1", "counts that differ", "images", *(f"lost: {name}" for name in lost))
    more = (
        "units",
        "spikes",
        "sparsity",
        "synaptic operations",
        "the source's `sop`",
        "its rate, plotted rate",
        "MACs",
    )
    return table((*columns, *more), (_setting(name, row, lost) for name, row in sorted(found.items())))


def _setting(name: str, row: dict[str, Any], lost: tuple[str, ...]) -> tuple[object, ...]:
    ours, source = row["ours"], row["by_the_source"]
    noise = (row["with_spikes_lost"][drop] for drop in lost)
    return (
        name,
        percent(row["ann_accuracy"]),
        percent(row["accuracy"]),
        f"{row['differing_counts']:,} ({row['float32_near_ties']:,} near-ties) of {row['counts']:,}",
        f"{row['noisy_test_images']:,}",
        *(f"{percent(drop['accuracy'])} ± {percent(drop['deviation'])}" for drop in noise),
        f"{ours['units']:,}",
        f"{ours['spikes']:,.0f}",
        f"{100 * ours['sparsity']:.1f} %",
        f"{ours['synaptic_operations']:,.0f}",
        f"{source['sop']:,.0f}",
        f"{100 * source['rate']:.1f}, {100 * source['plotted_rate']:.1f} %",
        f"{ours['ann_macs']:,.0f}",
    )


def chips() -> str:
    """Trained networks on the tables of chips."""
    columns = ("network, bits", "chip", "code", "proven", "cores", "images", "ANN", "accuracy", "off NumPy's counts")
    more = ("off ONNX Runtime's", "latency, timesteps", "samples in 1,000 timesteps", "what binds, or why not")
    return table(
        (*columns, *more),
        (
            _on_chip(name, chip, code, row)
            for name, entry in results("chips").items()
            for chip, codes in entry["chips"].items()
            for code, row in codes.items()
        ),
    )


def _on_chip(name: str, chip: str, code: str, row: dict[str, Any]) -> tuple[object, ...]:
    head = (name, chip, f"`{code}`")
    if row["refused"]:
        return (*head, *[None] * 9, f"refused: {row['refused'].partition(': ')[2]}")
    ties = f" ({row['near_ties']} near-ties)" if row["near_ties"] else ""
    return (
        *head,
        "whole" if row["exact"] else f"{row['breakpoints']} breakpoints",
        f"{row['cores']:,} on {row['chips']}",
        f"{row['images']:,}",
        percent(row["ann_accuracy"]),
        percent(row["accuracy"]),
        f"{row['from_numpy']:,} of {row['counts']:,}",
        f"{row['from_onnx']:,}{ties}",
        row["latency"],
        f"{row['samples_per_1000_timesteps']:.0f}",
        row["binding"],
    )


def weight_bits() -> str:
    """Weights rounded to few bits, proven and measured."""
    columns = ("bits", "scale for each", "by", "largest error of a layer", "counts off by at most, one layer")
    more = ("counts that the rounding changes", "accuracy", "ANN", "same answer as the ANN", "proven")
    return table((*columns, *more), map(_rounded, results("weight_bits")["rows"]))


def _rounded(row: dict[str, Any]) -> tuple[object, ...]:
    measured = (percent(row["accuracy"]), percent(row["ann_accuracy"]), percent(row["same_answer"]))
    if row["bits"] is None:
        return ("real", *[None] * 5, *measured, "no: real arithmetic")
    bounds = [layer["counts"] for layer in row["layers"] if layer["counts"] is not None]
    shares = row["changed_counts"].values()
    return (
        row["bits"],
        row["scale"],
        row["search"],
        f"{max(layer['error'] for layer in row['layers']):.2g}",
        f"{max(bounds)} (seen {max(row['most_counts'].values())})",
        f"{100 * min(shares):.2g} to {100 * max(shares):.2g} %",
        *measured,
        f"{row['breakpoints']} as rounded",
    )


def weight_bits_chips() -> str:
    """The same weights on chips."""
    columns = ("chip", "input levels", "bits", "scale for each", "accuracy", "proven as rounded", "steps", "cores")
    return table(columns, map(_placed, results("weight_bits")["chips"]))


def _placed(row: dict[str, Any]) -> tuple[object, ...]:
    head = (row["chip"], row["input_levels"], row["bits"], row["scale"])
    if "refused" in row:
        return (*head, f"refused: {', '.join(sorted(set(RULE.findall(row['refused']))))}", *[None] * 3)
    return (*head, percent(row["accuracy"]), row["breakpoints"], row["steps"], row["cores"])


CALIBRATED = (("fashion_mnist", "Fashion-MNIST", (4, 8, 16)), ("mnist", "MNIST", (4, 8)))


def calibration() -> str:
    """Accuracy of calibrated float networks against levels, both data sets side by side."""
    found = results("calibration")
    places = [(name, steps) for name, _, times in CALIBRATED for steps in times]
    rows: dict[str, dict[tuple[str, int], str]] = {}
    for name, _, _ in CALIBRATED:
        for row in found[name]["rows"]:
            steps = "" if row["steps"] == row["levels"] else f" ({row['steps']})"
            rows.setdefault(_conversion(row), {})[name, row["levels"]] = f"{100 * row['accuracy']:.1f}{steps}"
        for row in found[name]["spikingjelly"]["rows"]:
            label = f"SpikingJelly {found[name]['spikingjelly']['version']}, rate coding, {row['mode']}"
            rows[label] = rows.get(label, {}) | {
                (name, int(steps)): f"{100 * accuracy:.1f}" for steps, accuracy in row["accuracy"].items()
            }
    columns = (f"{title}, {steps}" for _, title, times in CALIBRATED for steps in times)
    return table(("levels", *columns), ((label, *map(cells.get, places)) for label, cells in rows.items()))


def _conversion(row: dict[str, Any]) -> str:
    """How a row was converted, in the words of the command line."""
    method = "percentile 99.9" if row["method"] == "percentile" else row["method"]
    label = f"`{row['code']}`, {method}{', per channel' if row['per_channel'] else ''}"
    label += f" + `{row['correct']}`" if row["correct"] else ""
    label += f", `--calibrate-steps {row['before']}`" if row["before"] else ""
    return label + (", 8-bit weights and input: integer, **proven**" if row["whole"] else "")


TABLES: dict[str, Callable[[], str]] = {
    "real-models": real_models,
    "fast-snn": fast_snn,
    "fast-snn-whole": fast_snn_whole,
    "median": median,
    "rate-norm": rate_norm,
    "calibration": calibration,
    "codes": codes,
    "lenet": lenet,
    "median-spiking": median_spiking,
    "chips": chips,
    "weight-bits": weight_bits,
    "weight-bits-chips": weight_bits_chips,
}


def filled(text: str) -> str:
    """The page with all its tables anew."""
    return MARKED.sub(lambda found: f"<!-- {found[1]} -->\n{TABLES[found[1]]()}<!-- end -->\n", text)


def main() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if filled(text) != text:
            page.write_text(filled(text), encoding="utf-8")
            print(page.name)


if __name__ == "__main__":
    main()
