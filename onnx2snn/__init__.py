"""onnx2snn turns a quantised ONNX network into a spiking neural network that provably computes the same thing.

    import onnx2snn

    net = onnx2snn.convert("model.onnx", code="st-bif")
    net.certificate.exact            # proven equal to the quantised network?
    net.simulate(x).output           # NumPy simulation, in the units of the model's output
    net.save("out/", backend="loihi")

Names are loaded when first used: importing the package loads neither torch nor onnx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from onnx2snn.version import __version__

if TYPE_CHECKING:
    from onnx2snn.artifact import Manifest, Network
    from onnx2snn.backends.base import Backend
    from onnx2snn.errors import Onnx2SnnError
    from onnx2snn.flow.conversion.calibration import Calibration
    from onnx2snn.flow.conversion.convert import Conversion, convert
    from onnx2snn.flow.evaluation.simulate import Simulation, simulate
    from onnx2snn.flow.inspection.inspect import inspect
    from onnx2snn.flow.inspection.report import Inspection
    from onnx2snn.flow.verification.verify import Verification, verify
    from onnx2snn.ir import Graph
    from onnx2snn.reporting import Report, report

_HOMES = {
    "Backend": "onnx2snn.backends.base",
    "Calibration": "onnx2snn.flow.conversion.calibration",
    "Conversion": "onnx2snn.flow.conversion.convert",
    "Graph": "onnx2snn.ir",
    "Inspection": "onnx2snn.flow.inspection.report",
    "Manifest": "onnx2snn.artifact",
    "Network": "onnx2snn.artifact",
    "Onnx2SnnError": "onnx2snn.errors",
    "Report": "onnx2snn.reporting.facts",
    "Simulation": "onnx2snn.flow.evaluation.simulate",
    "Verification": "onnx2snn.flow.verification.verify",
    "convert": "onnx2snn.flow.conversion.convert",
    "inspect": "onnx2snn.flow.inspection.inspect",
    "report": "onnx2snn.reporting.write",
    "simulate": "onnx2snn.flow.evaluation.simulate",
    "verify": "onnx2snn.flow.verification.verify",
}

__all__ = [
    "Backend",
    "Calibration",
    "Conversion",
    "Graph",
    "Inspection",
    "Manifest",
    "Network",
    "Onnx2SnnError",
    "Report",
    "Simulation",
    "Verification",
    "__version__",
    "convert",
    "inspect",
    "report",
    "simulate",
    "verify",
]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'onnx2snn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
