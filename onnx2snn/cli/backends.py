"""`onnx2snn backends`: what is installed, and what of it does not work."""

from __future__ import annotations

from typing import Any

from onnx2snn.cli.output import Json, print_json, print_table

NAME = "backends"


def command(as_json: Json = False) -> None:
    """List the backends, built in and from other packages."""
    from onnx2snn.plugins import plugins

    found = [_described(plugin.name, plugin.package, plugin.version) for plugin in plugins()]
    if as_json:
        print_json({"backends": found})
        return
    columns = ("name", "package", "version", "codes", "arithmetic", "summary")
    print_table("backends", columns, [tuple(entry[column] for column in columns) for entry in found])


def _described(name: str, package: str, version: str) -> dict[str, Any]:
    from onnx2snn.errors import Onnx2SnnError
    from onnx2snn.plugins import load_backend

    entry: dict[str, Any] = {"name": name, "package": package, "version": version, "codes": "", "arithmetic": ""}
    try:
        backend = load_backend(name)
    except Onnx2SnnError as error:
        return {**entry, "summary": f"unusable: {error}", "usable": False}
    codes, arithmetic = ", ".join(backend.codes), ", ".join(backend.arithmetic)
    return {**entry, "codes": codes, "arithmetic": arithmetic, "summary": backend.summary, "usable": True}
