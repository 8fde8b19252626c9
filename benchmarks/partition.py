"""Placing VGG-16 and ResNet-18 for CIFAR-10 on the cores of chips: cores, chips, what binds, time and memory.

    python benchmarks/partition.py

writes benchmarks/results/partition.json. Only shapes matter, so that no weights are made. Pools are strides of the
convolution before them, as in `onnx2snn.training.zoo`; the first convolution runs on the host. `half` has half the
channels everywhere. ResNet-18's branches join in a population that both synapses reach; its tables are refused, its
placement is not. Time is processor time of placing alone, peak memory that of a process of its own above its imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from onnx2snn.backends.chains import Geometry
from onnx2snn.backends.chains.partition import Block, Profile, Projection, partition, record_of
from onnx2snn.backends.loihi.cores import Loihi1, Loihi2
from onnx2snn.backends.tianjic.cores import Tianjic2019, TianjicX
from onnx2snn.errors import BackendError

RESULT = Path(__file__).parent / "results" / "partition.json"
CHIPS: dict[str, Profile] = {p.name: p for p in (Loihi1(), Loihi2(), TianjicX(), Tianjic2019())}
STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
Shape = tuple[int, ...]


class Network:
    """Blocks being made; every method returns the block that it made."""

    def __init__(self, chip: str, first: Shape) -> None:
        self.soft = {"compartments": 2, "resets": 1} if chip == "loihi1" else {}
        self.blocks = [Block("first", "first", first, (), **self.soft)]

    def conv(self, source: Block, out: int, kernel: int = 3, stride: int = 1, skip: Block | None = None) -> Block:
        """A convolution that keeps or halves the size; with `skip`, the branch that joins it."""
        name = f"conv{len(self.blocks)}"
        projections = [convolution(source, name, out, kernel, stride)]
        if skip is not None:
            made = projections[0].geometry.makes
            same = skip.shape == made  # then every neuron reaches its own successor only
            projections.append(convolution(skip, f"{name}.skip", out, 1, skip.shape[1] // made[1], out if same else 1))
        return self._add(Block(name, name, projections[0].geometry.makes, tuple(projections), **self.soft))

    def dense(self, source: Block, out: int, last: bool = False) -> Block:
        """A dense layer; the last one reads out."""
        name = f"fc{len(self.blocks)}"
        geometry = Geometry(kind="dense", source=source.shape, reads=(source.size,), makes=(out,))
        kind: dict[str, int] = {"spikers": 0} if last else self.soft
        return self._add(Block(name, name, (out,), (Projection(source.name, name, geometry),), **kind))

    def _add(self, block: Block) -> Block:
        self.blocks.append(block)
        return block


def convolution(source: Block, label: str, out: int, kernel: int, stride: int, groups: int = 1) -> Projection:
    """Its synapse, padded so that stride 1 keeps the size."""
    size = tuple((n - 1) // stride + 1 for n in source.shape[1:])
    geometry = Geometry(
        kind="conv",
        source=source.shape,
        reads=source.shape,
        makes=(out, *size),
        strides=(stride, stride),
        pads=(kernel // 2,) * 4,
        dilations=(1, 1),
        groups=groups,
    )
    return Projection(source.name, label, geometry, (kernel, kernel))


def vgg16(chip: str, width: float = 1) -> list[Block]:
    net = Network(chip, (int(64 * width), 32, 32))
    last = net.blocks[0]
    for stage, (channels, convs) in enumerate(STAGES):
        for index in range(1 if stage == 0 else 0, convs):
            last = net.conv(last, int(channels * width), stride=2 if index == convs - 1 else 1)
    for out in (512, 512):
        last = net.dense(last, int(out * width))
    net.dense(last, 10, last=True)
    return net.blocks


def resnet18(chip: str, width: float = 1) -> list[Block]:
    net = Network(chip, (int(64 * width), 32, 32))
    last = net.blocks[0]
    for stage, channels in enumerate(int(n * width) for n in (64, 128, 256, 512)):
        for index in range(2):
            inner = net.conv(last, channels, stride=2 if stage and not index else 1)
            last = net.conv(inner, channels, skip=last)
    net.dense(last, 10, last=True)  # the average pool before it is folded into its weights
    return net.blocks


def half_vgg16(chip: str) -> list[Block]:
    return vgg16(chip, 0.5)


def half_resnet18(chip: str) -> list[Block]:
    return resnet18(chip, 0.5)


NETWORKS = {"vgg16": vgg16, "vgg16 half": half_vgg16, "resnet18": resnet18, "resnet18 half": half_resnet18}


def measure(network: str, chip: str) -> dict[str, Any]:
    """Places one network; run in a process of its own."""
    blocks = NETWORKS[network](chip)
    facts: dict[str, Any] = {
        "network": network,
        "chip": chip,
        "neurons": sum(block.size for block in blocks),
        "layers": len(blocks),
    }
    before, start = resident(), time.process_time()
    try:
        record = record_of(partition(blocks, CHIPS[chip]))
    except BackendError as error:
        facts["refused"] = str(error)
    else:
        facts |= {"cores": record.cores, "chips": record.chips, "binding": record.binding}
    return {**facts, "seconds": round(time.process_time() - start, 2), "peak_mib": round(resident() - before, 1)}


def resident() -> float:
    """Largest resident memory of this process so far, MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def main() -> None:
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], sys.argv[2])))
        return
    rows: list[dict[str, Any]] = []
    for network in NETWORKS:
        for chip in CHIPS:
            done = subprocess.run([sys.executable, __file__, network, chip], capture_output=True, text=True, check=True)
            rows.append(json.loads(done.stdout))
            print(rows[-1])
    RESULT.write_text(json.dumps({"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
