"""Options that say how a NIR file's continuous time becomes steps."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

Dt = Annotated[
    Optional[float],  # noqa: UP045  typer reads the annotation
    typer.Option(
        help="NIR files: length of a step, in the unit of their time constants; by default what the file says, "
        "or 0.0001.",
        show_default=False,
    ),
]
Integrator = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(help="NIR files: how a step leaks, euler (default) or exponential.", show_default=False),
]
