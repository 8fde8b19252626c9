"""`onnx2snn passes`: the passes and their options."""

from __future__ import annotations

from onnx2snn.cli.output import Json, print_json, print_table

NAME = "passes"


def command(as_json: Json = False) -> None:
    """List the passes, in the order in which they are used."""
    from onnx2snn.passes import PASSES
    from onnx2snn.passes.options import options_of

    found = [
        {"name": name, "options": options_of(kind), "summary": (kind.__doc__ or "").strip().splitlines()[0]}
        for name, kind in PASSES.items()
    ]
    if as_json:
        print_json({"passes": found})
        return
    rows = [(f["name"], ", ".join(f"{k}={v}" for k, v in dict(f["options"]).items()), f["summary"]) for f in found]
    print_table("passes", ("pass", "options", "what it does"), rows)
