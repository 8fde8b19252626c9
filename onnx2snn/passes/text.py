"""Recipes as text: `fold-batchnorm, map-neurons{code="if", steps=7}`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.passes.base import Pass, Recipe, options_of

_NAME = re.compile(r"\s*([a-z][a-z0-9-]*)\s*")
_KEY = re.compile(r"\s*([a-z_]+)\s*=\s*")


def print_recipe(recipe: Sequence[Pass]) -> str:
    """The text of a recipe; `parse_recipe` reads it back."""
    return ", ".join(str(step) for step in recipe)


def parse_recipe(text: str) -> Recipe:
    """The recipe that `text` names; values are JSON. Raises `UsageError` saying what is wrong and what is known."""
    steps: list[Pass] = []
    rest = text.strip()
    while rest:
        step, rest = _step(rest)
        steps.append(step)
        if rest and not rest.startswith(","):
            raise UsageError(f"passes: ',' expected before {rest[:20]!r}")
        rest = rest[1:].strip()
    return tuple(steps)


def _step(text: str) -> tuple[Pass, str]:
    from onnx2snn.passes import PASSES

    match = _NAME.match(text)
    if match is None:
        raise UsageError(f"passes: the name of a pass expected, found {text[:20]!r}")
    name, rest = match.group(1), text[match.end() :]
    if name not in PASSES:
        raise UnknownNameError(f"no pass {name!r}; known: {', '.join(PASSES)}")
    options: dict[str, Any] = {}
    if rest.startswith("{"):
        options, rest = _options(name, rest[1:])
    return PASSES[name](**options), rest.strip()


def _options(name: str, text: str) -> tuple[dict[str, Any], str]:
    from onnx2snn.passes import PASSES

    known = options_of(PASSES[name])
    options: dict[str, Any] = {}
    while not text.lstrip().startswith("}"):
        match = _KEY.match(text)
        if match is None or match.group(1) not in known:
            raise UsageError(
                f"pass {name}: one of the options {', '.join(known) or '(none)'} expected at {text[:20]!r}"
            )
        try:
            value, end = json.JSONDecoder().raw_decode(text, match.end())
        except ValueError:
            raise UsageError(f"pass {name}: a JSON value expected at {text[match.end() :][:20]!r}") from None
        options[match.group(1)] = _checked(name, match.group(1), value, known[match.group(1)])
        text = text[end:].lstrip()
        if text.startswith(","):
            text = text[1:]
        elif not text.startswith("}"):
            raise UsageError(f"pass {name}: '}}' expected at the end of its options")
    return options, text.lstrip()[1:]


def _checked(name: str, key: str, value: Any, default: Any) -> Any:
    if default is not None and type(value) is not type(default):
        raise UsageError(f"pass {name}: {key} takes a {type(default).__name__}, found {json.dumps(value)}")
    return value
