"""Design rules that every chip with chain networks has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from onnx2snn.artifact import Network
from onnx2snn.backends.base import DesignRule
from onnx2snn.backends.chains.ladder.walk import ladder_of
from onnx2snn.backends.chains.layers import Chain, LadderChain
from onnx2snn.backends.chains.walk import chain_of, problems
from onnx2snn.ir import Graph, Node
from onnx2snn.ir.ops import IF, LIF, Ladder, MaxPool, Neuron
from onnx2snn.reference import constant_nodes

LEAKY: tuple[type[Neuron], ...] = (IF, LIF)


def chain_networks_only(network: Network) -> Iterable[str]:
    """One population after the other, one linear op between two."""
    return problems(network.graph)


def no_max_pool_between_populations(network: Network) -> Iterable[str]:
    """A max-pool over spikes would need the running sums; in the host part it is no trouble."""
    return _pooled_spikes(network.graph)


def integer_if_populations(network: Network) -> Iterable[str]:
    """Unsigned integrate-and-fire in whole numbers, starting between rest and threshold."""
    return _unfit_neurons(network.graph)


def integer_units_or_if_populations(network: Network) -> Iterable[str]:
    """Populations of code `ladder`, or unsigned integrate-and-fire, in whole numbers."""
    return _unfit_units(network.graph) if is_ladder(network.graph) else _unfit_neurons(network.graph, " or ladder")


def integer_units_or_spiking_populations(network: Network) -> Iterable[str]:
    """Populations of code `ladder`, or integrate-and-fire, leaky or not, in whole numbers."""
    return (
        _unfit_units(network.graph)
        if is_ladder(network.graph)
        else _unfit_neurons(network.graph, ", lif or ladder", LEAKY)
    )


def no_settle_steps(network: Network) -> Iterable[str]:
    """Every population runs its inject steps and stops."""
    settle = network.schedule.settle
    if settle != 0:
        yield f"{'auto' if settle is None else settle} settle steps asked for; --settle 0"


def is_ladder(graph: Graph) -> bool:
    """Whether all populations of a graph are of code `ladder`."""
    return all(isinstance(node.op, Ladder) for node in graph.of(Neuron))


def is_chain(graph: Graph) -> bool:
    """Whether a graph keeps the rules about the structure of integrate-and-fire chains."""
    return not any(True for rule in (problems, _pooled_spikes, _unfit_leaky) for _ in rule(graph))


def chain_if_sound(network: Network) -> Chain | None:
    """The chain of integrate-and-fire neurons, leaky or not, for rules about its numbers; None where it is none."""
    return chain_of(network.graph) if is_chain(network.graph) else None


def ladder_if_sound(network: Network) -> LadderChain | None:
    """The same for code `ladder`."""
    graph = network.graph
    if not is_ladder(graph) or any(True for rule in (problems, _pooled_spikes, _unfit_units) for _ in rule(graph)):
        return None
    return ladder_of(graph)


def _pooled_spikes(graph: Graph) -> Iterator[str]:
    constant = constant_nodes(graph)
    for node in graph.of(MaxPool):
        if node.name not in constant:
            yield f"{node} pools spikes; train with average instead of max-pooling, or with a stride"


def _unfit_neurons(graph: Graph, other: str = "", kinds: tuple[type[Neuron], ...] = (IF,)) -> Iterator[str]:
    for node in graph.of(Neuron):
        op = node.op
        assert isinstance(op, Neuron)
        if not isinstance(op, kinds):
            yield f"{node} belongs to code {op.code}; --code if{other}"
        elif not op.integer or (op.value != 1).any():
            yield _real(node)
        elif (op.v0 < 0).any() or (op.v0 >= op.theta).any():
            yield f"{node} starts at a membrane outside [0, theta)"


def _unfit_leaky(graph: Graph) -> Iterator[str]:
    return _unfit_neurons(graph, kinds=LEAKY)


def _unfit_units(graph: Graph) -> Iterator[str]:
    for node in graph.of(Ladder):
        assert isinstance(node.op, Ladder)
        if not node.op.integer or (node.op.value != 1).any():
            yield _real(node)


def _real(node: Node) -> str:
    return f"{node} computes in real numbers; whole numbers expected (quantised, or --weight-bits 8)"


STRUCTURE: tuple[DesignRule, ...] = (
    chain_networks_only,
    no_max_pool_between_populations,
    integer_if_populations,
    no_settle_steps,
)
STRUCTURE_OF_BOTH: tuple[DesignRule, ...] = (
    chain_networks_only,
    no_max_pool_between_populations,
    integer_units_or_if_populations,
    no_settle_steps,
)
STRUCTURE_OF_ALL: tuple[DesignRule, ...] = (
    chain_networks_only,
    no_max_pool_between_populations,
    integer_units_or_spiking_populations,
    no_settle_steps,
)
