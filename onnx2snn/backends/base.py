"""What a backend is: a recipe of passes, a list of named design rules, one `emit`, and perhaps a simulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from pydantic import BaseModel

from onnx2snn.artifact import Manifest, Network
from onnx2snn.errors import BackendError, UnknownNameError
from onnx2snn.ir import Array
from onnx2snn.passes import STAIRCASES, MakeInteger, MapNeurons
from onnx2snn.passes.base import Recipe
from onnx2snn.passes.options import with_options
from onnx2snn.reference import Run

DesignRule = Callable[[Network], Iterable[str]]  #: yields one sentence for each place where the rule is broken


@dataclass(frozen=True)
class Footprint:
    """What an artifact takes of a chip.

    title, columns, rows: a table.  sentences: what else is to be said.  data: the same for programs, as plain JSON.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    sentences: tuple[str, ...]
    data: dict[str, Any]


@dataclass(frozen=True)
class Price:
    """What a network takes of a chip, by which codes are compared: a number, the less the better, and in words."""

    amount: int
    words: str


class Simulator(Protocol):
    """Runs an artifact."""

    def run(self, x: Array) -> Run:
        """Simulates `x` (batch, *input shape) from the first inject step to the last settle step."""
        ...


class Backend(ABC):
    """Turns a network into files for whatever will run it.

    A backend lives in a package of its own, is found through the entry-point group `onnx2snn.backends`, and is made
    without arguments. One that is a frozen dataclass has its fields for options, each with a default: a name with
    options, `loihi{chip="loihi2"}`, makes it with those, and artifacts keep that text.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    #: What it can run; the first is its default, unless it chooses.
    codes: ClassVar[tuple[str, ...]] = ("st-bif", "store-and-forward", "ladder", "signed-if", "if", "lif")
    #: Codes of which it takes the most exact one, of equals that of the lowest `price`.
    chooses: ClassVar[tuple[str, ...]] = ()
    arithmetic: ClassVar[tuple[Literal["integer", "float"], ...]] = ("integer", "float")
    fidelity: ClassVar[Literal["faithful", "approximate"]] = "faithful"
    settles: ClassVar[bool] = True  #: whether networks may run on after their inject steps
    calibrates: ClassVar[bool] = False  #: whether its simulator can find initial membranes in a run before the run
    rules: ClassVar[tuple[DesignRule, ...]] = ()
    exchange: ClassVar[str] = ""  #: the file that a frontend reads back, of a backend without a simulator
    needs: ClassVar[tuple[str, ...]] = ()  #: packages without which it cannot convert

    def __str__(self) -> str:
        return with_options(self.name, self)

    def staircases(self) -> Recipe:
        """Passes from the graph of ANN ops to the graph of staircases."""
        return STAIRCASES

    def imported(self, code: str) -> tuple[Recipe, ...]:
        """Passes over a trained spiking network of a code before its run is unrolled: weights that it can hold.

        Several recipes, the finest first: the first whose network keeps all design rules is taken.
        """
        return ((),)

    def neurons(self, code: str, steps: int, integer: bool) -> Recipe:
        """Passes from the graph of staircases to the graph of synapses and neurons."""
        mapping = MapNeurons(code=code, steps=steps)
        return (mapping, MakeInteger(steps=steps)) if integer else (mapping,)

    def design_rules(self) -> tuple[DesignRule, ...]:
        """`rules`, and others that depend on its options."""
        return self.rules

    def check(self, network: Network) -> None:
        """Raises `BackendError` with every design rule that is broken."""
        broken = [f"({_rule_name(rule)}) {found}" for rule in self.design_rules() for found in rule(network)]
        if broken:
            raise BackendError(f"backend {self.name} cannot take this network", broken)

    def price(self, network: Network) -> Price:
        """What a network that keeps all design rules takes; for a backend that chooses between codes."""
        return Price(0, "")

    @abstractmethod
    def emit(self, network: Network, folder: Path) -> None:
        """Writes the backend's own files into `folder`, beside `network.txt` and `arrays.safetensors`."""

    def audit(self, network: Network, folder: Path) -> list[str]:
        """What in the backend's own files does not say the same as the network beside them; none by default."""
        return []

    def fidelity_of(self, network: Network) -> Literal["faithful", "approximate"]:
        """What its files are to this network."""
        return self.fidelity

    def pipeline_steps(self, network: Network) -> int:
        """Ticks that a run takes beyond its steps, for the way from layer to layer; none by default."""
        return 0

    def footprint(self, folder: Path) -> Footprint | None:
        """What an artifact of its own takes of a chip; none by default."""
        return None

    def formats(self) -> dict[str, type[BaseModel]]:
        """The JSON files that it writes beside the network, by name and, in brackets, code; none by default."""
        return {}

    def simulator(self, folder: Path, manifest: Manifest) -> Simulator:
        """A simulator or emulator that reads the artifact; raises `BackendError` where there is none."""
        raise BackendError(f"backend {self.name} has no simulator; convert with --backend numpy to simulate")


def one_of(option: str, value: str, known: Iterable[str]) -> None:
    """Raises `UnknownNameError` where an option of a backend has a value that is none of the known ones."""
    if value not in known:
        raise UnknownNameError(f"no {option} {value!r}; known: {', '.join(known)}")


def _rule_name(rule: DesignRule) -> str:
    return getattr(rule, "__name__", type(rule).__name__).replace("_", " ")
