"""What Lightning says that is no news here."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Generator
from contextlib import contextmanager

KNOWN = {
    r".*does not have many workers.*": "how many workers there are is the caller's choice (--workers)",
    r".*GPU available but not used.*": "--device cpu was asked for",
    r".*Checkpoint directory .* exists and is not empty.*": "a run that goes on keeps its last checkpoint there",
    r".*It is recommended to use .*sync_dist=True.*": "torchmetrics gathers over the processes itself",
    r".*isinstance\(treespec, LeafSpec\)": "Lightning 2.6 speaks to torch as before torch 2.10",
}
"""message -> why it is left out"""


@contextmanager
def quiet() -> Generator[None]:
    """Leaves out Lightning's notes on what it found and the warnings in KNOWN."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in KNOWN:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
