"""How long the package and its command take to start, as ratios to a bare Python interpreter.

    python benchmarks/startup.py

writes benchmarks/results/startup.json. Whole processes, interleaved, medians.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from interleaved import ratios

RESULT = Path(__file__).parent / "results" / "startup.json"
CALL = "import sys; sys.argv = ['onnx2snn', '{}']; from onnx2snn.__main__ import main; main()"
COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import onnx2snn": ["-c", "import onnx2snn"],
    "onnx2snn --help": ["-c", CALL.format("--help")],
    "import numpy": ["-c", "import numpy"],
    "import onnx, onnxruntime": ["-c", "import onnx, onnxruntime"],
    "onnx2snn demo": ["-c", CALL.format("demo")],
}


def main() -> None:
    def command(arguments: list[str]) -> object:
        return subprocess.run([sys.executable, *arguments], capture_output=True, check=True)

    runs = {name: lambda a=arguments: command(a) for name, arguments in COMMANDS.items()}
    found = {"command": "python benchmarks/startup.py", "base": "python -c pass", "rounds": 9}
    result = {**found, "measured": ratios(runs, "python -c pass", rounds=9)}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
