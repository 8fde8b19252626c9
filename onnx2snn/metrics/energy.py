"""Energy estimates: operations times a device's price for each; of the arithmetic alone, and no measurement."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from onnx2snn.errors import DataError, UnknownNameError, located

HOME = Path(str(files("onnx2snn"))) / "metrics" / "devices"
PRICES = ("synaptic_operation", "neuron_update", "spike", "mac")


@dataclass(frozen=True)
class Device:
    """Prices in picojoules; None: the source has none.

    synaptic_operation: one spike through one synapse.  neuron_update: one neuron, one step.  spike: sending one.
    mac: one multiplication with its addition: in the ANN, and where constant charge enters the spiking network.
    """

    name: str
    title: str
    source: str
    year: int
    note: str = ""
    synaptic_operation: float | None = None
    neuron_update: float | None = None
    spike: float | None = None
    mac: float | None = None


@dataclass(frozen=True)
class Energy:
    """Nanojoules per sample on one device.

    synapses, updates, spikes, input_macs: parts of the spiking network; None where the device has no price.
    total: of the parts that have one.  unpriced: operations left out of it.
    ann: the same synapses as MACs, each once; ann_active: zeros skipped.
    """

    device: str
    synapses: float | None
    updates: float | None
    spikes: float | None
    input_macs: float | None
    total: float
    unpriced: tuple[str, ...]
    ann: float | None
    ann_active: float | None


def known_devices() -> tuple[str, ...]:
    """Names of the tables in the package."""
    return tuple(sorted(path.stem for path in HOME.glob("*.toml")))


def load_device(name: str) -> Device:
    """The table of a device by its name, or from a TOML file of the user's.

    Raises `UnknownNameError` where there is none of that name, `DataError` where the file is no such table.
    """
    path = Path(name)
    if path.suffix != ".toml":
        path = HOME / f"{name}.toml"
        if name not in known_devices():
            raise UnknownNameError(f"no device {name!r}; known: {', '.join(known_devices())}, or a .toml file")
    with located(str(path)):
        try:
            return _device(tomllib.loads(path.read_text(encoding="utf-8")), path.stem)
        except OSError as error:
            raise DataError(f"cannot be read: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise DataError(f"a TOML table of a device expected, found {error}") from None


def _device(found: dict[str, Any], name: str) -> Device:
    prices = found.pop("picojoules", {})
    texts = {"title": str, "source": str, "year": int, "note": str}
    unknown = sorted({*found} - {*texts}) or sorted({*prices} - {*PRICES})
    if unknown:
        raise DataError(f"{', '.join(texts)} and [picojoules] with {', '.join(PRICES)} expected, found {unknown[0]}")
    for key, kind in texts.items():
        if not isinstance(found.get(key, "" if key == "note" else None), kind):
            raise DataError(f"{key} of type {kind.__name__} expected, found {found.get(key)!r}")
    for key, value in prices.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < float("inf"):
            raise DataError(f"picojoules.{key}: a number of at least 0 expected, found {value!r}")
    if "synaptic_operation" not in prices:
        raise DataError("picojoules.synaptic_operation expected, found none")
    fields: dict[str, Any] = {"name": name, **found, **{key: float(value) for key, value in prices.items()}}
    return Device(**fields)


@dataclass(frozen=True)
class Work:
    """What one sample takes on average: operations of the spiking network, and MACs of the same synapses."""

    synaptic_operations: float
    neuron_updates: float
    spikes: float
    input_macs: float
    macs: float
    macs_active: float


def price(device: Device, work: Work) -> Energy:
    """What the work of one sample costs on a device, in nanojoules."""

    def cost(count: float, picojoules: float | None) -> float | None:
        return None if picojoules is None else count * picojoules / 1000

    parts = {
        "synapses": cost(work.synaptic_operations, device.synaptic_operation),
        "updates": cost(work.neuron_updates, device.neuron_update),
        "spikes": cost(work.spikes, device.spike),
        "input_macs": cost(work.input_macs, device.mac),
    }
    return Energy(
        device=device.name,
        **parts,
        total=sum(part for part in parts.values() if part is not None),
        unpriced=tuple(name for name, part in parts.items() if part is None),
        ann=cost(work.macs, device.mac),
        ann_active=cost(work.macs_active, device.mac),
    )
