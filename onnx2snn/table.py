"""One rule table for every consumer of ops: what JAX calls an interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from onnx2snn.errors import BackendError, PluginError

Rule = TypeVar("Rule", bound=Callable[..., object])


class Table(Generic[Rule]):
    """Maps a type to the rule that one consumer has for it.

    >>> table = Table("demo printer")
    >>> @table.rule(int)
    ... def _(value): return f"int {value}"
    >>> table[int](3)
    'int 3'
    """

    def __init__(self, consumer: str) -> None:
        self.consumer = consumer
        self._rules: dict[type, Rule] = {}

    def rule(self, *kinds: type) -> Callable[[Rule], Rule]:
        """Registers the decorated function as the rule for `kinds`; a second rule for a kind is an error."""

        def register(function: Rule) -> Rule:
            for kind in kinds:
                if kind in self._rules:
                    raise PluginError(f"{self.consumer} has a rule for {kind.__name__} already")
                self._rules[kind] = function
            return function

        return register

    def __contains__(self, kind: type) -> bool:
        return kind in self._rules

    def __iter__(self) -> Iterator[type]:
        return iter(self._rules)

    def __getitem__(self, kind: type) -> Rule:
        try:
            return self._rules[kind]
        except KeyError:
            known = ", ".join(sorted(k.__name__ for k in self._rules))
            raise BackendError(f"{self.consumer} has no rule for {kind.__name__}; it takes: {known}") from None
