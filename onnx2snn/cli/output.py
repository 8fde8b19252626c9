"""What commands share: JSON, tables and progress bars."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from onnx2snn.errors import InterruptedRunError, UsageError

if TYPE_CHECKING:
    from onnx2snn.backends.base import Footprint
    from onnx2snn.reporting.facts import Placement

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
ProgressCallback = Callable[[int, int], None]


def print_json(value: dict[str, Any]) -> None:
    """One JSON object on standard output."""
    print(json.dumps(value, indent=2, default=_plain))


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "tolist"):
        return value.tolist()  # type: ignore[attr-defined]
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table on standard output; plain columns where it is no terminal."""
    texts = [[_cell(value) for value in row] for row in rows]
    if not sys.stdout.isatty():
        widths = [max(len(row[i]) for row in [list(columns), *texts]) for i in range(len(columns))]
        for row in [list(columns), *texts]:
            print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in texts:
        table.add_row(*(Text(text) for text in row))
    Console().print(table)


def print_footprint(found: Footprint | Placement) -> None:
    """What an artifact takes of a chip: a table and sentences."""
    print_table(found.title, found.columns, found.rows)
    for sentence in found.sentences:
        print(sentence)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


@contextmanager
def progress(label: str) -> Generator[ProgressCallback | None]:
    """A progress bar with an estimate on standard error, where that is a terminal; else None."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    with bars:
        task = bars.add_task(label, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


@contextmanager
def interruptible() -> Generator[None]:
    """Makes Ctrl-C an error whose line says what is kept."""
    try:
        yield
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(str(stop) or "interrupted") from None


def numbers(option: str, text: str | None) -> tuple[float, ...]:
    """The numbers in a text like `0.1,0.2`; none without a text. Raises `UsageError`."""
    try:
        return tuple(float(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise UsageError(f"{option}: numbers like 0.1,0.2 expected, found {text!r}") from None


def print_notes(notes: Iterable[str]) -> None:
    """What the user should know beside the result, a line each on standard error."""
    for note in notes:
        print(f"onnx2snn: {note}", file=sys.stderr)


def percent(share: float | None) -> str:
    """A share as a percentage, or a dash."""
    return "-" if share is None else f"{100 * share:.2f} %"
