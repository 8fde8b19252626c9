"""What can look at a simulation while it goes on, and what can stand between a neuron and its synapses."""

from __future__ import annotations

from typing import Protocol

from onnx2snn.ir.op import Array
from onnx2snn.reference.spiking import Run


class Watch(Protocol):
    """Is told of a run: chunk after chunk of its samples, and within each block after block of ticks.

    A signal is (ticks, batch, *features), its first tick is the block's; in ticks that it does not hold there was none.
    """

    def begin(self, sample: int, x: Array) -> None:
        """A chunk begins: samples `x`, the first of which is number `sample` of the run."""
        ...

    def spikes(self, name: str, tick: int, train: Array) -> None:
        """What population `name` fired from `tick` on (numbers of spikes with their sign), or what a max pool sent.

        A max pool sends the change of its running maximum, in the numbers of the network.
        """
        ...

    def readout(self, name: str, tick: int, sums: Array) -> None:
        """What has arrived at readout `name` after each tick from `tick` on, float64, without scale and bias."""
        ...

    def advanced(self, tick: int, stop: int) -> None:
        """The block of ticks `tick` to `stop` (which is none of them) is done."""
        ...

    def end(self, run: Run) -> None:
        """The chunk is done, and this came of it."""
        ...


class Channel(Protocol):
    """Carries spikes from populations to their synapses, and may lose some; the population does not know."""

    def carry(self, name: str, sample: int, tick: int, train: Array) -> Array:
        """What arrives of `train` (ticks, batch, *features) of population `name`: a new array, of the same shape.

        sample and tick: numbers of its first sample and tick.
        """
        ...
