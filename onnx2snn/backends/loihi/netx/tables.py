"""What the host does before and behind the file: `tables.json` and `tables.safetensors`.

Arrays: host.theta, host.v0 int64 (neurons,) of the first population, which the host runs with its soft reset and whose
spikes it feeds; readout.value, readout.offset float64 (outputs,): the output is value * sum + offset.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import PositiveInt

from onnx2snn.backends.chains import Chain, HostRecord, Record, Sizes, read_tables, store_host, write_tables
from onnx2snn.backends.loihi.netx.file import FILE, Datasets, datasets_of
from onnx2snn.backends.loihi.tables import scaling
from onnx2snn.ir import Array


class NetxTables(Record):
    """`tables.json`.  populations: names and shapes, the host's first; steps: ticks of each layer for a sample."""

    format: Literal["onnx2snn netx tables"] = "onnx2snn netx tables"
    version: Literal[1] = 1
    steps: PositiveInt
    host: HostRecord
    populations: tuple[tuple[str, Sizes], ...]
    readout: Sizes


def tables_of(chain: Chain, steps: int) -> tuple[NetxTables, dict[str, Array]]:
    """Record and arrays of a chain."""
    first, output = chain.populations[0], chain.output
    host, arrays = store_host(chain.host, first, steps)
    named = tuple((population.name, population.shape) for population in chain.populations)
    record = NetxTables(steps=steps, host=host, populations=named, readout=output.shape)
    arrays |= {"host.theta": first.theta, "host.v0": first.v0}
    arrays |= {"readout.value": output.scale / scaling(output).scale, "readout.offset": output.bias}
    return record, arrays


def write(chain: Chain, steps: int, folder: Path) -> None:
    """Writes both files."""
    write_tables(folder, *tables_of(chain, steps))


def differences(chain: Chain, steps: int, folder: Path, read: Callable[[], Datasets]) -> list[str]:
    """What the files say otherwise than the network; `read` gives the data sets of the HDF5 file."""
    record, arrays = tables_of(chain, steps)
    found, stored = read_tables(folder, NetxTables)
    wrong = [] if found == record else ["tables.json: not the network's"]
    wrong += _compared("tables.safetensors", stored.under(""), arrays)
    return wrong + _compared(FILE, read(), datasets_of(chain, steps))


def _compared(file: str, found: dict[str, Array], expected: dict[str, Array]) -> list[str]:
    wrong = [f"{file}: {name} is not the network's" for name in sorted(found.keys() - expected.keys())]
    for name in sorted(expected):
        if name not in found:
            wrong.append(f"{file}: {name} is missing")
        elif not np.array_equal(found[name], expected[name]):
            wrong.append(f"{file}: {name} is not the network's")
    return wrong
