"""ONNX graph to IR graph, node by node, through one table of rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnx2snn.errors import ModelError, Onnx2SnnError, located
from onnx2snn.frontends.onnx.constants import computable, computed
from onnx2snn.frontends.onnx.grids import RANGES, feature_scale
from onnx2snn.frontends.onnx.load import load_model
from onnx2snn.frontends.onnx.rules import RULES
from onnx2snn.frontends.onnx.symbols import (
    Codes,
    Constant,
    Feature,
    Grid,
    Integers,
    Symbol,
)
from onnx2snn.frontends.reading import Reading, Record, clean_name, unsupported
from onnx2snn.ir import Graph, Origin
from onnx2snn.ir.op import Array, Op, Shape
from onnx2snn.ir.ops import Affine, Input, Quantise

if TYPE_CHECKING:
    import onnx_ir


def read_onnx(path: Path) -> Reading:
    """Reads an ONNX file into a graph of ANN ops.

    Raises `ModelError` for a file that cannot be taken and `UnsupportedOpError`, naming every node, op and domain,
    where the graph holds ops that no rule reads.
    """
    model = load_model(path)
    with located(str(path)):
        _refuse_unknown(model)
        return Reader(model).read(path.stem)


@dataclass(frozen=True)
class Listed:
    """One ONNX node and what stands against reading it; "" where nothing does, or where nothing is known of it.

    judged: whether it was tried; a node behind one that cannot be read is not.
    """

    name: str
    op: str
    domain: str
    fault: str
    judged: bool


def list_nodes(path: Path) -> tuple[Listed, ...]:
    """All nodes of a model after constant folding, with all that stands against reading them, not the first alone."""
    model = load_model(path)
    with located(str(path)):
        return Reader(model).survey()


def _refuse_unknown(model: onnx_ir.Model) -> None:
    unknown = [node for node in model.graph if _key(node) not in RULES]
    if not unknown:
        return
    opsets = {domain or "ai.onnx": version for domain, version in model.opset_imports.items()}
    places = [
        f"node {name!r} op {node.op_type} (domain {domain}, opset {opsets.get(domain, '?')}){_elsewhere(node)}"
        for node in unknown
        for name, domain in [(node.name or node.outputs[0].name, _domain(node))]
    ]
    raise unsupported(places, f"{len(RULES)} ops are read (onnx2snn ops); onnx2snn inspect says what to change")


def _elsewhere(node: onnx_ir.Node) -> str:
    """Where an op of this name is read, if it is one of another domain."""
    domains = [domain or "ai.onnx" for domain, name in RULES if name == node.op_type]
    return f"; {node.op_type} is read in domain {' and '.join(domains)}" if domains else ""


def _name(node: onnx_ir.Node) -> str:
    return node.name or node.outputs[0].name or ""


def _domain(node: onnx_ir.Node) -> str:
    return node.domain or "ai.onnx"


def _key(node: onnx_ir.Node) -> tuple[str, str]:
    return ("" if node.domain == "ai.onnx" else node.domain, node.op_type)


class Reader:
    """Holds the graph being made and what every ONNX value stands for."""

    def __init__(self, model: onnx_ir.Model) -> None:
        self.model = model
        self.graph = Graph()
        self.symbols: dict[onnx_ir.Value, Symbol] = {}
        self.node: onnx_ir.Node | None = None
        self.batch: int | None = None  #: number of samples, where the model fixes it
        self.settled: dict[Codes, Feature] = {}  #: quantisers made so far, by the codes that they make
        self._notes: dict[onnx_ir.Node, str] = {}

    def read(self, name: str) -> Reading:
        """Reads the whole graph."""
        self.graph.name = clean_name(name)
        self._inputs()
        self._initialisers()
        for node in self.model.graph:
            self._node(node)
        self._outputs()
        self._release()
        return Reading(self.graph, tuple(self._record(node) for node in self.model.graph))

    def survey(self) -> tuple[Listed, ...]:
        """Tries every node whose inputs are known."""
        self._inputs()
        self._initialisers()
        return tuple(self._tried(node) for node in self.model.graph)

    def _tried(self, node: onnx_ir.Node) -> Listed:
        listed = Listed(_name(node), node.op_type, _domain(node), "", judged=True)
        if _key(node) not in RULES:
            return replace(listed, fault="no rule reads this op")
        if any(value is not None and value not in self.symbols for value in node.inputs):
            return replace(listed, judged=False)
        try:
            self._node(node)
        except Onnx2SnnError as error:
            return replace(listed, fault=error.message)
        return listed

    def _initialisers(self) -> None:
        for value in self.model.graph.initializers.values():
            if value.const_value is not None:
                self.symbols[value] = Constant(_numbers(value.const_value))

    def _release(self) -> None:
        """Lets go of the model's tensors: it refers to itself, and the whole file would stay until it is collected."""
        for value in self.model.graph.initializers.values():
            value.const_value = None

    def add(
        self,
        op: Op,
        *sources: Feature,
        node: onnx_ir.Node | None = None,
        suffix: str = "",
        inner: bool = False,
    ) -> Feature:
        """Adds an IR node for the ONNX node being read, or for `node`; `suffix` comes behind its name.

        inner: its value is a step on the way and no tensor of the model.
        """
        made_for = node or self.node
        assert made_for is not None
        name = self.graph.fresh(clean_name(made_for.name or made_for.outputs[0].name or made_for.op_type) + suffix)
        tensor = "" if inner else made_for.outputs[0].name or ""
        origin = Origin(made_for.name or "", made_for.op_type, tensor)
        return Feature(self.graph.add(name, op, [source.name for source in sources], origin))

    def quantise(self, source: Feature, grid: Grid, node: onnx_ir.Node | None = None, suffix: str = "") -> Feature:
        """The feature rounded to a grid and cut to its range."""
        if len(np.unique(grid.zero_point)) != 1:
            raise ModelError("one zero point for all channels of a feature expected, found several")
        scale, zero_point = feature_scale(grid, self.shape(source)), int(grid.zero_point.ravel()[0])
        op = Quantise(scale=scale, zero_point=zero_point, qmin=grid.qmin, qmax=grid.qmax)
        return self.add(op, source, node=node, suffix=suffix)

    def settle(self, codes: Codes, under: onnx_ir.Node | None = None) -> Feature:
        """The feature that codes stand for; its quantiser is added once, named after `under` or the codes' maker."""
        if not isinstance(codes.source, Feature):
            raise ModelError("codes of a feature expected, found codes of a constant")
        if codes.settled:
            return codes.source
        if codes not in self.settled:
            self.settled[codes] = self.quantise(codes.source, codes.grid, under or codes.maker)
        return self.settled[codes]

    def note(self, text: str) -> None:
        """Attaches a note to the ONNX node being read."""
        assert self.node is not None
        self._notes[self.node] = text

    def shape(self, feature: Feature) -> Shape:
        """Shape of a feature without the batch axis."""
        return self.graph.shape(feature.name)

    def _inputs(self) -> None:
        values = [v for v in self.model.graph.inputs if v.name not in self.model.graph.initializers]
        if not values:
            raise ModelError("one input or more expected, found none")
        sizes = {_fixed_batch(value) for value in values}
        if len(sizes) != 1:
            raise ModelError(f"one batch size for all inputs expected, found {sorted(map(str, sizes))}")
        (self.batch,) = sizes
        for value in values:
            self._input(value)

    def _input(self, value: onnx_ir.Value) -> None:
        with located(f"input {value.name!r}"):
            shape = _static_shape(value)
            kind = "" if value.dtype is None else value.dtype.name
            if kind not in ("FLOAT", "FLOAT16", "DOUBLE", *RANGES):
                raise ModelError(f"floating-point input or integers of 2 to 16 bits expected, found {value.dtype}")
        name = self.graph.add(
            self.graph.fresh(clean_name(value.name or "input")),
            Input(shape=shape),
            (),
            Origin("", "Input", value.name or ""),
        )
        self.symbols[value] = Integers(Feature(name), *RANGES[kind]) if kind in RANGES else Feature(name)

    def _node(self, node: onnx_ir.Node) -> None:
        self.node = node
        with located(f"node {node.name or node.outputs[0].name!r} ({node.op_type})"):
            inputs = [None if value is None else self._symbol(value) for value in node.inputs]
            if computable(node, inputs):
                made = computed(node, inputs, self.model.opset_imports.get("", 1))
            else:
                made = RULES[_key(node)](self, node, *inputs)
            symbols = made if isinstance(made, tuple) else (made,)
            if any(out.uses() or out.is_graph_output() for out in node.outputs[len(symbols) :]):
                raise ModelError("only the first output can be used")
        self.symbols.update(zip(node.outputs, symbols, strict=False))

    def _record(self, node: onnx_ir.Node) -> Record:
        """Codes went into their quantiser, where that was named after them, else into what they were made of."""
        symbol = self.symbols[node.outputs[0]]
        found: object = getattr(symbol, "source", symbol)
        if isinstance(symbol, Codes) and symbol in self.settled:
            quantiser = self.graph.get(self.settled[symbol].name)
            if quantiser is not None and quantiser.origin.tensor == node.outputs[0].name:
                found = self.settled[symbol]
        into = found.name if isinstance(found, Feature) else ""
        return Record(
            node.name or node.outputs[0].name or "", node.op_type, _domain(node), into, self._notes.get(node, "")
        )

    def _symbol(self, value: onnx_ir.Value) -> Symbol:
        if value not in self.symbols:
            raise ModelError(f"input {value.name!r} is made by no node, input or initialiser")
        return self.symbols[value]

    def _outputs(self) -> None:
        self.graph.outputs = tuple(self._output(value) for value in self.model.graph.outputs)
        self.graph.prune()

    def _output(self, value: onnx_ir.Value) -> str:
        with located(f"output {value.name!r}"):
            symbol = self._symbol(value)
            self.node = value.producer()
            if isinstance(symbol, Codes) and isinstance(symbol.source, Feature):
                symbol = self._as_codes(symbol)
            if not isinstance(symbol, Feature):
                raise ModelError("must depend on the input and be dequantised")
        return symbol.name

    def _as_codes(self, codes: Codes) -> Feature:
        """Integer codes as numbers: what a model puts out that ends with a quantiser."""
        grid = codes.grid
        if grid.scale.size != 1:
            raise ModelError("one scale for all channels of an integer output expected, found several")
        shift = grid.zero_point.astype(np.float64).reshape(())
        return self.add(Affine(scale=1 / grid.scale.reshape(()), shift=shift), self.settle(codes))


def _static_shape(value: onnx_ir.Value) -> Shape:
    if value.shape is None or len(value.shape) < 2:
        raise ModelError("a shape (batch, ...) expected, found " + str(value.shape))
    sizes = list(value.shape)[1:]
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        raise ModelError(
            f"fixed sizes after the batch axis expected, found {value.shape}; export with a fixed input size"
        )
    return tuple(int(size) for size in sizes)  # type: ignore[arg-type]


def _numbers(tensor: onnx_ir.TensorProtocol) -> Array:
    try:
        return tensor.numpy()
    except (ValueError, OSError) as error:  # external data is read only now
        raise ModelError(f"tensor {tensor.name!r} cannot be read: {error}") from None


def _fixed_batch(value: onnx_ir.Value) -> int | None:
    assert value.shape is not None
    size = value.shape[0]
    return size if isinstance(size, int) and size > 0 else None  # old exporters write -1 for a free one
