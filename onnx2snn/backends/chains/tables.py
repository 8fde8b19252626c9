"""`tables.json` and `tables.safetensors`: how a chip's tables are written and read, whatever is in them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt, ValidationError
from safetensors.numpy import save

from onnx2snn.errors import ArtifactError
from onnx2snn.ir import Array, Shape, load_arrays

Sizes = tuple[PositiveInt, ...]  #: a shape
TABLES, ARRAYS = "tables.json", "tables.safetensors"


class Record(BaseModel):
    """Part of a tables file: its fields are all there are, and they do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Schema = TypeVar("Schema", bound=Record)


class Arrays:
    """The arrays of a tables file by name."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = dict(arrays)

    def take(self, name: str, shape: Shape) -> Array:
        """The array of that name, whole numbers as int64; raises `ArtifactError` where there is none of `shape`."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape:
            found = "none" if array is None else f"one {array.shape}"
            raise ArtifactError(f"{ARRAYS}: array {name!r} {shape} expected, found {found}")
        return array.astype(np.int64) if array.dtype.kind in "iu" else array

    def under(self, prefix: str) -> dict[str, Array]:
        """The arrays whose names start with `prefix`, by what follows it, as they are."""
        return {name.removeprefix(prefix): a for name, a in self._arrays.items() if name.startswith(prefix)}


def write_tables(folder: Path, record: Record, arrays: Mapping[str, Array]) -> None:
    """Writes both files; the same tables give the same bytes."""
    (folder / TABLES).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    contiguous = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    (folder / ARRAYS).write_bytes(save(contiguous))


def read_tables(folder: Path, schema: type[Schema]) -> tuple[Schema, Arrays]:
    """Reads both files; raises `ArtifactError` where they are damaged or of another version."""
    path = folder / TABLES
    try:
        record = schema.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactError(f"{path}: {place}: {first['msg']}") from None
    return record, Arrays(load_arrays(folder / ARRAYS))
