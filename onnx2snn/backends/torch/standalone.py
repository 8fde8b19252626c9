"""The text of the runtime as part of one file: its modules one after the other, without their own imports."""

from __future__ import annotations

import ast
from pathlib import Path

RUNTIME = Path(__file__).parent / "runtime"
MODULES = ("arithmetic", "signals", "synapses", "neurons", "network")  #: each uses only those before it
PACKAGE = "onnx2snn"


def runtime_text() -> str:
    """Imports from the standard library and torch, then the modules of the runtime under a heading each."""
    imports: list[ast.Import | ast.ImportFrom] = []
    bodies: list[str] = []
    for name in MODULES:
        found, body = split((RUNTIME / f"{name}.py").read_text(encoding="utf-8"))
        imports += found
        bodies.append(f"# -- {name} {'-' * (106 - len(name))}\n\n{body}")
    return f"{import_lines(imports)}\n\n" + "\n\n".join(bodies).rstrip()


def split(source: str) -> tuple[list[ast.Import | ast.ImportFrom], str]:
    """The import statements of a module but for those of this package, and what stands after them."""
    statements = [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
    body = "\n".join(source.splitlines()[statements[-1].end_lineno :]).strip("\n")
    return [node for node in statements if PACKAGE not in ast.unparse(node)], body + "\n"


def import_lines(statements: list[ast.Import | ast.ImportFrom]) -> str:
    """Import statements in order and without repetition: `__future__`, the standard library, torch."""
    lines = {ast.unparse(node) for node in statements if isinstance(node, ast.Import)}
    names: dict[str, set[str]] = {}
    for node in statements:
        if isinstance(node, ast.ImportFrom):
            names.setdefault(str(node.module), set()).update(alias.name for alias in node.names)
    lines |= {f"from {module} import {', '.join(sorted(found))}" for module, found in names.items()}

    def room(line: str) -> int:
        return 0 if "__future__" in line else 2 if "torch" in line else 1

    ordered = sorted(lines, key=lambda line: (line.startswith("from"), line))
    return "\n\n".join("\n".join(line for line in ordered if room(line) == i) for i in range(3))
