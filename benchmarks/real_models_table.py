"""The results of real_models.py as the table of docs/real-models.md.

    python benchmarks/real_models_table.py

writes the rows between the two marks of that page.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
RESULT = ROOT / "results" / "real_models.json"
PAGE = ROOT.parent / "docs" / "real-models.md"
BEGIN, END = "<!-- table -->\n", "<!-- end -->\n"
HEAD = (
    "| file | dialect | nodes | T | proven | samples | same answer | counts that differ (worst) | output error | "
    "seconds | MB |\n|---|---|---|---|---|---|---|---|---|---|---|\n"
)


def table(found: dict[str, Any]) -> str:
    """The rows as Markdown."""
    return HEAD + "".join(_row(name, row) for name, row in found["models"].items())


def _row(name: str, row: dict[str, Any]) -> str:
    if not row.get("converted"):
        why = row.get("failed") or row.get("reason", "")
        return f"| {name} | {_dialects(row)} | {_nodes(row)} | | {why} | | | | | | |\n"
    calibrated = " (calibrated)" if row["calibrated"] else ""
    whole = "yes" if row["proven_exact"] else "no"
    head = (
        f"| {name} | {_dialects(row)}{calibrated} | {_nodes(row)} | {row['steps']} | {whole}: {row['certificate']} | "
    )
    tail = f" | {row['seconds']} | {row['peak_mb']} |\n"
    if "not_compared" in row:
        return f"{head}not run: {row['not_compared']} | | |{tail}"
    agreement = "" if row["argmax_agreement"] is None else f"{row['argmax_agreement']:.1%}"
    differing = f"{row['differing']:,} of {row['counts']:,} ({row['largest_count_difference']})"
    return f"{head}{row['samples']} | {agreement} | {differing} | {row['largest_output_error']:.2g}{tail}"


def _dialects(row: dict[str, Any]) -> str:
    return ", ".join(row.get("dialects", [])) or "float"


def _nodes(row: dict[str, Any]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in row.get("nodes", {}).items())


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = table(json.loads(RESULT.read_text(encoding="utf-8")))
    PAGE.write_text(f"{before}{BEGIN}{rows}{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
