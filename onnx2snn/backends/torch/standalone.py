"""The text of the runtime as part of one file: the modules that are needed, without their own imports."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from pathlib import Path

RUNTIME = Path(__file__).parent / "runtime"
PACKAGE = "onnx2snn"

#: The modules of the runtime; each uses only those before it.
MODULES = (
    "arithmetic",
    "rounding",
    "signals",
    "windows",
    "synapses",
    "moves",
    "joins",
    "pools",
    "neurons",
    "ends",
    "quantisers",
    "functions",
    "network",
)


def runtime_text(kinds: Iterable[str]) -> str:
    """Imports from the standard library and torch, then, under a heading each, the modules that these layers need.

    kinds: names of layer classes. Every network needs the module `network`.
    """
    imports: list[ast.Import | ast.ImportFrom] = []
    bodies: list[str] = []
    sources = {name: (RUNTIME / f"{name}.py").read_text(encoding="utf-8") for name in MODULES}
    for name in needed(set(kinds), sources):
        found, body = split(sources[name])
        imports += found
        bodies.append(f"# -- {name} {'-' * (106 - len(name))}\n\n{body}")
    return f"{import_lines(imports)}\n\n" + "\n\n".join(bodies).rstrip()


def needed(kinds: set[str], sources: dict[str, str]) -> list[str]:
    """Names of the modules that define classes of these kinds, and of those that they import, in order."""
    found: list[str] = ["network"]
    for name in reversed(MODULES):
        tree = ast.parse(sources[name])
        defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        if name in found or defined & kinds:
            imported = [str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)]
            found += [name, *(module.rpartition(".")[2] for module in imported if module.startswith(PACKAGE))]
    return [name for name in MODULES if name in found]


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
