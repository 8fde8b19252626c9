"""The one table of rules: how each ONNX op is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from onnx2snn.frontends.onnx.symbols import Symbol

Rule = Callable[..., Symbol | tuple[Symbol, ...]]
Registered = TypeVar("Registered", bound=Rule)
RULES: dict[tuple[str, str], Rule] = {}


def known_ops() -> list[str]:
    """What is read, as `Name`, or `domain:Name` outside ONNX's own domain."""
    return sorted(f"{domain}:{name}" if domain else name for domain, name in RULES)


def rule(*names: str, domain: str = "") -> Callable[[Registered], Registered]:
    """Registers how ONNX ops of these names are read: `rule(reader, node, *input symbols) -> output symbol(s)`."""

    def register(function: Registered) -> Registered:
        for name in names:
            if (domain, name) in RULES:
                raise ValueError(f"a second rule for {domain}:{name}")
            RULES[domain, name] = function
        return function

    return register
