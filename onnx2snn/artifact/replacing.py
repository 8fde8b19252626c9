"""Files that are there whole, or as they were before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from onnx2snn.errors import DataError


@contextmanager
def replacing(path: Path) -> Generator[IO[bytes]]:
    """An open file that becomes `path` in one step when the block ends well, and vanishes when it does not.

    It may be read by whom the umask lets. Raises `DataError` where the disk refuses.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.partial-", dir=path.absolute().parent)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~umask())
        os.replace(name, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        Path(name).unlink(missing_ok=True)


def umask() -> int:
    """What a new file lets nobody do."""
    current = os.umask(0)
    os.umask(current)
    return current
