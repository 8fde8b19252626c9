"""Reading a model file, whatever it is: an ONNX network, or a trained spiking one in NIR."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnx2snn.errors import ArtifactError, UsageError
from onnx2snn.frontends.onnx import read_onnx
from onnx2snn.frontends.reading import Reading
from onnx2snn.ir import Graph
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes.options import options_of, parse_options

if TYPE_CHECKING:
    from onnx2snn.frontends.nir import Discretisation

HDF5 = b"\x89HDF\r\n\x1a\n"  #: how such a file begins


def is_nir(path: Path) -> bool:
    """Whether a file is one of NIR: by its name, or by how it begins."""
    if path.suffix.lower() == ".nir":
        return True
    try:
        with path.open("rb") as file:
            return file.read(len(HDF5)) == HDF5
    except OSError:
        return False


def is_spiking(graph: Graph) -> bool:
    """Whether a model came with neurons of its own."""
    return bool(graph.of(Neuron))


def discretisation(path: Path, dt: float | None, reset: str | None, integrator: str | None) -> Discretisation | None:
    """How a NIR file is to be read, as far as the user says; None for an ONNX file, which has steps of its own.

    Raises `UsageError` for what there is not, and for a dt or an integrator of an ONNX file.
    """
    if not is_nir(path):
        if (dt, integrator) != (None, None):
            raise UsageError("`dt`, `integrator`: go with NIR files, whose time is continuous; found an ONNX file")
        return None
    from onnx2snn.frontends.nir import Discretisation

    if dt == 0:
        raise UsageError("`dt`: a positive length of a step expected, found 0")
    return Discretisation(dt or 0.0, reset or "", integrator or "euler")


def read_model(path: Path, how: Discretisation | None = None) -> Reading:
    """Reads a model file; `how`: of a NIR file, how its continuous time becomes steps. Raises what frontends raise."""
    if is_nir(path):
        from onnx2snn.frontends.nir import read_nir

        return read_nir(path, how)
    return read_onnx(path)


def read_again(path: Path, settings: str) -> Reading:
    """Reads a model file as it was read before: `settings` is what the manifest says of that, "" where nothing."""
    if not (settings and is_nir(path)):
        return read_model(path)
    from onnx2snn.frontends.nir import Discretisation

    try:
        options, _ = parse_options("nir", options_of(Discretisation), settings.removeprefix("nir{"))
        return read_model(path, Discretisation(**options))
    except UsageError as error:
        raise ArtifactError(f"its manifest: {error}") from error
