"""Read YAML safely and remember on which line every key stands.

Differences from a plain safe loader, all of them so that a file means what it looks like:

* keys are text, always: a layer called ``N`` or ``1`` or ``on`` is a name;
* a repeated key is an error, and so is any tag that would make an object; ``!!python/tuple`` is read as a list;
* ``1e-3`` is a number (YAML 1.1 wants a dot in it), ``12:30`` and dates stay text, ``010`` stays text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import yaml
from yaml import events

from eiann.errors import ConfigError, KeyPath

Plain: TypeAlias = "bool | int | float | str | list[Plain] | dict[str, Plain] | None"
"""What YAML and JSON can say."""

MAX_DEPTH = 100
MAX_NODES = 200_000

_STANDARD = "tag:yaml.org,2002:"
_NULL = re.compile(r"~|null|Null|NULL|")
_TRUE = re.compile(r"true|True|TRUE|yes|Yes|YES|on|On|ON")
_FALSE = re.compile(r"false|False|FALSE|no|No|NO|off|Off|OFF")
_INT = re.compile(r"[-+]?(0|[1-9][0-9_]{0,99})|0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(r"[-+]?([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class SourceMap:
    r"""Lines of the keys of one file.

    Example:
        >>> data, source = parse_yaml("layers:\n  H1: 3\n", "net.yaml")
        >>> source.location(("layers", "H1", "size"))
        'net.yaml:2'
    """

    name: str
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def location(self, path: KeyPath = ()) -> str:
        """``file:line`` of the key path, or of the longest part of it that is in the file."""
        for end in range(len(path), -1, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                return f"{self.name}:{line}"
        return self.name

    def error(self, message: str, path: KeyPath = ()) -> ConfigError:
        """An error at this key path, with its place."""
        return ConfigError(message, path, self.location(path))


def load_yaml(path: Path | str) -> tuple[Plain, SourceMap]:
    """Read a YAML file.

    Raises:
        ConfigError: the file cannot be read, or is not YAML of the safe kind; the line is in the message.
    """
    name = str(path)
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("there is no such file", location=name) from None
    except IsADirectoryError:
        raise ConfigError("found a folder; a YAML file would be right", location=name) from None
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror or error}", location=name) from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"byte {error.start} is not UTF-8 text; a YAML file would be right", location=name) from None
    except ValueError as error:  # a null character in the name
        raise ConfigError(f"not a file name: {error}", location=repr(name)) from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str = "<text>") -> tuple[Plain, SourceMap]:
    """Read YAML from text; ``name`` stands for the file in errors."""
    builder = _Builder(name)
    try:
        for event in _events(text):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = ": ".join(part for part in (error.context, error.problem) if part)
        hint = "; text that begins with * wants quotes" if "alias" in problem else ""
        if "expected ',' or '}'" in problem:
            hint = "; inside braces, text with brackets in it wants quotes: {E: 'init[0]'}"
        if mark and _begins_with_tab(text, mark.line):
            problem, hint = "found a tab", "; indent with spaces"
        place = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(f"not valid YAML: {problem}{hint}", location=place) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"not valid YAML: {str(error).splitlines()[0]}", location=name) from None
    return builder.data, SourceMap(name, builder.lines)


def _begins_with_tab(text: str, number: int) -> bool:
    """Whether there is a tab in front of the first word of a line, which YAML does not take for indentation."""
    lines = text.splitlines()
    line = lines[number] if number < len(lines) else ""
    return "\t" in line[: len(line) - len(line.lstrip())]


def parse_scalar(text: str) -> bool | int | float | str | None:
    """What an unquoted YAML scalar means."""
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INT.fullmatch(text):
        return int(text.replace("_", ""), 16 if text.startswith("0x") else 10)
    if _FLOAT.fullmatch(text) and not re.match(r"[-+]?0[0-9]+$", text):
        return float(text.replace("_", ""))
    if _INFINITE.fullmatch(text):
        return float(text.lower().replace(".", ""))
    return text


def _events(text: str) -> Iterator[events.Event]:
    loader = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    yield from yaml.parse(text, Loader=loader)


@dataclass
class _Frame:
    """A list or mapping that is not complete yet."""

    value: list[Plain] | dict[str, Plain]
    path: KeyPath
    anchor: str | None
    key: str | None = None
    merging: bool = False
    merged: dict[str, Plain] = field(default_factory=dict)


class _Builder:
    """Turns parser events into data, without recursion, so that no file can exhaust the stack."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.data: Plain = None
        self.lines: dict[KeyPath, int] = {}
        self.stack: list[_Frame] = []
        self.anchors: dict[str, Plain] = {}
        self.nodes = 0
        self.documents = 0
        self.line = 1

    def take(self, event: events.Event) -> None:
        if event.start_mark is not None:
            self.line = event.start_mark.line + 1
        if isinstance(event, events.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self.error("found a second document (---); a file holds one")
        elif isinstance(event, events.ScalarEvent):
            self.scalar(event)
        elif isinstance(event, events.AliasEvent):
            self.alias(str(event.anchor))
        elif isinstance(event, events.SequenceStartEvent):
            self.open([], event, ("seq", "python/tuple"))
        elif isinstance(event, events.MappingStartEvent):
            self.open({}, event, ("map",))
        elif isinstance(event, events.CollectionEndEvent):
            self.close()

    def error(self, message: str) -> ConfigError:
        path = () if not self.stack else self.stack[-1].path if self.wants_key() else self.next_path()
        return ConfigError(message, path, f"{self.name}:{self.line}")

    def scalar(self, event: events.ScalarEvent) -> None:
        if self.wants_key():
            self.set_key(event.value, plain=not event.style and event.tag is None)
            return
        value: Plain
        plain = event.implicit[0] and not event.style
        tag = (event.tag or "!").removeprefix(_STANDARD)
        if plain and event.tag is None:
            value = parse_scalar(event.value)
        elif tag in {"!", "str"}:
            value = event.value
        elif tag in {"null", "bool", "int", "float"}:
            value = parse_scalar(event.value)
            if tag == "float" and isinstance(value, int):
                value = float(value)
            if tag != {"NoneType": "null"}.get(type(value).__name__, type(value).__name__):
                raise self.error(f"found {event.value!r}, which is no {tag}")
        else:
            raise self.error(f"the tag {event.tag!r} is not accepted; plain text, numbers, lists and mappings are")
        self.put(value, event.anchor)

    def alias(self, anchor: str) -> None:
        if self.wants_key():
            raise self.error(f"the alias *{anchor} stands where a key should be; text that begins with * wants quotes")
        if anchor not in self.anchors:
            raise self.error(f"the alias *{anchor} has no anchor above it; text that begins with * wants quotes")
        self.put(self.copy(self.anchors[anchor], len(self.stack)), None)

    def open(self, value: list[Plain] | dict[str, Plain], event: events.NodeEvent, tags: tuple[str, ...]) -> None:
        if self.wants_key():
            raise self.error("a key is text, not a list or a mapping; text that begins with [ or { wants quotes")
        tag = getattr(event, "tag", None)
        if tag is not None and tag.removeprefix(_STANDARD) not in {*tags, "!"}:
            raise self.error(f"the tag {tag!r} is not accepted; plain text, numbers, lists and mappings are")
        if len(self.stack) >= MAX_DEPTH:
            raise ConfigError(f"nested more than {MAX_DEPTH} deep", location=f"{self.name}:{self.line}")
        path = self.next_path()
        self.mark(path)
        self.stack.append(_Frame(value, path, event.anchor))

    def close(self) -> None:
        frame = self.stack.pop()
        if frame.merged and isinstance(frame.value, dict):
            # Merged keys come first, as in other loaders; the mapping's own keys win.
            frame.value = {**frame.merged, **frame.value}
        self.put(frame.value, frame.anchor)

    def wants_key(self) -> bool:
        return bool(self.stack) and isinstance(self.stack[-1].value, dict) and self.stack[-1].key is None

    def set_key(self, key: str, *, plain: bool) -> None:
        frame = self.stack[-1]
        path = (*frame.path, key)
        if path in self.lines:
            raise ConfigError(
                f"the key is given twice, first on line {self.lines[path]}", path, f"{self.name}:{self.line}"
            )
        frame.key = key
        frame.merging = plain and key == "<<"
        self.lines[path] = self.line

    def next_path(self) -> KeyPath:
        if not self.stack:
            return ()
        frame = self.stack[-1]
        return (*frame.path, len(frame.value) if isinstance(frame.value, list) else str(frame.key))

    def mark(self, path: KeyPath) -> None:
        self.lines.setdefault(path, self.line)
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(f"more than {MAX_NODES} values")

    def put(self, value: Plain, anchor: str | None) -> None:
        if anchor is not None:
            self.anchors[anchor] = value
        self.mark(self.next_path())
        if not self.stack:
            self.data = value
            return
        frame = self.stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
        elif frame.merging:
            self.merge(frame, value)
        else:
            frame.value[str(frame.key)] = value
        frame.key, frame.merging = None, False

    def merge(self, frame: _Frame, value: Plain) -> None:
        for part in value if isinstance(value, list) else [value]:
            if not isinstance(part, dict):
                raise self.error("<< merges mappings; found something else")
            for key, item in part.items():
                frame.merged.setdefault(key, item)

    def copy(self, value: Plain, depth: int) -> Plain:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise self.error(f"more than {MAX_NODES} values")
        if depth > MAX_DEPTH:
            raise ConfigError(f"nested more than {MAX_DEPTH} deep", location=f"{self.name}:{self.line}")
        if isinstance(value, list):
            return [self.copy(item, depth + 1) for item in value]
        if isinstance(value, dict):
            return {key: self.copy(item, depth + 1) for key, item in value.items()}
        return value
