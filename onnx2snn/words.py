"""Small words that many messages share."""

from __future__ import annotations


def amount(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it is not one.

    >>> amount(1, "step"), amount(15, "step")
    ('1 step', '15 steps')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
