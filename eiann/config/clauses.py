"""The little language of the compact form: ``rule Backprop(learning_rate=0.1), init 2, dend``.

A line is a list of clauses; a clause is a word and perhaps a value; a value is a scalar, a list, or a call. This module
knows the grammar only, not the words::

    clauses := clause (',' clause)*
    clause  := word [value] | integer
    word    := name ['.' name] | name '[' integer ']'
    value   := scalar | "'" text "'" | '[' value (',' value)* ']' | name '(' [argument (',' argument)*] ')'
    argument := value | name '=' value
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from eiann.config.places import Place
from eiann.config.yaml_source import Plain, parse_scalar
from eiann.errors import ConfigError

_TOKEN = re.compile(
    r"""\s*(?:(?P<sign>[,()\[\]=])
         |'(?P<single>(?:[^']|'')*)'
         |"(?P<double>[^"]*)"
         |(?P<scalar>[^\s,()\[\]='"]+))""",
    re.VERBOSE,
)
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]*")
_NOTHING = {"none", "null", "None"}
_END = ("end", "")
_MAX_DEPTH = 20


@dataclass(frozen=True)
class Call:
    """``name(1, scale=2)``: a name with positional and named arguments."""

    name: str
    args: tuple[Plain, ...] = ()
    kwargs: Mapping[str, Plain] = field(default_factory=dict)


Value: TypeAlias = "Plain | Call"


@dataclass(frozen=True)
class Clause:
    """A word, its value (None when it has none, or the value is ``none``) and where it stands."""

    word: str
    value: Value
    place: Place
    bare: bool = False
    """Whether the word stands alone."""


def parse_clauses(text: str, place: Place) -> list[Clause]:
    """Clauses of one line.

    Raises:
        ConfigError: the text is not a list of clauses.

    Example:
        >>> [(clause.word, clause.value) for clause in parse_clauses("init 2, dend", Place())]
        [('init', 2), ('dend', None)]
    """
    return _Parser(text, place).clauses()


def parse_value(text: str, place: Place) -> Value:
    """A value alone, as it stands behind a word or as text in a mapping."""
    return _Parser(text, place).whole_value()


def format_value(value: Value) -> str | None:
    """Write a value so that ``parse_value`` reads the same; None if the language cannot say it (it has no mappings)."""
    if isinstance(value, Call):
        arguments = [("", item) for item in value.args] + [(f"{key}=", item) for key, item in value.kwargs.items()]
        parts = [(prefix, format_value(item)) for prefix, item in arguments]
        if not _NAME.fullmatch(value.name) or not all(_NAME.fullmatch(key) for key in value.kwargs):
            return None
        if any(text is None for _, text in parts):
            return None
        inner = ", ".join(f"{prefix}{text}" for prefix, text in parts)
        is_name = value.name not in {*_NOTHING, "constant"} and parse_scalar(value.name) == value.name
        return value.name if is_name and not parts else f"{value.name}({inner})"
    if isinstance(value, list):
        items = [format_value(item) for item in value]
        return None if any(item is None for item in items) else f"[{', '.join(item for item in items if item)}]"
    if isinstance(value, dict):
        return None
    return _format_scalar(value)


def _format_scalar(value: bool | float | str | None) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        bare = _BARE.fullmatch(value) and value not in _NOTHING and parse_scalar(value) == value
        return value if bare else "'" + value.replace("'", "''") + "'"
    return repr(value)


class _Parser:
    def __init__(self, text: str, place: Place) -> None:
        self.text = text
        self.place = place
        self.tokens = self.scan(text)
        self.next = 0
        self.depth = 0

    def scan(self, text: str) -> list[tuple[str, str]]:
        tokens: list[tuple[str, str]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise self.error("a quotation mark without its partner")
            kind = str(match.lastgroup)
            value = match.group(kind)
            tokens.append(("quoted", value.replace("''", "'")) if kind in {"single", "double"} else (kind, value))
            position = match.end()
        return tokens

    def error(self, message: str) -> ConfigError:
        return self.place.error(f"found {shorten(self.text)}: {message}")

    def peek(self) -> tuple[str, str]:
        return self.tokens[self.next] if self.next < len(self.tokens) else _END

    def take(self) -> tuple[str, str]:
        token = self.peek()
        self.next += 1
        return token

    def at(self, sign: str) -> bool:
        return self.peek() == ("sign", sign)

    def expect(self, sign: str) -> None:
        if not self.at(sign):
            raise self.error(f"{self.show()} stands where {sign!r} should be")
        self.next += 1

    def show(self) -> str:
        kind, text = self.peek()
        return "the end" if kind == "end" else repr(text)

    def clauses(self) -> list[Clause]:
        found: list[Clause] = []
        while True:
            found.append(self.clause())
            if self.peek() == _END:
                return found
            if not self.at(","):
                raise self.error(f"{self.show()} stands where a comma should be")
            self.next += 1

    def clause(self) -> Clause:
        kind, text = self.take()
        if kind != "scalar":
            self.next -= 1
            raise self.error(f"{self.show()} stands where a word should be")
        if isinstance(number := parse_scalar(text), int) and not isinstance(number, bool):
            return Clause("", number, self.place)
        if not _WORD.fullmatch(text):
            raise self.error(f"{text!r} stands where a word should be")
        place = self.place.child(*text.split("."))
        if self.peek() == _END or self.at(","):
            return Clause(text, None, place, bare=True)
        return Clause(text, self.value(), place)

    def whole_value(self) -> Value:
        value = self.value()
        if self.peek() != _END:
            raise self.error(f"{self.show()} stands where the end should be")
        return value

    def value(self) -> Value:
        kind, text = self.take()
        if kind == "quoted":
            return text
        if kind == "sign" and text == "[":
            return list(self.items("]"))
        if kind != "scalar":
            self.next -= 1
            raise self.error(f"{self.show()} stands where a value should be")
        if self.at("("):
            if not _NAME.fullmatch(text):
                raise self.error(f"{text!r} stands where a name should be")
            self.next += 1
            return self.call(text)
        return None if text in _NOTHING else parse_scalar(text)

    def plain(self) -> Plain:
        value = self.value()
        if isinstance(value, Call):
            raise self.error(f"{value.name!r} stands with arguments where a plain value should be")
        return value

    def items(self, end: str) -> Sequence[Plain]:
        values: list[Plain] = []
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self.error(f"lists nested more than {_MAX_DEPTH} deep")
        while not self.at(end):
            values.append(self.plain())
            if not self.at(end):
                self.expect(",")
        self.next += 1
        self.depth -= 1
        return values

    def call(self, name: str) -> Call:
        args: list[Plain] = []
        kwargs: dict[str, Plain] = {}
        while not self.at(")"):
            kind, text = self.peek()
            following = self.tokens[self.next + 1] if self.next + 1 < len(self.tokens) else _END
            if kind == "scalar" and following == ("sign", "="):
                if text in kwargs:
                    raise self.error(f"the argument {text!r} is given twice")
                self.next += 2
                kwargs[text] = self.plain()
            elif kwargs:
                raise self.error(f"{self.show()} stands where an argument 'name=value' should be")
            else:
                args.append(self.plain())
            if not self.at(")"):
                self.expect(",")
        self.next += 1
        return Call(name, tuple(args), kwargs)


def shorten(value: object, limit: int = 80) -> str:
    """A value as YAML would show it, on one line and not too long."""
    word = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    text = " ".join(word.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
