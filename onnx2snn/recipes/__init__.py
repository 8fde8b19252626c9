"""Recipes: how to train, as values that are checked once; the published ones lie beside this file as TOML."""

from onnx2snn.recipes.plan import Plan, named_plans, read_plan
from onnx2snn.recipes.recipe import Recipe

__all__ = ["Plan", "Recipe", "named_plans", "read_plan"]
