"""`onnx2snn backends`: what is installed, and what of it does not work."""

from __future__ import annotations

import json
from inspect import getdoc
from sys import modules
from typing import TYPE_CHECKING, Annotated, Any, Optional

import typer

from onnx2snn.cli.output import Json, print_json, print_table

if TYPE_CHECKING:
    from pydantic import BaseModel

NAME = "backends"


def command(
    schema: Annotated[
        Optional[str],  # noqa: UP045  typer reads the annotation
        typer.Option(metavar="NAME", help="Print the JSON schemas of the files that this backend writes."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the backends, built in and from other packages."""
    from onnx2snn.plugins import load_backend, plugins

    if schema is not None:
        print_json({file: _schema(form) for file, form in load_backend(schema).formats().items()})
        return
    found = [_described(plugin.name, plugin.package, plugin.version) for plugin in plugins()]
    if as_json:
        print_json({"backends": found})
        return
    columns = ("name", "package", "version", "codes", "arithmetic", "options", "summary")
    print_table("backends", columns, [tuple(_text(entry[column]) for column in columns) for entry in found])


def _schema(form: type[BaseModel]) -> dict[str, Any]:
    """A JSON schema; `arrays` says what stands in the file of arrays beside it."""
    return {"arrays": getdoc(modules[form.__module__]), "schema": form.model_json_schema()}


def _text(value: str | list[str] | dict[str, Any]) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_values(option)}" for name, option in value.items())
    return value if isinstance(value, str) else ", ".join(value)


def _values(option: dict[str, Any]) -> str:
    """The default of an option, and what else it can be."""
    default = json.dumps(option["default"])
    others = [json.dumps(value) for value in option["choices"] if value != option["default"]]
    return " | ".join([default, *others])


def _options(kind: type) -> dict[str, Any]:
    from onnx2snn.passes.options import choices_of, options_of

    choices = choices_of(kind)
    return {
        name: {"default": default, "choices": list(choices.get(name, ()))} for name, default in options_of(kind).items()
    }


def _described(name: str, package: str, version: str) -> dict[str, Any]:
    from onnx2snn.errors import Onnx2SnnError
    from onnx2snn.extras import absent, lacking
    from onnx2snn.plugins import load_backend

    entry: dict[str, Any] = {"name": name, "package": package, "version": version}
    entry |= {"codes": [], "arithmetic": [], "options": {}}
    try:
        backend = load_backend(name)
    except Onnx2SnnError as error:
        return {**entry, "summary": f"unusable: {error}", "usable": False}
    missing = absent(backend.needs)
    summary = f"unusable: {lacking(missing)}" if missing else backend.summary
    known = {"codes": list(backend.codes), "arithmetic": list(backend.arithmetic), "options": _options(type(backend))}
    return {**entry, **known, "summary": summary, "usable": not missing}
