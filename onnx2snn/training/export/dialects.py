"""How quantisers are spelled in ONNX: QCDQ with the standard's own ops, or QONNX's `Quant`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from torch import Tensor

from onnx2snn.training.export.writer import Writer
from onnx2snn.training.quantisers import Quantiser, WeightQuantiser

QONNX_DOMAIN = "qonnx.custom_op.general"


class Dialect(ABC):
    """Writes quantisers; y = n * step stays bit for bit what it was in training."""

    name: ClassVar[str]
    domain: ClassVar[str] = ""  #: of ops beside the standard's

    @abstractmethod
    def activation(self, writer: Writer, path: str, quantiser: Quantiser, x: str) -> str:
        """Quantises tensor `x`, one step for all of it."""

    @abstractmethod
    def weight(self, writer: Writer, path: str, quantiser: WeightQuantiser, weight: Tensor) -> str:
        """A quantised constant."""


class Qcdq(Dialect):
    """QuantizeLinear -> Clip -> DequantizeLinear: the Clip says how many of the 256 codes are used.

    It is left out where all of them are (the form of Brevitas). ONNX rounds halves to even; where they go up, the
    quantiser is spelled out: Div, Add 1/2, Floor, Clip, Mul. Weights are int8 codes behind a DequantizeLinear.
    """

    name: ClassVar[str] = "qcdq"

    def activation(self, writer: Writer, path: str, quantiser: Quantiser, x: str) -> str:
        scale = writer.constant(f"{path}.scale", _numpy(quantiser.step))
        if quantiser.rounding == "half-up":
            return _spelled_out(writer, path, scale, quantiser.hi, x)
        zero = writer.constant(f"{path}.zero_point", np.array(0, np.uint8))
        x = writer.node("QuantizeLinear", path, x, scale, zero)
        if quantiser.hi < 255:
            hi = writer.constant(f"{path}.hi", np.array(quantiser.hi, np.uint8))
            x = writer.node("Clip", path, x, zero, hi)
        return writer.node("DequantizeLinear", path, x, scale, zero)

    def weight(self, writer: Writer, path: str, quantiser: WeightQuantiser, weight: Tensor) -> str:
        step = _numpy(quantiser.step_of(weight))
        codes = writer.constant(path, _numpy(quantiser.codes(weight)))
        scale = writer.constant(f"{path}.scale", step)
        zero = writer.constant(f"{path}.zero_point", np.zeros(step.shape, np.int8))
        axis = {"axis": 0} if step.ndim else {}
        return writer.node("DequantizeLinear", path, codes, scale, zero, **axis)


def _spelled_out(writer: Writer, path: str, scale: str, hi: int, x: str) -> str:
    """floor(x / scale + 1/2), between 0 and hi, times scale."""
    half, zero, most = (
        writer.constant(f"{path}.{name}", np.array(value, np.float32))
        for name, value in (("half", 0.5), ("zero", 0.0), ("hi", hi))
    )
    x = writer.node("Div", path, x, scale)
    x = writer.node("Add", path, x, half)
    x = writer.node("Floor", path, x)
    x = writer.node("Clip", path, x, zero, most)
    return writer.node("Mul", path, x, scale)


class Qonnx(Dialect):
    """QONNX's Quant op, for FINN, hls4ml and qonnx; ONNX Runtime does not run it.

    Quant knows ranges of 2^b - 1 codes: where a quantiser has another number, a Clip in front keeps it.
    """

    name: ClassVar[str] = "qonnx"
    domain: ClassVar[str] = QONNX_DOMAIN

    def activation(self, writer: Writer, path: str, quantiser: Quantiser, x: str) -> str:
        hi, step = quantiser.hi, _numpy(quantiser.step)
        bits = hi.bit_length()
        if hi != 2**bits - 1:
            zero = writer.constant(f"{path}.zero", np.array(0, np.float32))
            x = writer.node("Clip", path, x, zero, writer.constant(f"{path}.hi", np.array(hi * step, np.float32)))
        mode = "ROUND" if quantiser.rounding == "half-even" else "HALF_UP"
        return _quant(writer, path, x, step, bits, signed=0, narrow=0, rounding_mode=mode)

    def weight(self, writer: Writer, path: str, quantiser: WeightQuantiser, weight: Tensor) -> str:
        step = _numpy(quantiser.step_of(weight))
        constant = writer.constant(path, _numpy(quantiser.quantised(weight)))
        bits = int(quantiser.hi).bit_length() + 1
        wide = step.reshape(-1, *[1] * (weight.ndim - 1)) if step.ndim else step
        return _quant(writer, path, constant, wide, bits, signed=1, narrow=1, rounding_mode="ROUND")


def _quant(
    writer: Writer, path: str, x: str, step: np.ndarray, bits: int, signed: int, narrow: int, rounding_mode: str
) -> str:
    scale = writer.constant(f"{path}.scale", step)
    zero = writer.constant(f"{path}.zero_point", np.array(0, np.float32))
    width = writer.constant(f"{path}.bits", np.array(bits, np.float32))
    attributes: dict[str, int | str] = {"signed": signed, "narrow": narrow, "rounding_mode": rounding_mode}
    return writer.node(f"{QONNX_DOMAIN}:Quant", path, x, scale, zero, width, **attributes)


def _numpy(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (Qcdq(), Qonnx())}
