"""The `netx` backend: the HDF5 file that lava-dl's `netx` reads.

Its neuron resets to 0 and starts from 0. With one step nothing is left to reset: the membrane is forgotten at every
tick, what a neuron starts with joins its bias, and one sample goes through at every tick. That is exact. With more
steps counts differ from those of the soft reset; such a file is only written where it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal, final

from pydantic import BaseModel

from onnx2snn.artifact import Manifest, Network
from onnx2snn.backends.base import Backend, DesignRule
from onnx2snn.backends.chains import STRUCTURE, chain_if_sound, chain_of, in_every_layer
from onnx2snn.backends.loihi.netx.emulator import NetxEmulator
from onnx2snn.backends.loihi.netx.file import datasets_of, read_file, write_file
from onnx2snn.backends.loihi.netx.fit import LIMITS, FitNetx
from onnx2snn.backends.loihi.netx.tables import NetxTables, differences, write
from onnx2snn.errors import MissingExtraError, Onnx2SnnError
from onnx2snn.ir.ops import Neuron
from onnx2snn.passes import STAIRCASES, FoldMoves, FoldSumpool, MapNeurons
from onnx2snn.passes.base import Recipe

ALIKE = 16  #: thresholds of a layer that differ by at most one part in so many become one


def two_axes_and_equal_pads(network: Network) -> Iterable[str]:
    """The reader knows convolutions over y and x with one padding an axis."""
    chain = chain_if_sound(network)
    for layer in () if chain is None else chain.layers[1:]:
        synapse = layer.synapse
        if synapse is None or synapse.geometry.kind == "dense":
            continue
        pads, rank = synapse.geometry.pads, len(synapse.geometry.strides)
        if rank != 2:
            yield f"{synapse.label} goes over {rank} axes, 2 expected"
        elif pads[:rank] != pads[rank:]:
            yield f"{synapse.label} pads {pads[:rank]} before and {pads[rank:]} behind, equal pads expected"
        if synapse.geometry.source != synapse.geometry.reads:
            yield f"{synapse.label} reads {synapse.geometry.source} reshaped to {synapse.geometry.reads}"
        if layer.shape != synapse.geometry.makes:
            yield f"{layer.label} reshapes sums {synapse.geometry.makes} to {layer.shape}; no form in the file"


def one_threshold_a_layer(network: Network) -> Iterable[str]:
    """Over several steps no bias can stand for a threshold of one neuron; of nearly equal ones the mean is taken."""
    chain = chain_if_sound(network)
    if chain is None or network.schedule.steps == 1:
        return
    for population in chain.populations[1:]:
        least, most = int(population.theta.min()), int(population.theta.max())
        if (most - least) * ALIKE > most:
            found = f"thresholds from {least} to {most}, within 1/{ALIKE} of each other expected"
            scale = "one scale of weights for a whole tensor helps: in the file, or --weight-scale layer with a"
            yield f"{population.label} has {found}; {scale} --weight-bits below the file's"


@final
@dataclass(frozen=True)
class NetxBackend(Backend):
    """Input, convolution, flatten and dense layers of LIF neurons; the first population runs on the host.

    approximate: write networks of several steps too, although the reader's neurons reset to 0 and start from 0.
    """

    name: ClassVar[str] = "netx"
    summary: ClassVar[str] = "HDF5 for lava-dl's netx: exact for one step, else approximate"
    codes: ClassVar[tuple[str, ...]] = ("if",)
    settles: ClassVar[bool] = False
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("integer",)
    needs: ClassVar[tuple[str, ...]] = ("h5py",)
    rules: ClassVar[tuple[DesignRule, ...]] = (
        *STRUCTURE,
        *map(in_every_layer, LIMITS),
        two_axes_and_equal_pads,
        one_threshold_a_layer,
    )
    approximate: bool = False

    def staircases(self) -> Recipe:
        return (*STAIRCASES, FoldSumpool(), FoldMoves())

    def neurons(self, code: str, steps: int, integer: bool) -> Recipe:
        return (MapNeurons(code=code, steps=steps), FitNetx(steps=steps))

    def design_rules(self) -> tuple[DesignRule, ...]:
        return self.rules if self.approximate else (*self.rules, one_step_or_approximate)

    def fidelity_of(self, network: Network) -> Literal["faithful", "approximate"]:
        return "faithful" if network.schedule.steps == 1 else "approximate"

    def pipeline_steps(self, network: Network) -> int:
        """A tick from each population to the layer behind it."""
        return len(network.graph.of(Neuron))

    def emit(self, network: Network, folder: Path) -> None:
        chain, steps = chain_of(network.graph), network.schedule.steps
        write(chain, steps, folder)
        write_file(folder, datasets_of(chain, steps))

    def audit(self, network: Network, folder: Path) -> list[str]:
        chain, steps = chain_of(network.graph), network.schedule.steps
        try:
            return differences(chain, steps, folder, partial(read_file, folder))
        except MissingExtraError:  # it says nothing of the files
            raise
        except Onnx2SnnError as error:
            return [str(error)]

    def formats(self) -> dict[str, type[BaseModel]]:
        return {"tables.json": NetxTables}

    def simulator(self, folder: Path, manifest: Manifest) -> NetxEmulator:
        return NetxEmulator(folder)


def one_step_or_approximate(network: Network) -> Iterable[str]:
    """The reader's neurons reset to 0 and start from 0."""
    steps = network.schedule.steps
    if steps != 1:
        yield (
            f"neurons that reset to 0 and start from 0 cannot subtract over {steps} steps; --steps 1 (exact for "
            "activations of one level) or --approximate expected"
        )


__all__ = ["NetxBackend", "NetxEmulator"]
