"""`onnx2snn ops`: what is read of ONNX and NIR files."""

from __future__ import annotations

from textwrap import fill

from onnx2snn.cli.output import Json, print_json

NAME = "ops"


def command(as_json: Json = False) -> None:
    """List the ONNX ops and NIR nodes that are read."""
    from onnx2snn.frontends.nir import RULES
    from onnx2snn.frontends.onnx import known_ops

    onnx, nir = known_ops(), sorted({*RULES, "Output"})
    if as_json:
        print_json({"onnx": onnx, "nir": nir})
        return
    for kind, names in (("ONNX", onnx), ("NIR", nir)):
        print(fill(f"{kind} ({len(names)}): {', '.join(names)}", width=100, subsequent_indent="  "))
