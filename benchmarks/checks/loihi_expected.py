"""Networks for the checks of the Loihi tables, and what onnx2snn's emulator does with them, tick by tick.

In the project's environment:

    python benchmarks/checks/loihi_expected.py FOLDER [--code ladder or lif]
    python benchmarks/checks/loihi_expected.py FOLDER --artifact mnist-4-bit --data MNIST_FOLDER

The first writes the demo network, the chains of the tests, random networks, and tables that are random throughout:
weights over their whole range, every exponent, thresholds that take two reset synapses, membranes that saturate; in
code `ladder` these are in FOLDER/floor, because their membranes need the floor that Lava's have not. With code `lif`
the networks are NIR files of random leaky neurons, and decays are random in the tables too. The second takes an
artifact and the first test images of MNIST. `loihi_lava.py` and `loihi_nengo.py` then run the same tables elsewhere.

The artifacts of benchmarks/results/loihi_checks.json, with the runs that benchmarks/chips.py trains:

    onnx2snn convert runs/mnist-lenet/4-bit/model.onnx --backend loihi --code if -o mnist-4-bit
    onnx2snn export runs/mnist-chipnet/32-bit -o chipnet.onnx
    onnx2snn convert chipnet.onnx --backend loihi --code ladder --calibrate train.npz --levels 15 --weight-bits 4 \\
        --quantise-input 255 -o ladder-mnist-chipnet-15

The last one's train.npz is the first 500 training images. benchmarks/leaky_mnist.py writes and converts leaky networks
that snnTorch trained.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from onnx2snn.backends.chains.emulator import Stage, pipeline
from onnx2snn.backends.chains.ladder.host import Comparators
from onnx2snn.backends.loihi import LoihiEmulator, LoihiLadderEmulator, chip
from onnx2snn.errors import Onnx2SnnError
from onnx2snn.flow.conversion.convert import convert

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
Array = np.ndarray[Any, np.dtype[Any]]
SAMPLES, IMAGES, RANDOM, WILD = 8, 20, 20, 20
MOST_SEEDS = 100
LEAST_RATE = 0.02  # of a population of a random network: silent ones prove nothing


class Recorded:
    """A layer of the emulator that keeps what it did: spikes and membranes of every tick."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.spikes, self.membranes = stage, list[Array](), list[Array]()

    def tick(self, arriving: Array | None) -> Array:
        spikes = self.stage.tick(arriving)
        self.spikes.append(spikes.copy())
        self.membranes.append(np.array(getattr(self.stage, "v"), np.int32))  # noqa: B009
        return spikes


def record(place: Path, share: Array, rest: Array) -> float:
    """Emulates what the host writes and keeps it beside the tables; returns the least rate of a population."""
    emulator = LoihiEmulator(place)
    layers = [Recorded(stage) for stage in emulator.stages(share, rest)]
    pipeline(layers, emulator.steps)
    arrays: dict[str, Any] = {f"spikes{i}": np.stack(layer.spikes) for i, layer in enumerate(layers)}
    arrays |= {f"membranes{i}": np.stack(layer.membranes) for i, layer in enumerate(layers)}
    np.savez_compressed(place / "expected.npz", bias=share, membrane=rest, **arrays)
    rates = [float(np.mean(layer.spikes)) for layer in layers[:-1]]
    told = " ".join(f"{rate:.2f}" for rate in rates)
    print(f"{place.name}: T = {emulator.steps}, {len(share)} samples, rates {told}", flush=True)
    return min(rates)


def record_ladder(place: Path, arriving: Array) -> float:
    """The same in code `ladder`, for units that pass on the host, a sample a tick."""
    emulator = LoihiLadderEmulator(place)
    counts, rates = [arriving], list[float]()
    for stage in emulator.layers:
        counts.append(stage.fire(counts[-1]))
        rates.append(float(counts[-1].mean() / len(stage.breakpoints)))
    arrays: dict[str, Any] = {f"counts{i}": layer for i, layer in enumerate(counts[1:])}
    np.savez_compressed(place / "expected.npz", arriving=arriving, sums=emulator.readout.sums(counts[-1]), **arrays)
    print(f"{place.name}: {len(arriving)} samples, rates {' '.join(f'{rate:.2f}' for rate in rates)}", flush=True)
    return min(rates, default=0.0)


def made(model: Path, place: Path, code: str, x: Array | None = None) -> float:
    """The tables of a model, and what samples do in them; returns the least rate of a population."""
    convert(model, code=code).save(place, backend="loihi")
    return emulated(place, x)


def emulated(place: Path, x: Array | None = None) -> float:
    """What samples do in tables; returns the least rate of a population."""
    ladder = json.loads((place / "tables.json").read_text())["format"] == "onnx2snn loihi ladder tables"
    host = LoihiLadderEmulator(place).host if ladder else LoihiEmulator(place).drive
    if x is None:
        x = np.random.default_rng(0).random((SAMPLES, *host.input_shape)).astype(np.float32)
    if isinstance(host, Comparators):
        return record_ladder(place, host.passing(x))
    return record(place, *host.split(x, LoihiEmulator(place).steps))


# -- random networks -------------------------------------------------------------------------------------------------


def random_model(path: Path, seed: int) -> Path:
    """Two to four convolutions, poolings and dense layers of random sizes, steps and levels."""
    m = import_module("models").ModelBuilder(["N", 2, 9, 8], seed)
    levels = int(m.rng.choice([1, 3, 7, 15]))

    def activation(x: str) -> str:
        return m.quantise(m.node("Relu", x), float(m.rng.uniform(0.03, 0.3)) * 15 / levels, 0, levels)

    x, size = m.quantise("x", 1 / 15, 0, 15), (2, 9, 8)
    for layer in range(int(m.rng.integers(1, 4))):
        channels = 2 * int(m.rng.integers(1, 4))
        kernel = [int(k) for k in m.rng.integers(1, 4, 2)]
        strides, pads = [int(s) for s in m.rng.integers(1, 3, 2)], [int(p) for p in m.rng.integers(0, 2, 4)]
        space = [(size[i + 1] + pads[i] + pads[i + 2] - kernel[i]) // strides[i] + 1 for i in range(2)]
        if min(space) < 1:
            break
        group = 2 if layer and m.rng.random() < 0.3 else 1
        y = m.conv(x, size[0], channels, kernel, bias=False, strides=strides, pads=pads, group=group)
        x, size = activation(m.batch_norm(y, channels, m.rng.normal(0.3, 0.7, channels))), (channels, *space)
        if min(space) > 1 and m.rng.random() < 0.3:
            x = activation(m.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]))
            size = channels, space[0] // 2, space[1] // 2
    x, width = m.node("Flatten", x), int(np.prod(size))
    if m.rng.random() < 0.7:
        x, width = activation(m.gemm(x, width, 12)), 12
    return m.save(m.gemm(x, width, 5), path)


def wide_readout(path: Path) -> Path:
    """Dense layers, the last with weights of 8 bits: with 15 units a source its sums exceed 16 bits."""
    m = import_module("models").ModelBuilder(["N", 20], 7)
    x = m.quantise("x", 1 / 15, 0, 15)
    for inside in (20, 60):
        x = m.quantise(m.node("Relu", m.gemm(x, inside, 60)), 0.3)
    bias = m.constant(m.rng.normal(0, 0.2, 5))
    return m.save(m.node("Gemm", x, m.weights((5, 60), bits=8), bias, transB=1), path)


def wild(place: Path, like: Path, seed: int) -> None:
    """Tables of the same shape as others, with random numbers within the chip's limits."""
    rng = np.random.default_rng(seed)
    tables, arrays = json.loads((like / "tables.json").read_text()), load_file(like / "tables.safetensors")
    for layer in [*tables["populations"], tables["readout"]]:
        name = layer["name"]
        budget = 100_000 // tables["steps"]  # what may arrive at the readout in one tick
        if layer.get("reset") == "zero":
            layer["decay_u"], layer["decay_v"] = int(rng.integers(1, 4097)), int(rng.integers(0, 4097))
            layer["threshold"] = int(2 ** rng.uniform(0, 15))
            arrays[f"{name}/membrane"] = rng.integers(-9999, 9999, arrays[f"{name}/membrane"].shape).astype(np.int32)
            budget = chip.MOST_SUM
        elif layer.get("reset_exponents"):
            theta = rng.integers(1, int(2 ** rng.uniform(1, 15)), arrays[f"{name}/reset"].shape[1])
            layer["reset_exponents"] = chip.reset_exponents(theta)
            layer["threshold"] = int(theta.max()) - 1
            arrays[f"{name}/reset"] = chip.reset_mantissas(theta, layer["reset_exponents"]).astype(np.int16)
            arrays[f"{name}/membrane"] = rng.integers(-2 * theta, 2 * theta).astype(np.int32)
            if seed % 5 == 0:
                arrays[f"{name}/membrane"][::3] = -131_000  # near the lower end of the register
            budget = chip.MOST_SUM - int(theta.max())
        if layer["synapse"] is not None:
            layer["synapse"]["weight_exponent"] = exponent = int(rng.integers(0, 8))
            weight = arrays[f"{name}/weight"]
            inputs = max(weight[0].size, 1)
            most = min(128, (budget >> exponent) // (2 * inputs))
            weight[:] = 2 * rng.integers(-most, max(most, 1), weight.shape)
        if f"{name}/bias" in arrays:
            scale = int(2 ** rng.uniform(0, 12))
            arrays[f"{name}/bias"] = rng.integers(-scale, scale, arrays[f"{name}/bias"].shape).astype(np.int16)
    place.mkdir(parents=True)
    (place / "tables.json").write_text(json.dumps(tables))
    (place / "cores.json").write_bytes((like / "cores.json").read_bytes())
    save_file(arrays, place / "tables.safetensors")
    first = tables["populations"][0]
    theta = first["threshold"] + 1
    drive = rng.integers(-theta // 4, min(theta, chip.MOST_BIAS), (SAMPLES, int(np.prod(first["shape"]))))
    record(place, drive, rng.integers(0, tables["steps"], drive.shape))


def wild_ladder(place: Path, like: Path, seed: int) -> None:
    """The same for code `ladder`: biases anywhere, so that what the tick before left decides some comparisons."""
    rng = np.random.default_rng(seed)
    tables, arrays = json.loads((like / "tables.json").read_text()), load_file(like / "tables.safetensors")
    for layer in [*tables["populations"], tables["readout"]]:
        name, weight = layer["name"], arrays[f"{layer['name']}/weight"]
        layer["synapse"]["weight_exponent"] = exponent = int(rng.integers(0, 8))
        most = min(128, (chip.MOST_SUM >> exponent) // (2 * layer["arriving"] * max(weight[0].size, 1)))
        weight[:] = 2 * rng.integers(-most, max(most, 1), weight.shape)
        if "units" in layer:
            layer["bias_exponent"] = int(rng.integers(6, 8))
            layer["threshold"] = int(rng.integers(0, 4096))
            bias = arrays[f"{name}/bias"]
            arrays[f"{name}/bias"] = rng.integers(-chip.MOST_BIAS, chip.MOST_BIAS, bias.shape).astype(np.int16)
    place.mkdir(parents=True)
    (place / "tables.json").write_text(json.dumps(tables))
    (place / "cores.json").write_bytes((like / "cores.json").read_bytes())
    save_file(arrays, place / "tables.safetensors")
    with np.load(like / "expected.npz") as data:
        record_ladder(place, rng.permuted(np.repeat(data["arriving"], 3, axis=0), axis=1))


def leaky_model(path: Path, seed: int) -> tuple[Path, str]:
    """One or two convolutions and two dense layers of leaky neurons in a NIR file, and what a spike does to them.

    Those that subtract have decays that two compartments take, and no synaptic currents.
    """
    import nir

    rng, nir_files = np.random.default_rng(seed), import_module("nir_files")
    reset = "subtract" if seed % 4 == 3 else "zero"
    kinds = ("lif", "if") if reset == "subtract" else ("lif", "cuba", "if")

    def neurons(count: int) -> Any:
        kind, theta = str(rng.choice(kinds)), float(rng.uniform(0.3, 1.5))
        if kind == "if":
            return nir_files.integrate_and_fire(count, theta)
        decay = float(rng.choice([0.5, 0.75, 0.875]) if reset == "subtract" else rng.uniform(0.2, 0.98))
        return (
            nir_files.lif(count, decay, theta)
            if kind == "lif"
            else nir_files.cuba(count, rng.uniform(0.1, 0.9), decay, theta)
        )

    def bias(count: int) -> Array:
        return rng.normal(0.02, 0.05, count)

    nodes: list[Any] = [nir.Input({"input": np.array([2, 9, 8])})]
    size = (2, 9, 8)
    for _ in range(int(rng.integers(1, 3))):
        channels, kernel = int(rng.integers(2, 6)), int(rng.integers(2, 4))
        weight = rng.normal(0, 1.5 / (kernel * np.sqrt(size[0])), (channels, size[0], kernel, kernel))
        nodes.append(nir.Conv2d(size[1:], weight, 1, 0, 1, 1, bias(channels)))
        size = (channels, size[1] - kernel + 1, size[2] - kernel + 1)
        fired = neurons(int(np.prod(size)))
        for name, value in vars(fired).items():
            if isinstance(value, np.ndarray) and value.shape == (np.prod(size),):
                setattr(fired, name, value.reshape(size))
        nodes.append(fired)
    width = int(np.prod(size))
    nodes.append(nir.Flatten({"input": np.array(size)}, 0, -1))
    for out in (12, 5):
        nodes += [nir.Affine(rng.normal(0, 1.5 / np.sqrt(width), (out, width)), bias(out)), neurons(out)]
        width = out
    return nir_files.write(path, *nodes, nir.Output({"output": np.array([5])})), reset


def leaky(folder: Path) -> None:
    """`RANDOM` random leaky networks, `WILD` tables of the same shapes."""
    folder.mkdir(parents=True, exist_ok=True)
    found = list[Path]()
    for seed in range(MOST_SEEDS):
        place = folder / f"lif-random-{seed:02}"
        model, reset = leaky_model(folder / "model.nir", seed)
        try:
            convert(model, steps=12, reset=reset).save(place, backend="loihi", force=True)
        except Onnx2SnnError as error:
            print(f"{place.name}: {error}")
            continue
        if emulated(place) > LEAST_RATE:
            found.append(place)
        else:
            shutil.rmtree(place)
        if len(found) == RANDOM:
            break
    for number in range(WILD):
        wild(folder / f"lif-wild-{number:02}", found[number % len(found)], number)


def random_networks(folder: Path, code: str) -> None:
    """The demo network, chains of the tests, `RANDOM` random networks, `WILD` random tables."""
    folder.mkdir(parents=True, exist_ok=True)
    demo, found = Path(str(files("onnx2snn"))) / "demo", list[Path]()
    with np.load(demo / "digits.npz") as data:
        attempt(demo / "digits.onnx", folder / f"{code}-demo-digits", code, data["x"][:IMAGES])
    chains = import_module("chain_models")
    for name in chains.CHAINS:
        attempt(chains.chain_model(name, folder), folder / f"{code}-chain-{name}", code)
    attempt(wide_readout(folder / "model.onnx"), folder / f"{code}-wide-readout", code)
    for seed in range(MOST_SEEDS):
        place = folder / f"{code}-random-{seed:02}"
        if attempt(random_model(folder / "model.onnx", seed), place, code) > LEAST_RATE:
            found.append(place)
        elif place.is_dir():
            shutil.rmtree(place)
        if len(found) == RANDOM:
            break
    for number in range(WILD):
        if code == "ladder":
            wild_ladder(folder / "floor" / f"{code}-wild-{number:02}", found[number % len(found)], number)
        else:
            wild(folder / f"{code}-wild-{number:02}", found[number % len(found)], number)


def attempt(model: Path, place: Path, code: str, x: Array | None = None) -> float:
    """The same as `made`, 0 for a network that the chip has no room for."""
    try:
        return made(model, place, code, x)
    except Onnx2SnnError as error:
        print(f"{place.name}: {error}")
        return 0.0


# -- a model of one's own --------------------------------------------------------------------------------------------


def images(data: Path, count: int) -> Array:
    """The first test images of MNIST in [0, 1], from its IDX file."""
    path = next(data.rglob("t10k-images-idx3-ubyte.gz"))
    pixels = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=16)
    return pixels.reshape(-1, 1, 28, 28)[:count] / np.float32(255)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--code", choices=("if", "ladder", "lif"), default="if")
    parser.add_argument("--artifact", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--images", type=int, default=IMAGES)
    options = parser.parse_args()
    if options.artifact is None and options.code == "lif":
        leaky(options.folder)
    elif options.artifact is None:
        random_networks(options.folder, options.code)
    else:
        place = shutil.copytree(options.artifact, options.folder / options.artifact.name)
        pixels = images(options.data, options.images)
        emulated(
            place,
            pixels.reshape(len(pixels), *LoihiEmulator(place).drive.input_shape) if options.code == "lif" else pixels,
        )


if __name__ == "__main__":
    main()
