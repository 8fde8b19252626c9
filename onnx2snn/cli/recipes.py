"""`onnx2snn recipes`: the recipes that `train` knows."""

from __future__ import annotations

from onnx2snn.cli.output import Json, print_json, print_table

NAME = "recipes"


def command(as_json: Json = False) -> None:
    """List the recipes that train can follow."""
    from onnx2snn.recipes import named_plans

    plans = named_plans()
    if as_json:
        print_json({"recipes": [plan.model_dump() for plan in plans.values()]})
        return
    rows = [(p.name, p.arch, p.data, p.scheme, ",".join(map(str, p.bits)), p.about) for p in plans.values()]
    print_table("recipes", ("name", "arch", "data", "scheme", "bits", "about"), rows)
