"""Options as text: `name{key=value, ...}` for a dataclass whose fields are its options; values are JSON."""

from __future__ import annotations

import json
import re
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Literal, get_args, get_origin, get_type_hints

from onnx2snn.errors import UsageError

_KEY = re.compile(r"\s*([a-z_][a-z0-9_]*)\s*=\s*")


def options_of(kind: type) -> dict[str, Any]:
    """The options of a class with their defaults; none where it is no dataclass."""
    if not is_dataclass(kind):
        return {}
    return {field.name: None if field.default is MISSING else field.default for field in fields(kind)}


def choices_of(kind: type) -> dict[str, tuple[Any, ...]]:
    """The values of each option of a class that has a few it can have, as `Literal` says in its annotation."""
    try:
        hints = get_type_hints(kind)
    except NameError:  # names that only a type checker sees
        return {}
    return {name: get_args(hints[name]) for name in options_of(kind) if get_origin(hints[name]) is Literal}


def with_options(name: str, instance: object) -> str:
    """The name, with the options that differ from their defaults."""
    found = [
        f"{key}={json.dumps(getattr(instance, key))}"
        for key, default in options_of(type(instance)).items()
        if getattr(instance, key) != default
    ]
    return f"{name}{{{', '.join(found)}}}" if found else name


def parse_options(what: str, known: dict[str, Any], text: str) -> tuple[dict[str, Any], str]:
    """The options in `text`, which follows an opening brace, and what follows the closing one.

    what: whose they are, for messages.  known: options with defaults.  Raises `UsageError`.
    """
    options: dict[str, Any] = {}
    while not text.lstrip().startswith("}"):
        match = _KEY.match(text)
        if match is None or match.group(1) not in known:
            if not known:
                raise UsageError(f"{what} has no options, found {text.rstrip('}')[:20]!r}")
            raise UsageError(f"{what}: one of the options {', '.join(known)} expected at {text[:20]!r}")
        try:
            value, end = json.JSONDecoder().raw_decode(text, match.end())
        except ValueError:
            raise UsageError(f"{what}: a JSON value expected at {text[match.end() :][:20]!r}") from None
        options[match.group(1)] = _checked(what, match.group(1), value, known[match.group(1)])
        text = text[end:].lstrip()
        if text.startswith(","):
            text = text[1:]
        elif not text.startswith("}"):
            raise UsageError(f"{what}: '}}' expected at the end of its options")
    return options, text.lstrip()[1:]


def _checked(what: str, key: str, value: Any, default: Any) -> Any:
    if type(default) is float and type(value) is int:
        return float(value)
    if default is not None and type(value) is not type(default):
        raise UsageError(f"{what}: {key} takes a {type(default).__name__}, found {json.dumps(value)}")
    return value
