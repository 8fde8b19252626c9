"""Finding backends: built-in ones and those of other packages come through the same entry points."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from onnx2snn.errors import PluginError, UnknownNameError, UsageError
from onnx2snn.extras import absent, lacking
from onnx2snn.passes.options import options_of, parse_options

if TYPE_CHECKING:
    from onnx2snn.backends.base import Backend

GROUP = "onnx2snn.backends"


@dataclass(frozen=True)
class Plugin:
    """One registered backend: its name, where its code is, and what is wrong with it, if anything."""

    name: str
    target: str
    package: str
    version: str
    problem: str = ""


def plugins() -> tuple[Plugin, ...]:
    """All registered backends by name, without importing any; names claimed twice are marked."""
    points = sorted(entry_points(group=GROUP), key=lambda p: (p.name, p.value))
    return tuple(_described(point, points) for point in points)


def load_backend(text: str) -> Backend:
    """The backend of that name, imported and made, with options as in `loihi{chip="loihi2"}` where they are given.

    Raises `UnknownNameError` where there is none, `UsageError` for options that it has not, `PluginError` where two
    packages claim the name or the code cannot be loaded, `MissingExtraError` where it needs a package that is not
    installed.
    """
    from onnx2snn.backends.base import Backend

    name, brace, options = text.partition("{")
    name = name.strip()
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = ", ".join(sorted({point.name for point in entry_points(group=GROUP)}))
        hint = "a backend of another package is known once that is installed: pip install PACKAGE"
        raise UnknownNameError(f"no backend {name!r}; known: {known or '(none: is onnx2snn installed?)'}; {hint}")
    plugin = _described(points[0], points)
    if plugin.problem:
        raise PluginError(plugin.problem)
    try:
        kind: Any = points[0].load()
        fits = isinstance(kind, type) and issubclass(kind, Backend)
        backend: Backend | None = kind(**(_options(name, kind, options) if brace else {})) if fits else None
    except UsageError:
        raise
    except Exception as error:
        owner = f"backend {plugin.name!r} of {plugin.package} {plugin.version}"
        raise PluginError(f"{owner} cannot be loaded: {type(error).__name__}: {error}{_hint(error)}") from error
    if backend is None:
        raise PluginError(f"backend {name!r} of {plugin.package}: {plugin.target} is no Backend class")
    return backend


def _hint(error: Exception) -> str:
    """What to install, where a package is missing that is none of the plugin's own."""
    package = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    return f"; it {lacking([package])}" if package and absent([package]) else ""


def _options(name: str, kind: Any, text: str) -> dict[str, Any]:
    options, rest = parse_options(f"backend {name}", options_of(kind), text)
    if rest.strip():
        raise UsageError(f"backend {name}: nothing more expected behind its options, found {rest[:20]!r}")
    return options


def _described(point: EntryPoint, points: list[EntryPoint]) -> Plugin:
    dist = point.dist
    package, version = (dist.name, dist.version) if dist is not None else ("?", "?")
    rivals = {p.dist.name if p.dist is not None else "?": p.value for p in points if p.name == point.name}
    clash = ""
    if len(set(rivals.values())) > 1:
        claims = " and ".join(f"{owner} ({value})" for owner, value in sorted(rivals.items()))
        clash = f"backend {point.name!r} is claimed by {claims}; uninstall one of them"
    return Plugin(point.name, point.value, package, version, clash)
