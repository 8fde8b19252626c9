"""A recipe file: what to train and how, perhaps in stages of falling precision.

about = "one line"            source = "where the numbers come from"
arch = "alexnet"   data = "cifar10"   scheme = "fast-snn"   bits = [32, 4, 3, 2]
    options = { grid = "uniform" }   size = 24                      all of this line and the one above may be left out
[recipe]           the values of `Recipe`, for every stage
[stages.2]         what is different at 2 bits
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from onnx2snn.errors import InputError, UnknownNameError, UsageError, located
from onnx2snn.recipes.recipe import Recipe

Value = bool | int | float | str


class Plan(BaseModel):
    """A recipe file, checked. `bits` are the precisions to train in turn, each from the one before."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    about: str
    source: str = ""
    arch: str | None = None
    data: str | None = None
    scheme: str | None = None
    options: dict[str, Value] = Field(default_factory=dict)
    """of the scheme"""
    bits: tuple[int, ...] = ()
    size: int | None = None
    """side of the images, for data that comes in any"""
    recipe: dict[str, Any]
    stages: dict[int, dict[str, Any]] = Field(default_factory=dict)

    def at(self, bits: int, changes: Mapping[str, object] | None = None) -> Recipe:
        """The recipe at this precision, with `changes` on top. Raises `UsageError` where a value cannot be."""
        values = {**self.recipe, **self.stages.get(bits, {}), **(changes or {})}
        try:
            return Recipe.model_validate(values)
        except ValidationError as error:
            with located(f"recipe {self.name}"):
                raise UsageError(first_fault(error, tuple(Recipe.model_fields))) from None


def first_fault(error: ValidationError, known: tuple[str, ...]) -> str:
    """The first thing that is wrong, in one line."""
    fault = error.errors()[0]
    place = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "extra_forbidden":
        return f"one of {', '.join(known)} expected, found {place!r}"
    found = f", found {fault['input']!r}" if isinstance(fault["input"], bool | int | float | str) else ""
    return f"{place}: {fault['msg']}{found}" if place else fault["msg"]


@cache
def named_plans() -> dict[str, Plan]:
    """All recipes of the package, by name."""
    here = files("onnx2snn.recipes")
    texts = {
        entry.name.removesuffix(".toml"): entry.read_text("utf-8") for entry in here.iterdir() if _toml(entry.name)
    }
    return {name: _parse(name, texts[name]) for name in sorted(texts)}


def _toml(name: str) -> bool:
    return name.endswith(".toml")


def read_plan(name: str) -> Plan:
    """The recipe of that name, or the one in the file `name` (which ends in .toml)."""
    if not _toml(name):
        known = named_plans()
        if name not in known:
            raise UnknownNameError(f"a recipe (one of {', '.join(known)}) or a .toml file expected, found {name!r}")
        return known[name]
    try:
        text = Path(name).read_text("utf-8")
    except OSError as error:
        raise InputError(f"{name}: a recipe expected: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: a recipe in UTF-8 expected: {error}") from None
    return _parse(Path(name).stem, text)


def _parse(name: str, text: str) -> Plan:
    with located(f"recipe {name}"):
        try:
            plan = Plan.model_validate({"name": name, **tomllib.loads(text)})
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"TOML expected: {error}") from None
        except ValidationError as error:
            raise InputError(first_fault(error, tuple(Plan.model_fields))) from None
        if plan.bits and (left := sorted(plan.stages.keys() - set(plan.bits))):
            raise InputError(f"stages: some of bits ({_commas(plan.bits)}) expected, found {_commas(left)}")
    for bits in plan.stages or (32,):
        try:
            plan.at(bits)
        except UsageError as error:  # here it is the file that is wrong, not the command
            raise InputError(str(error)) from None
    return plan


def _commas(bits: Iterable[int]) -> str:
    return ", ".join(map(str, bits))
