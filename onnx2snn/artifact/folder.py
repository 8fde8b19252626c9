"""Artifact folders: written whole or not at all, checked when read, never executed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from pydantic import ValidationError

from onnx2snn.artifact.manifest import SCHEMA_VERSION, Manifest
from onnx2snn.artifact.replacing import umask
from onnx2snn.errors import ArtifactError, UsageError, located

MANIFEST = "manifest.json"


def check_target(folder: Path, force: bool) -> None:
    """Raises `UsageError` where writing an artifact to `folder` would lose something."""
    if not folder.exists() and not folder.is_symlink():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder}: a folder to make expected, found a file")
    if not any(folder.iterdir()):
        return
    if not _is_ours(folder):
        raise UsageError(f"{folder}: is not an onnx2snn artifact; it is left alone, choose another folder")
    if not force:
        raise UsageError(f"{folder}: holds an artifact already; `force` replaces it")


def _is_ours(folder: Path) -> bool:
    with contextlib.suppress(ArtifactError):
        manifest = read_manifest(folder)
        return {p.name for p in folder.iterdir()} <= {MANIFEST, *manifest.files}
    return False


@contextmanager
def writing(folder: Path, force: bool = False) -> Generator[Path]:
    """A scratch folder that becomes `folder` in one step when the block ends well, and vanishes when it does not.

    Raises `UsageError` where `folder` holds something else, `ArtifactError` where the disk refuses.
    """
    check_target(folder, force)
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.partial-", dir=folder.absolute().parent))
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be written: {error.strerror}") from None
    try:
        yield scratch
        _sync(scratch)
        _swap(scratch, folder, force)
    except OSError as error:
        raise ArtifactError(f"{folder}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _sync(folder: Path) -> None:
    os.chmod(folder, 0o777 & ~umask())
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _swap(scratch: Path, folder: Path, force: bool) -> None:
    check_target(folder, force)
    if not folder.exists():
        scratch.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.replaced-", dir=folder.absolute().parent))
    folder.rename(old / "was")
    try:
        scratch.rename(folder)
    except OSError:
        (old / "was").rename(folder)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def seal(folder: Path, manifest: Manifest) -> Manifest:
    """Adds `manifest.json` with the hashes of all files in `folder`, and returns it."""
    files = {path.name: _hash(path) for path in sorted(folder.iterdir()) if path.name != MANIFEST}
    sealed = manifest.model_copy(update={"files": files}).sealed()
    (folder / MANIFEST).write_text(sealed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return sealed


def read_manifest(folder: Path) -> Manifest:
    """The manifest of an artifact; raises `ArtifactError` where there is none or it is not sound."""
    path = folder / MANIFEST
    with located(str(path)):
        if not path.is_file():
            raise ArtifactError("an artifact folder with a manifest expected, found none")
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise ArtifactError(f"schema version {SCHEMA_VERSION} expected; {place}: {first['msg']}") from None
        except OSError as error:
            raise ArtifactError(f"cannot be read: {error.strerror}") from None


def check_files(folder: Path, manifest: Manifest) -> list[str]:
    """What differs between the files and the hashes in the manifest, in words."""
    wrong = [] if manifest.intact() else [f"{MANIFEST} was changed after it was written"]
    for name, digest in manifest.files.items():
        path = folder / name
        if not path.is_file():
            wrong.append(f"{name} is missing")
        elif _hash(path) != digest:
            wrong.append(f"{name} was changed after it was written")
    return wrong


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
