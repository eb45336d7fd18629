"""Space files: found by name, read with their lines, and merged with what they extend."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

import search_spaces
from eiann.config.yaml_source import SourceMap, load_yaml
from eiann.errors import ConfigError, KeyPath, UserError
from optimize.space.document import (
    Instances,
    ObjectiveSpec,
    ParameterSpec,
    PointSpec,
    Range,
    RunSettings,
    SpaceDocument,
)
from optimize.space.early import Race, Stopping
from optimize.space.formula import suggest
from optimize.space.wording import in_words

# What names one model is not handed on to the spaces that extend it.
_NOT_INHERITED: Final = ("title", "figure", "reference")
START_POINT: Final = "x0"
_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "parameters": ParameterSpec,
    "ranges": Range,
    "run": RunSettings,
    "instances": Instances,
    "objectives": ObjectiveSpec,
    "points": PointSpec,
    "stopping": Stopping,
    "race": Race,
}


@dataclass(frozen=True)
class Origins:
    """Where each key of a merged document stands.

    Attributes:
        places: key path -> ``file.yaml:12``.
        file: the file that was asked for, all others are what it extends.
    """

    places: Mapping[KeyPath, str]
    file: str = ""

    def is_own(self, path: KeyPath) -> bool:
        """Whether a key was written in the file that was asked for, or in none at all."""
        place = self.places.get(path)
        return place is None or place.rpartition(":")[0] == self.file

    def locate(self, path: Sequence[str | int]) -> str | None:
        """The place of this key, or of the nearest one around it."""
        for length in range(len(path), -1, -1):
            if place := self.places.get(tuple(path[:length])):
                return place
        return None

    def place(self, error: ConfigError, prefix: Sequence[str | int] = ()) -> ConfigError:
        """The same error with the key path behind ``prefix`` and with its place."""
        path = (*prefix, *error.path)
        return ConfigError(error.message, path, error.location or self.locate(path))


@dataclass(frozen=True)
class Source:
    """A space file merged with all that it extends.

    Attributes:
        document: the validated content.
        origins: where its keys stand.
        folder: where the network file is looked for; each file's own network is relative to itself.
    """

    document: SpaceDocument
    origins: Origins
    path: Path | None


def find(name_or_path: str | Path) -> Path:
    """The file of a space: a path, or the name or alias of a shipped one.

    Raises:
        UserError: there is neither; the message names the nearest shipped space.
    """
    if (found := search_spaces.entry(str(name_or_path))) is not None:
        return found.path
    path = Path(name_or_path)
    if path.is_file():
        return path
    if path.suffix in (".yaml", ".yml"):
        raise UserError(f"{name_or_path}: there is no such file")
    names = [entry.name for entry in search_spaces.catalogue()]
    raise UserError(f"{name_or_path}: there is no such search space; {suggest(str(name_or_path), names)}")


def read(path: Path) -> Source:
    """Read a space file, follow its ``extends`` and validate the result.

    Raises:
        ConfigError: with file, line and key path of what is wrong.
    """
    data, places = _merged(path, ())
    origins = Origins(places, str(path))
    document = validate(data, origins)
    _check_pairs(document.instances.pairs or (), origins)
    return Source(document, origins, path)


def validate(data: Mapping[str, Any], origins: Origins) -> SpaceDocument:
    """A typed document from plain data; the first mistake becomes a ``ConfigError`` with its place."""
    try:
        return SpaceDocument.model_validate(data)
    except ValidationError as error:
        raise first_problem(error, data, origins) from error


def _check_pairs(pairs: Sequence[tuple[int, int]], origins: Origins) -> None:
    """Not part of the document's own checks: what a study was begun with must go on to open."""
    for position, (network, data) in enumerate(pairs):
        spelt = ("pairs",) if ("instances", "pairs") in origins.places else ()
        place = ("instances", *spelt, position)
        if data < 0:
            message = f"found the data seed {data}; a whole number of 0 or more would be right"
            raise origins.place(ConfigError(message, place))
        if (network, data) in pairs[:position]:
            message = f"found {[network, data]} twice; the second one would only repeat the first"
            raise origins.place(ConfigError(message, place))


def _merged(path: Path, seen: tuple[Path, ...]) -> tuple[dict[str, Any], dict[KeyPath, str]]:
    resolved = path.resolve()
    if resolved in seen:
        raise ConfigError("found a file that extends itself", ("extends",), str(path))
    raw, source = load_yaml(path)
    if not isinstance(raw, dict):
        found = "the file is empty" if raw is None else "found no mapping"
        raise ConfigError(f"{found}; a space file has keys such as 'network' and 'parameters'", (), str(path))
    own: dict[str, Any] = dict(raw)
    own_places = {key_path: f"{source.name}:{line}" for key_path, line in source.lines.items()}
    if isinstance(own.get("network"), str):
        own["network"] = str(_beside(path, own["network"], ("network",), source))
    bases = own.pop("extends", [])
    data: dict[str, Any] = {}
    places: dict[KeyPath, str] = {}
    for name in [bases] if isinstance(bases, str) else bases:
        base_path = _beside(path, name, ("extends",), source)
        base, base_places = _merged(base_path, (*seen, resolved))
        _drop_own_words(base)
        _merge(data, base)
        places |= base_places
    _merge(data, own)
    return data, places | own_places


def _beside(path: Path, name: object, key: KeyPath, source: SourceMap) -> Path:
    """A file named relative to the one that names it; ``.yaml`` may be left out."""
    if not isinstance(name, str):
        raise source.error(f"found {name!r}; write the name of a file", key)
    found = Path(os.path.normpath(path.parent / (name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")))
    if not found.is_file():
        raise source.error(f"found {name!r}; there is no file {found}", key)
    return found


def _drop_own_words(base: dict[str, Any]) -> None:
    for key in _NOT_INHERITED:
        base.pop(key, None)
    points = base.get("points")
    if isinstance(points, dict):
        base["points"] = {name: point for name, point in points.items() if name == START_POINT}


def _merge(into: dict[str, Any], child: Mapping[str, Any]) -> None:
    """Lay ``child`` over ``into``: mappings key by key, null removes a key, anything else replaces."""
    for key, value in child.items():
        # Targets and networks are one value each: half of another one's would be neither.
        if isinstance(value, dict) and isinstance(into.get(key), dict) and key not in ("sets", "network"):
            into[key] = dict(into[key])
            _merge(into[key], value)
        elif value is None:
            into.pop(key, None)
        else:
            into[key] = value


def first_problem(error: ValidationError, data: Mapping[str, Any], origins: Origins | None = None) -> ConfigError:
    """The most telling of pydantic's complaints about a document or a part of one, in our words and with its place."""
    # Where several forms are allowed, what our own checks say of the nearest one says most.
    problem = min(error.errors(), key=lambda problem: problem["type"] != "value_error")
    path = _path_in(data, problem["loc"])
    location = origins.locate(path) if origins else None
    if problem["type"] == "extra_forbidden":
        message = f"unknown key {path[-1]!r}; {suggest(str(path[-1]), _known_keys(path[:-1]))}"
        return ConfigError(message, path[:-1], location)
    if problem["type"] == "missing" and not isinstance(problem["loc"][-1], int):
        return ConfigError(f"the key {problem['loc'][-1]!r} is missing", path, location)
    if problem["type"] == "value_error":
        return ConfigError(str(problem["ctx"]["error"]), path, location)
    return ConfigError(in_words(problem, path, _PARTS), path, location)


def _path_in(data: object, loc: tuple[str | int, ...]) -> KeyPath:
    """Pydantic's path without the names of alternatives that it adds to it."""
    path: list[str | int] = []
    for key in loc:
        try:
            data = data[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            continue
        path.append(key)
    return tuple(path)


def _known_keys(path: KeyPath) -> list[str]:
    """The keys of that part of a document."""
    model: type[BaseModel] = SpaceDocument
    if path:
        model = _PARTS.get(str(path[0]), SpaceDocument)
    return list(model.model_fields)
