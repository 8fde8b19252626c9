"""NIR graph to IR graph, node by node, through one table of rules.

Everything stays as the file has it, per step: biases are currents of one step, the input is the current of one step.
Pass `inject-steps` makes a run of so many steps of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from onnx2snn.errors import Onnx2SnnError, UnsupportedOpError, located
from onnx2snn.frontends.nir.defaults import unsaid
from onnx2snn.frontends.nir.dynamics import Cell, Discretisation
from onnx2snn.frontends.nir.fields import wholes
from onnx2snn.frontends.nir.file import Raw, RawGraph, Value, load_graph
from onnx2snn.frontends.nir.flatten import flat, in_order
from onnx2snn.frontends.nir.resets import overridden, own_resets
from onnx2snn.frontends.reading import Reading, Record, clean_name, unsupported
from onnx2snn.ir import Graph, Op, Origin, Shape
from onnx2snn.ir.ops import Add, Readout


@dataclass
class Reader:
    """The graph being made, and the name in it of each node of the file.

    resets: what a spike does in the nodes that are not as `how` says.
    """

    how: Discretisation
    graph: Graph
    resets: Mapping[str, str] = field(default_factory=dict[str, str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    cells: dict[str, Cell] = field(default_factory=dict[str, Cell])
    name: str = ""  #: of the node being read
    type: str = ""

    def add(self, op: Op, *sources: str, suffix: str = "") -> str:
        """Adds an IR node for the node being read."""
        origin = Origin(self.name, self.type, "" if suffix else self.name)
        return self.graph.add(self.graph.fresh(clean_name(self.name) + suffix), op, sources, origin)

    def dynamics(self) -> Discretisation:
        """How the node being read becomes steps."""
        return replace(self.how, reset=self.resets.get(self.name, self.how.reset))

    def shape(self, name: str) -> Shape:
        """Shape of a node of the IR."""
        return self.graph.shape(name)


Rule = Callable[[Reader, Raw, str], str]  #: adds what a node is in the IR behind its (summed) source, returns its name
RULES: dict[str, Rule] = {}
REFUSED: dict[str, str] = {
    "Delay": "spikes pass on within the step here; a delay would have to be trained away",
    "I": "an integrator that never fires; the readout of a network integrates already, take it out",
    "LI": "a leaky integrator that never fires; end the network with spikes or with the layer before it",
    "CubaLI": "a leaky integrator that never fires; end the network with spikes or with the layer before it",
}


def rule(*types: str) -> Callable[[Rule], Rule]:
    """Registers the rule for NIR types."""

    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(types, function))
        return function

    return register


def read_nir(path: Path, how: Discretisation | None = None) -> Reading:
    """Reads a NIR file into a graph of synapses and neurons.

    Raises `ModelError` for a file that cannot be taken and `UnsupportedOpError`, naming every node and type, where it
    holds what no rule reads; `UsageError` for a discretisation that there is not.
    """
    raw = load_graph(path)
    with located(str(path)):
        graph = flat(raw)
        order = in_order(graph)
        nodes = {name: node for name in order if isinstance(node := graph.nodes[name], Raw)}
        _refuse_unknown(nodes)
        asked = how or Discretisation()
        chosen = asked.settled(raw.metadata)
        others = {} if asked.reset else own_resets(nodes, chosen.reset)
        reader = Reader(chosen, Graph(clean_name(path.stem)), others)
        _read(reader, nodes, graph)
        records = tuple(Record(name, node.type, "nir", reader.names.get(name, "")) for name, node in nodes.items())
        said = replace(chosen, reset="") if others else chosen
        of_nodes = {name: reader.cells[into] for name, into in reader.names.items() if into in reader.cells}
        notes = overridden(asked.reset, raw.metadata, nodes) if asked.reset else ()
        notes += unsaid(asked, chosen, raw.metadata, nodes, of_nodes)
        return Reading(reader.graph, records, _steps(raw.metadata), _settings(said), notes)


def _refuse_unknown(nodes: Mapping[str, Raw]) -> None:
    known = {"Input", "Output", *RULES}
    unknown = [
        f"node {name!r} ({node.type}{f': {REFUSED[node.type]}' if node.type in REFUSED else ''})"
        for name, node in nodes.items()
        if node.type not in known
    ]
    if unknown:
        raise unsupported(unknown, f"Supported types: {', '.join(sorted(known))}")


def _read(reader: Reader, nodes: Mapping[str, Raw], graph: RawGraph) -> None:
    sources: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in graph.edges:
        sources[target].append(source)
    outputs: list[str] = []
    for name, raw in nodes.items():
        reader.name, reader.type = name, raw.type
        with located(f"node {name!r} ({raw.type})"):
            reader.names[name] = _node(reader, raw, [reader.names[source] for source in sources[name]])
        if raw.type == "Output":
            outputs.append(reader.names[name])
    if not outputs:
        raise UnsupportedOpError("an Output expected, found none")
    reader.graph.outputs = tuple(outputs)
    _settle_cells(reader)


def _node(reader: Reader, raw: Raw, sources: list[str]) -> str:
    if raw.type == "Input":
        if sources:
            raise UnsupportedOpError(f"nothing before it expected, found {', '.join(sources)}")
        return RULES["Input"](reader, raw, "")
    if not sources:
        raise UnsupportedOpError("something to read expected, found no edge to it")
    source = sources[0] if len(sources) == 1 else reader.add(Add(), *sources, suffix=".sum")
    if raw.type == "Output":
        return reader.add(Readout(scale=np.ones(()), bias=np.zeros(())), source)
    return RULES[raw.type](reader, raw, source)


def _settle_cells(reader: Reader) -> None:
    """All populations as one kind of neuron, the plainest that says all of them."""
    leaky = any(cell.leaky for cell in reader.cells.values())
    for name, cell in reader.cells.items():
        reader.graph.replace(name, cell.op(leaky))


def _steps(metadata: Mapping[str, Value]) -> int:
    """Steps that the file's metadata ask for; 0 where they say nothing that can be meant."""
    try:
        return wholes(metadata, "steps", 1, 0)[0]
    except Onnx2SnnError:
        return 0


def _settings(how: Discretisation) -> str:
    return f'nir{{dt={how.dt!r}, reset="{how.reset}", integrator="{how.integrator}"}}'
