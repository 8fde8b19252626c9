"""Finding backends: built-in ones and those of other packages come through the same entry points."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from onnx2snn.errors import MissingExtraError, PluginError, UnknownNameError

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


def load_backend(name: str) -> Backend:
    """The backend of that name, imported and made.

    Raises `UnknownNameError` where there is none, `PluginError` where two packages claim the name or the code
    cannot be loaded, `MissingExtraError` where it needs a package that is not installed.
    """
    from onnx2snn.backends.base import Backend

    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        known = ", ".join(sorted({point.name for point in entry_points(group=GROUP)}))
        raise UnknownNameError(f"no backend {name!r}; known: {known or '(none: is onnx2snn installed?)'}")
    plugin = _described(points[0], points)
    if plugin.problem:
        raise PluginError(plugin.problem)
    try:
        kind = points[0].load()
        backend = kind() if isinstance(kind, type) and issubclass(kind, Backend) else None
    except Exception as error:
        raise _not_loaded(plugin, error) from error
    if backend is None:
        raise PluginError(f"backend {name!r} of {plugin.package}: {plugin.target} is no Backend class")
    return backend


def _described(point: EntryPoint, points: list[EntryPoint]) -> Plugin:
    dist = point.dist
    package, version = (dist.name, dist.version) if dist is not None else ("?", "?")
    rivals = {p.dist.name if p.dist is not None else "?": p.value for p in points if p.name == point.name}
    clash = ""
    if len(set(rivals.values())) > 1:
        claims = " and ".join(f"{owner} ({value})" for owner, value in sorted(rivals.items()))
        clash = f"backend {point.name!r} is claimed by {claims}; uninstall one of them"
    return Plugin(point.name, point.value, package, version, clash)


def _not_loaded(plugin: Plugin, error: BaseException) -> PluginError | MissingExtraError:
    if isinstance(error, MissingExtraError):
        return error
    owner = f"backend {plugin.name!r} of {plugin.package} {plugin.version}"
    return PluginError(f"{owner} cannot be loaded: {type(error).__name__}: {error}")
