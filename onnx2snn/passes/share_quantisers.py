"""One value read quantised and as it is: both readers take the quantised one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from onnx2snn.analysis.pointwise import ELEMENTWISE, JOINS
from onnx2snn.ir import Graph, Node, Op
from onnx2snn.ir.ops import Add, Affine, Clip, LeakyRelu, Quantise, Relu, Unary
from onnx2snn.passes.base import Approximation, Rewrite

REAL: tuple[type[Op], ...] = (Relu, Clip, LeakyRelu, Unary)
OF_ONE_VALUE = tuple({*ELEMENTWISE, *JOINS} - {Add, Affine})


@final
@dataclass(frozen=True)
class ShareQuantisers(Rewrite):
    """Lets every reader of a real-valued activation read its quantiser.

    given:   Relu, Clip, LeakyRelu or Unary that a Quantise and a sum, a pool or a weighted op read, as residual
             branches of ModelOpt do
    result:  all of them read the Quantise; with several, the finest. A value that was read as it is moves by at most
             half a step, and is cut off at the range: there is no spiking form of a value that is not quantised.
    """

    name: ClassVar[str] = "share-quantisers"
    kinds: ClassVar[tuple[type[Op], ...]] = REAL

    def rewrite(self, graph: Graph, node: Node) -> str | None:
        readers = graph.consumers(node.name)
        quantisers = [reader for reader in readers if isinstance(reader.op, Quantise)]
        raw = {reader.name for reader in readers if not isinstance(reader.op, OF_ONE_VALUE)}
        if not quantisers or not raw:
            return None
        finest = min(quantisers, key=_step)
        for name in raw:
            reader = graph[name]
            graph.replace(name, reader.op, [finest.name if source == node.name else source for source in reader.inputs])
        step = _step(finest)
        return Approximation(
            f"{', '.join(sorted(raw))} read it as it is, now as {finest.name} quantises it: "
            f"up to {step / 2:.3g} off within its range"
        )


def _step(node: Node) -> float:
    assert isinstance(node.op, Quantise)
    return float(node.op.scale.max())
