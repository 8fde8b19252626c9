"""What a report writes and where; what is there already is left alone unless told otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from onnx2snn.artifact import replacing
from onnx2snn.errors import DataError, UsageError
from onnx2snn.extras import need
from onnx2snn.reporting.pictures import FORMATS, PICTURES, Format
from onnx2snn.reporting.tables import JSON, TABLES

if TYPE_CHECKING:
    from onnx2snn.reporting.facts import Report


@dataclass(frozen=True)
class Targets:
    """page: an HTML file.  pictures: a folder for pictures, each in `format`.  tables: a folder for JSON and CSV."""

    page: Path | None = None
    pictures: Path | None = None
    format: Format = "svg"
    tables: Path | None = None

    def check(self, force: bool) -> None:
        """Raises before any work where something is missing or would be lost."""
        if self.format not in FORMATS:
            raise UsageError(f"`format`: {' or '.join(FORMATS)} expected, found {self.format!r}")
        if self.page or self.pictures:
            need("a report with pictures", "matplotlib", "jinja2")
        for folder in (self.pictures, self.tables):
            if folder is not None and folder.exists() and not folder.is_dir():
                raise UsageError(f"{folder}: a folder expected, found a file")
        for path in self._possible():
            if not (path.parent if path == self.page else path.parent.absolute().parent).is_dir():
                raise DataError(f"{path}: a folder to write to expected, found none")
            if path.is_dir() or (path.exists() and not force):
                raise UsageError(f"{path}: is there already{'' if path.is_dir() else '; `force` replaces it'}")

    def write(self, facts: Report) -> list[Path]:
        """Writes everything, each file whole or not at all, and says what was written."""
        written: list[Path] = []
        for path, content in self._content(facts).items():
            _write(path, content)
            written.append(path)
        return written

    def _possible(self) -> list[Path]:
        pages = [] if self.page is None else [self.page]
        pictures = [] if self.pictures is None else [self.pictures / f"{p.name}.{self.format}" for p in PICTURES]
        tables = [] if self.tables is None else [self.tables / name for name in (JSON, *TABLES)]
        return [*pages, *pictures, *tables]

    def _content(self, facts: Report) -> dict[Path, bytes]:
        from onnx2snn.reporting.page import render
        from onnx2snn.reporting.pictures import files, inline
        from onnx2snn.reporting.tables import tables

        found: dict[Path, bytes] = {}
        if self.page is not None:
            found[self.page] = render(facts, inline(facts)).encode()
        if self.pictures is not None:
            found |= {self.pictures / name: content for name, content in files(facts, self.format).items()}
        if self.tables is not None:
            found |= {self.tables / name: content for name, content in tables(facts).items()}
        return found


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
    with replacing(path) as file:
        file.write(content)
