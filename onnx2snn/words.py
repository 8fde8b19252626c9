"""Small words that many messages share."""

from __future__ import annotations

import re

PARAMETER = re.compile(r"`(\w+)`")  #: a parameter in the text of an error
#: parameters that options of the command line have other names for
OPTIONS = {
    "devices": "device",
    "drops": "drop",
    "exit_rule": "exit",
    "input_levels": "quantise-input",
    "method": "calibrate-method",
    "threshold": "threshold-noise",
    "weight": "weight-noise",
    "weight_scales": "weight-scale",
}


def option(parameter: str) -> str:
    """The option of the command line that gives a parameter.

    >>> option("calibrate_steps"), option("input_levels")
    ('--calibrate-steps', '--quantise-input')
    """
    return f"--{OPTIONS.get(parameter, parameter.replace('_', '-'))}"


def amount(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one.

    >>> amount(1, "step"), amount(15, "step")
    ('1 step', '15 steps')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
