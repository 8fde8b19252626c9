"""Text to graph: reads what `printer` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

import numpy as np

from onnx2snn.errors import GraphError, TextError, located
from onnx2snn.ir.graph import Graph, Origin
from onnx2snn.ir.op import Array, op_fields
from onnx2snn.ir.ops import OP_BY_NAME
from onnx2snn.ir.text.printer import DTYPES

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<arrow><-)
      | (?P<number>[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+|inf|nan)(?![\w./:-]))
      | (?P<word>[\w./-]+(?::[\w./-]+)*)
      | (?P<mark>[(){}\[\],=:@])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


def parse_graph(text: str, arrays: Mapping[str, Array] | None = None) -> Graph:
    """The graph that `text` describes; `arrays` holds what the text names by `@name`.

    Raises `TextError` with the line where the text does not parse and `GraphError` where the graph is not sound.
    """
    parser = _Parser(_tokens(text), arrays or {})
    try:
        return parser.graph()
    except (ValueError, ArithmeticError) as error:  # numbers and arrays that cannot be
        raise TextError(f"line {parser.peek().line}: {error}") from None


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    place, line = 0, 1
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise TextError(f"line {line}: {text[place : place + 12]!r} is not part of the text form")
        if match.lastgroup != "space":
            tokens.append(_Token(match.lastgroup or "", match.group(), line))
        line += match.group().count("\n")
        place = match.end()
    return [*tokens, _Token("end", "end of text", line)]


class _Parser:
    def __init__(self, tokens: list[_Token], arrays: Mapping[str, Array]) -> None:
        self.tokens = tokens
        self.arrays = arrays
        self.place = 0

    def graph(self) -> Graph:
        self.expect("graph")
        graph = Graph(self.take("word", "number").text)
        self.expect("{")
        while not self.at("return") or self.tokens[self.place + 1].text == ":":
            self.node(graph)
        self.expect("return")
        graph.outputs = tuple(self.names("}"))
        for output in graph.outputs:
            _ = graph[output]
        if self.peek().kind != "end":
            raise self.wrong("end of text")
        return graph

    def node(self, graph: Graph) -> None:
        start = self.take("word", "number")
        self.expect(":")
        shape = self.take("word", "number").text
        self.expect("=")
        kind = self.take("word").text
        if kind not in OP_BY_NAME:
            raise TextError(f"line {start.line}: no op {kind!r}; known: {', '.join(sorted(OP_BY_NAME))}")
        self.expect("(")
        inputs = self.names(")")
        fields = self.fields(kind)
        origin = self.origin()
        with located(f"line {start.line}"):
            try:
                graph.add(start.text, OP_BY_NAME[kind](**fields), inputs, origin)
            except TypeError as error:
                raise TextError(f"{kind}: {error}") from None
            found = "x".join(map(str, graph.shape(start.text))) or "scalar"
            if found != shape:
                raise GraphError(f"{start.text}: shape {shape} written, {found} inferred")

    def fields(self, kind: str) -> dict[str, object]:
        known = get_type_hints(OP_BY_NAME[kind])
        known = {name: known[name] for name in op_fields(OP_BY_NAME[kind])}
        result: dict[str, object] = {}
        self.expect("{")
        while not self.at("}"):
            key = self.take("word")
            if key.text not in known:
                raise TextError(f"line {key.line}: {kind} has no field {key.text!r}; known: {', '.join(known)}")
            self.expect("=")
            result[key.text] = value = self.value()
            if not _is(value, known[key.text]):
                found = "an array" if isinstance(value, np.ndarray) else repr(value)
                raise TextError(f"line {key.line}: {kind} cannot take {found} for {key.text}")
            self.separator("}")
        self.expect("}")
        return result

    def origin(self) -> Origin:
        if self.peek().kind != "arrow":
            return Origin()
        self.place += 1
        return Origin(*(json.loads(self.take("string").text) for _ in range(3)))

    def value(self) -> object:
        token = self.peek()
        if token.kind == "string":
            return json.loads(self.take("string").text)
        if token.kind == "number":
            return _number(self.take("number").text)
        if self.at("("):
            return self.numbers("(", ")")
        word = self.take("word")
        if word.text in DTYPES:
            return self.array(word)
        constants = {"true": True, "false": False, "None": None}
        if word.text not in constants:
            raise TextError(f"line {word.line}: a value expected, found {word.text!r}")
        return constants[word.text]

    def array(self, kind: _Token) -> Array:
        shape = tuple(int(n) for n in self.numbers("[", "]"))
        if self.at("{"):
            numbers = self.numbers("{", "}")
            if kind.text.startswith("i") and not all(isinstance(n, int) for n in numbers):
                raise TextError(f"line {kind.line}: whole numbers expected in an array of type {kind.text}")
            with np.errstate(over="raise"):
                return np.array(numbers, dtype=DTYPES[kind.text]).reshape(shape)
        self.expect("@")
        name = self.take("word", "number").text
        if name not in self.arrays:
            raise TextError(f"line {kind.line}: array {name!r} is not among the arrays given")
        found = self.arrays[name]
        if found.shape != shape or found.dtype != DTYPES[kind.text]:
            there, written = f"{found.dtype}{list(found.shape)}", f"{kind.text}{list(shape)}"
            raise TextError(f"line {kind.line}: array {name!r} is {there}, {written} written")
        return found

    def numbers(self, opening: str, closing: str) -> tuple[int | float, ...]:
        self.expect(opening)
        values: list[int | float] = []
        while not self.at(closing):
            values.append(_number(self.take("number").text))
            self.separator(closing)
        self.expect(closing)
        return tuple(values)

    def names(self, closing: str) -> list[str]:
        names: list[str] = []
        while not self.at(closing):
            names.append(self.take("word", "number").text)
            self.separator(closing)
        self.expect(closing)
        return names

    def separator(self, closing: str) -> None:
        if not self.at(closing):
            self.expect(",")

    def peek(self) -> _Token:
        return self.tokens[self.place]

    def at(self, text: str) -> bool:
        return self.peek().text == text

    def take(self, *kinds: str) -> _Token:
        token = self.peek()
        if token.kind not in kinds:
            raise self.wrong(" or ".join(kinds))
        self.place += 1
        return token

    def expect(self, text: str) -> None:
        if not self.at(text):
            raise self.wrong(repr(text))
        self.place += 1

    def wrong(self, expected: str) -> TextError:
        token = self.peek()
        return TextError(f"line {token.line}: {expected} expected, found {token.text!r}")


def _is(value: object, hint: Any) -> bool:
    """Whether a field declared as `hint` can hold `value`."""
    kind, arguments = get_origin(hint) or hint, get_args(hint)
    if kind is Literal:
        return isinstance(value, str) and value in arguments
    if kind in (Union, UnionType):
        return any(_is(value, argument) for argument in arguments)
    if kind is tuple:
        return type(value) is tuple and all(type(entry) is int for entry in cast("tuple[object, ...]", value))
    return type(value) in ((int, float) if kind is float else (kind,))


def _number(text: str) -> int | float:
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
