"""Leaky networks that snnTorch trained on MNIST, as Loihi tables: accuracy, and how far counts drift.

In an environment with snntorch, nir and torch (`checks/nir_readers.py` says how it is made):

    python benchmarks/leaky_mnist.py train FOLDER --mnist MNIST

writes FOLDER/leaky.nir (784-128-10 neurons of snntorch.Leaky) and FOLDER/synaptic.nir (of snntorch.Synaptic), which
reset to zero, trained for 16 steps with the pixels as currents. In the project's environment

    python benchmarks/leaky_mnist.py measure FOLDER --mnist MNIST --result benchmarks/results/leaky_mnist.json

converts both for Loihi with weights of 8 bits, and runs the tables in the emulator, their network in exact whole
numbers and the trained one in float64 on test images.
"""

from __future__ import annotations

import argparse
import gzip
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
STEPS, HIDDEN, EPOCHS, BATCH, RATE, SEED = 16, 128, 3, 128, 2e-3, 0
NETWORKS = ("leaky", "synaptic")


def mnist(folder: Path, part: str) -> tuple[Array, Array]:
    """Images (N, 784) float32 in [0, 1] and labels of `train` or `t10k`."""
    pixels = gzip.decompress(next(folder.rglob(f"{part}-images-idx3-ubyte.gz")).read_bytes())
    labels = gzip.decompress(next(folder.rglob(f"{part}-labels-idx1-ubyte.gz")).read_bytes())
    x = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 784)
    return x / np.float32(255), np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


# -- in the environment with snnTorch ----------------------------------------------------------------------------------


def train(name: str, folder: Path, data: Path) -> None:
    """Trains one network with surrogate gradients on the spike counts and writes its NIR file."""
    import nir
    import snntorch as snn  # type: ignore[import-not-found]
    import torch
    from snntorch import surrogate  # type: ignore[import-not-found]
    from snntorch.export_nir import export_to_nir  # type: ignore[import-not-found]

    torch.manual_seed(SEED)

    def neurons(count: int, last: bool) -> Any:
        ones = torch.ones(count)
        rest = {
            "threshold": ones,
            "init_hidden": True,
            "output": last,
            "reset_mechanism": "zero",
            "reset_delay": False,
            "spike_grad": surrogate.fast_sigmoid(slope=10),
        }
        if name == "leaky":
            return snn.Leaky(beta=0.9 * ones, **rest)
        return snn.Synaptic(alpha=0.7 * ones, beta=0.85 * ones, **rest)

    fire = neurons(HIDDEN, False), neurons(10, True)
    net = torch.nn.Sequential(torch.nn.Linear(784, HIDDEN), fire[0], torch.nn.Linear(HIDDEN, 10), fire[1])
    x, y = (torch.from_numpy(part.copy()) for part in mnist(data, "train"))
    optimiser = torch.optim.Adam(net.parameters(), RATE)

    def counts(images: Any) -> Any:
        for layer in fire:
            layer.reset_mem()
        return sum(net(images)[0] for _ in range(STEPS))

    right = 0.0
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(x)).split(BATCH):
            loss = torch.nn.functional.cross_entropy(counts(x[rows]) / 2, y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        test, labels = (torch.from_numpy(part.copy()) for part in mnist(data, "t10k"))
        with torch.no_grad():
            right = (counts(test).argmax(dim=1) == labels).float().mean().item()
        print(f"{name}: epoch {epoch + 1}, test accuracy {right:.4f}", flush=True)
    for layer in fire:
        layer.reset_mem()
    graph = export_to_nir(net, torch.rand(1, 784), ignore_dims=[0])
    for node in graph.nodes.values():
        for key, value in vars(node).items():
            if isinstance(value, torch.Tensor):
                setattr(node, key, np.atleast_1d(value.detach().numpy()))
    folder.mkdir(parents=True, exist_ok=True)
    nir.write(str(folder / f"{name}.nir"), graph)
    found = {"snntorch": version("snntorch"), "torch": version("torch"), "snntorch_accuracy": round(right, 4)}
    (folder / f"{name}.json").write_text(json.dumps(found))


# -- in the project's environment --------------------------------------------------------------------------------------


def measure(name: str, folder: Path, data: Path, images: int, exact: int) -> dict[str, Any]:
    """Accuracy of a network in float64 and as tables, and the counts that differ; `exact` images in whole numbers."""
    from onnx2snn import convert
    from onnx2snn.flow.opening import open_artifact
    from onnx2snn.reference import run

    x, y = (part[:images] for part in mnist(data, "t10k"))
    conversion, place = convert(folder / f"{name}.nir", steps=STEPS, reset="zero"), folder / f"{name}-loihi"
    conversion.save(place, backend="loihi", force=True)
    artifact = open_artifact(place)
    found = artifact.simulator().run(x)
    real, whole = conversion.simulate(x), run(artifact.graph(), x[:exact], STEPS, 0)
    layers = {
        layer: {
            "counts": counts.size,
            "spikes": int(counts.sum()),
            "counts_that_differ": int((found.counts[layer] != counts).sum()),
            "largest_difference": int(np.abs(found.counts[layer] - counts).max()),
            "differ_from_whole_numbers": int((found.counts[layer][:exact] != whole.counts[layer]).sum()),
        }
        for layer, counts in real.counts.items()
    }
    answers, expected = found.output.argmax(axis=1), real.output.argmax(axis=1)
    cores = json.loads((place / "cores.json").read_text())
    return {
        "network": name,
        "steps": STEPS,
        "images": len(x),
        "float_accuracy": round(float((expected == y).mean()), 4),
        "loihi_accuracy": round(float((answers == y).mean()), 4),
        "same_answer": round(float((answers == expected).mean()), 4),
        "layers": layers,
        "compared_in_whole_numbers": exact,
        "cores": cores["cores"],
        "notes": list(artifact.manifest.notes),
        "approximations": list(artifact.manifest.approximations),
        "trained": json.loads((folder / f"{name}.json").read_text()),
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "measure"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mnist", type=Path, required=True)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--exact", type=int, default=1_000)
    parser.add_argument("--result", type=Path)
    options = parser.parse_args()
    if options.what == "train":
        for name in NETWORKS:
            train(name, options.folder, options.mnist)
        return
    rows = [measure(name, options.folder, options.mnist, options.images, options.exact) for name in NETWORKS]
    command = "python benchmarks/leaky_mnist.py measure FOLDER --mnist MNIST"
    text = json.dumps({"command": command, "rows": rows}, indent=1)
    print(text)
    if options.result is not None:
        options.result.write_text(text + "\n")


if __name__ == "__main__":
    main()
