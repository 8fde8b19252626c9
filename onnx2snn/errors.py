"""Every error that onnx2snn raises on purpose.

    Onnx2SnnError
    ├── UsageError            wrong use of a command or function             (exit code 2)
    │   ├── UnknownNameError  no pass, code or backend of that name
    │   └── MissingExtraError an optional dependency is not installed
    ├── InputError            a file or array that cannot be taken           (exit code 1)
    │   ├── ModelError        an ONNX file that cannot be read
    │   │   └── UnsupportedOpError
    │   ├── DataError         a data file (.npz) that does not fit
    │   └── ArtifactError     a folder that is not a sound artifact
    ├── GraphError            a graph that breaks a rule of the IR           (exit code 1)
    │   ├── ConstraintError   a numbered constraint of one op
    │   └── TextError         IR text that does not parse
    ├── PassError             a pass cannot do its work on this graph        (exit code 1)
    ├── BackendError          a backend cannot take this network             (exit code 1)
    │   └── PluginError       a backend from elsewhere is broken
    └── InterruptedRunError   a command was stopped with Ctrl-C              (exit code 130)

The place that knows a location adds it with `located`; a message reads outside-in and ends with what was
expected and what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from onnx2snn.words import PARAMETER, option


class Onnx2SnnError(Exception):
    """Root of all errors raised on purpose; `str()` gives one line for the user.

    reasons: all that stands against something, where that is more than one thing; `summary` says against what.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, summary: str, reasons: Sequence[str] = ()) -> None:
        super().__init__(summary)
        self.summary, self.reasons = summary, tuple(reasons)
        self.path: tuple[str, ...] = ()

    @property
    def message(self) -> str:
        """All of it but the location."""
        return self._joined

    @property
    def _joined(self) -> str:
        return ": ".join(filter(None, [self.summary, "; ".join(self.reasons)]))

    def __str__(self) -> str:
        return self._placed(self.message)

    @property
    def lines(self) -> tuple[str, ...]:
        """For a terminal: one line, or one for the summary and one for each of several reasons."""
        if len(self.reasons) < 2:
            return (self._placed(self._joined),)
        first, *more = self.reasons
        summary = self._placed(self.summary).removesuffix(": ")
        return (f"{summary}:", first, *more) if summary else (first, *more)

    def _placed(self, text: str) -> str:
        return f"{' > '.join(self.path)}: {text}" if self.path else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.summary, self.reasons, self.path)


def _rebuild(kind: type[Onnx2SnnError], summary: str, reasons: tuple[str, ...], path: tuple[str, ...]) -> Onnx2SnnError:
    error = kind(summary, reasons)
    error.path = path
    return error


class UsageError(Onnx2SnnError):
    """The command or function was called in a way that can never work.

    Parameters stand in backquotes in the text that it is made of, "`calibrate_steps`: ...": `str` names them as Python
    does, `lines` as the options of the command line.
    """

    exit_code = 2

    @property
    def message(self) -> str:
        return PARAMETER.sub(r"\1", self._joined)

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(PARAMETER.sub(lambda found: option(found[1]), line) for line in super().lines)


class UnknownNameError(UsageError):
    """No pass, code or backend of that name."""


class MissingExtraError(UsageError):
    """An optional dependency is needed; the message names the extra to install."""


class InputError(Onnx2SnnError):
    """Something the user gave cannot be taken."""


class ModelError(InputError):
    """The ONNX file is missing, broken or outside what is understood."""


class UnsupportedOpError(ModelError):
    """The ONNX file holds nodes that no rule reads; the message lists them all."""


class DataError(InputError):
    """A data file does not hold what the network needs."""


class ArtifactError(InputError):
    """A folder is not an artifact, or one that has been damaged."""


class GraphError(Onnx2SnnError):
    """A graph breaks a rule of the IR."""


class ConstraintError(GraphError):
    """A numbered constraint of an op does not hold."""


class TextError(GraphError):
    """IR text that does not parse; the message gives line and column."""


class PassError(Onnx2SnnError):
    """A pass cannot do its work on this graph."""


class BackendError(Onnx2SnnError):
    """A backend cannot take this network."""


class PluginError(BackendError):
    """A backend from another package cannot be loaded or clashes with one that is there."""


class InterruptedRunError(Onnx2SnnError):
    """The user stopped a command; the message says what is kept. Python's own callers see `KeyboardInterrupt`."""

    exit_code = 130


class located:
    """Adds `place` in front of the location of every onnx2snn error that passes through, put in words only then."""

    def __init__(self, place: object) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Onnx2SnnError):
            error.path = (str(self._place), *error.path)
