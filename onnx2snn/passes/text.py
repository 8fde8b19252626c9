"""Recipes as text: `fold-batchnorm, map-neurons{code="if", steps=7}`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from onnx2snn.errors import UnknownNameError, UsageError
from onnx2snn.passes.base import Pass, Recipe
from onnx2snn.passes.options import options_of, parse_options

_NAME = re.compile(r"\s*([a-z][a-z0-9-]*)\s*")


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
        options, rest = parse_options(f"pass {name}", options_of(PASSES[name]), rest[1:])
    return PASSES[name](**options), rest.strip()
