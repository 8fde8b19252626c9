"""Packages that only some commands need: which extra of onnx2snn brings them, what to say where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from onnx2snn.errors import MissingExtraError

#: the extra that brings a package; one that none brings is installed by its own name
EXTRAS = {
    "torch": "torch",
    "numba": "fast",
    "lightning": "train",
    "torchmetrics": "train",
    "PIL": "train",
    "nir": "nir",
    "h5py": "loihi",
    "matplotlib": "report",
    "jinja2": "report",
}
NAMES = {"torch": "PyTorch", "lightning": "Lightning", "PIL": "Pillow", "hypothesis": "Hypothesis"}


def need(what: str, *packages: str, extra: str = "") -> None:
    """Raises `MissingExtraError`, with what to install, where `what` cannot do without a package that is not there.

    extra: the one that brings them, where it is not that of `EXTRAS`.
    """
    if missing := absent(packages):
        raise MissingExtraError(f"{what} {lacking(missing, extra)}")


def absent(packages: Sequence[str]) -> tuple[str, ...]:
    """Those of some packages that are not installed."""
    return tuple(package for package in packages if find_spec(package) is None)


def lacking(packages: Sequence[str], extra: str = "") -> str:
    """Words for packages that are missing, with what to install.

    >>> lacking(["matplotlib", "jinja2"])
    "needs matplotlib and jinja2: pip install 'onnx2snn[report]'"
    >>> lacking(["hypothesis"])
    'needs Hypothesis: pip install hypothesis'
    """
    extras = {extra} if extra else {EXTRAS[package] for package in packages if package in EXTRAS}
    others = [] if extra else [package for package in packages if package not in EXTRAS]
    found = [f"'onnx2snn[{','.join(sorted(extras))}]'"] if extras else []
    named = [NAMES.get(package, package) for package in packages]
    return f"needs {' and '.join(named)}: pip install {' '.join([*found, *others])}"
