"""The report as a user asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from onnx2snn.errors import UsageError
from onnx2snn.flow.paths import as_path
from onnx2snn.reporting.facts import Report
from onnx2snn.reporting.gather import Stage, Wanted, gather
from onnx2snn.reporting.pictures import Format
from onnx2snn.reporting.targets import Targets


def report(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    data: str | Path | None = None,
    model: str | Path | None = None,
    sample: int = 0,
    drops: Sequence[float] = (),
    pictures: str | Path | None = None,
    format: Format = "svg",
    tables: str | Path | None = None,
    force: bool = False,
    stage: Stage = lambda name: None,
) -> Report:
    """Reports on an artifact: writes what is asked for and returns the facts.

    out: the HTML page to write.  data: samples to run (see `onnx2snn.simulate`).  model: the file that was converted,
    to prove and measure against.  sample: which of the samples, from 0, is shown spike by spike.
    drops: probabilities to lose every spike with, each tried three times; go with samples.
    pictures, format: a folder for the pictures as `png` or `svg` files.  tables: a folder for JSON and CSV files.
    stage(name) is called as each part of the work begins and returns what to tell its progress, or None.
    Raises `UsageError` where a file is there already (unless `force`), `MissingExtraError` without the extra `report`
    where a page or pictures are asked for, and what `verify` and `simulate` raise.
    """
    targets = Targets(_path("out", out), _path("pictures", pictures), format, _path("tables", tables))
    if drops and data is None:
        raise UsageError("`drops`: goes with samples (`data`), which are run with spikes lost; found none")
    targets.check(force)
    facts = gather(
        Wanted(as_path("folder", folder), _path("data", data), _path("model", model), sample, tuple(drops)), stage
    )
    targets.write(facts)
    return facts


def _path(parameter: str, given: str | Path | None) -> Path | None:
    return None if given is None else as_path(parameter, given)
