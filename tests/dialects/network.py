"""The builder that every dialect shares, and the table of dialects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from models import Array, ModelBuilder
from onnx import TensorProto, helper

IMAGE: tuple[int | str, ...] = ("N", 2, 6, 6)
Grid = tuple[str, str]  #: names of scale and zero point
Opsets = tuple[tuple[str, int], ...]
Becomes = Literal["exact", "analog", "refused"]


class Network(ModelBuilder):
    """A model builder with the words of the dialects; every method returns the name of the tensor it makes."""

    def grid(self, scale: Any, zero: Any = 0, kind: Any = np.uint8) -> Grid:
        """Scale and zero point, one zero point for each scale."""
        return self.constant(scale), self.constant(np.broadcast_to(zero, np.shape(scale)), kind)

    def codes(self, x: str, grid: Grid, **attributes: Any) -> str:
        return self.node("QuantizeLinear", x, *grid, **attributes)

    def back(self, codes: str, grid: Grid, **attributes: Any) -> str:
        return self.node("DequantizeLinear", codes, *grid, **attributes)

    def qdq(self, x: str, grid: Grid, **attributes: Any) -> str:
        return self.back(self.codes(x, grid, **attributes), grid, **attributes)

    def real(self, *shape: int, spread: float = 0.4) -> str:
        """Random real numbers."""
        return self.constant(self.rng.normal(0, spread, shape))

    def whole(self, *shape: int, top: int = 127, kind: Any = np.int8) -> str:
        """Random integers from -top to top."""
        return self.constant(self.rng.integers(-top, top + 1, shape), kind)

    def scales(self, count: int, about: float = 0.004) -> Array:
        """A scale for each output channel."""
        return self.rng.uniform(0.5 * about, 1.5 * about, count).astype(np.float32)

    def flat(self, x: str) -> str:
        """Average over the image, then (batch, channels)."""
        return self.node("Flatten", self.node("GlobalAveragePool", x))


@dataclass(frozen=True)
class Dialect:
    """One network.

    missing: what the frontend cannot read yet, "" where it reads the network.
    tolerance: of outputs, absolute.
    whole_input: inputs are the integers 0 to 255.
    becomes: its spiking network: "exact", "analog" where real weights stay, "refused" where activations are real.
    waits: what the passes cannot do with it yet, "" where nothing.
    """

    name: str
    build: Callable[[Network], str]
    shape: Sequence[int | str]
    opset: int
    ir: int
    opsets: Opsets
    missing: str
    tolerance: float
    whole_input: bool
    becomes: Becomes
    waits: str

    def proto(self) -> onnx.ModelProto:
        """The model; the same bytes every time."""
        m = Network(self.shape, seed=7, opset=self.opset)
        output = self.build(m)
        proto = m.model(output, self.opsets)
        proto.ir_version = self.ir
        return proto

    def save(self, folder: Path) -> Path:
        path = folder / f"{self.name}.onnx"
        path.write_bytes(self.proto().SerializeToString())
        return path

    def samples(self, count: int = 16) -> Array:
        """Inputs, (count, *shape without the batch axis), float32."""
        rng = np.random.default_rng(11)
        shape = [int(size) for size in self.shape[1:]]
        x = rng.integers(0, 256, (count, *shape)) if self.whole_input else rng.normal(0, 1, (count, *shape))
        return x.astype(np.float32)


DIALECTS: dict[str, Dialect] = {}


def dialect(
    *,
    shape: Sequence[int | str] = IMAGE,
    opset: int = 18,
    ir: int = 8,
    opsets: Opsets = (),
    missing: str = "",
    tolerance: float = 1e-5,
    whole_input: bool = False,
    becomes: Becomes = "exact",
    waits: str = "",
) -> Callable[[Callable[[Network], str]], Callable[[Network], str]]:
    """Registers a network under the name of the function that builds it."""

    def register(build: Callable[[Network], str]) -> Callable[[Network], str]:
        name = build.__name__
        DIALECTS[name] = Dialect(name, build, shape, opset, ir, opsets, missing, tolerance, whole_input, becomes, waits)
        return build

    return register


def packed(m: Network, kind: int, values: Sequence[int], shape: Sequence[int]) -> str:
    """A constant of a type that NumPy does not have, such as TensorProto.INT4."""
    name = f"c{len(m.constants)}"
    m.constants.append(helper.make_tensor(name, kind, shape, values))
    return name


INT4 = TensorProto.INT4
