"""One compact file and what it extends, merged, before patterns mean anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from eiann.config.clauses import Clause, parse_clauses, parse_value, shorten
from eiann.config.compact.words import REMOVE
from eiann.config.patterns import RESERVED
from eiann.config.places import Place
from eiann.config.validation import did_you_mean
from eiann.config.yaml_source import Plain, load_yaml

KEYS = ("about", "extends", "cells", "layers", "projections", "training", "order")
ORDERS = ("by_layer", "as_written")
_NESTED_KEYS = ("layer_config", "projection_config", "training_kwargs")
_MAX_CHAIN = 20


@dataclass(frozen=True)
class Line:
    """What one line says: its key, the clauses of its value and where it stands.

    ``own`` is false when it comes from a file that is extended.
    """

    key: str
    clauses: tuple[Clause, ...]
    place: Place
    own: bool = True

    @property
    def removes(self) -> bool:
        """Whether the value is ``remove``."""
        return len(self.clauses) == 1 and self.clauses[0].word == REMOVE and self.clauses[0].bare


Layers = dict[str, dict[str, list[Line]]]


@dataclass
class Document:
    """A compact network: for each population the lines about it, and all other lines in order."""

    layers: Layers = field(default_factory=dict)
    cells: list[Line] = field(default_factory=list)
    projections: list[Line] = field(default_factory=list)
    training: list[Line] = field(default_factory=list)
    order: str = ORDERS[0]
    places: dict[str, Place] = field(default_factory=dict)
    """Where each layer was first named."""


def read_document(data: Mapping[str, Plain], root: Place, folder: Path | None) -> Document:
    """Read compact data and the files that it extends.

    Args:
        data: what the file holds.
        root: place of the file.
        folder: what the path of ``extends`` is relative to; None for data that is not from a file.

    Raises:
        ConfigError: a key is unknown, a value is of the wrong kind, or a file that is extended cannot be read.
    """
    return _read(data, root, folder, ())


def _read(data: Mapping[str, Plain], root: Place, folder: Path | None, chain: tuple[Path, ...]) -> Document:
    for key in data:
        if key not in KEYS:
            raise root.child(key).error(f"unknown key; {did_you_mean(key, KEYS)}")
    document = _base(data, root, folder, chain)
    if not isinstance(data.get("about"), str | None):
        raise root.child("about").error(f"found {shorten(data['about'])}; text would be right")
    _merge_layers(document, data.get("layers"), root.child("layers"))
    document.cells += _lines(data.get("cells"), root.child("cells"), "cells")
    document.projections += _lines(data.get("projections"), root.child("projections"), "projections")
    training = root.child("training")
    values = _mapping(data.get("training"), training, "settings such as 'tau: 3'")
    document.training.append(Line("training", tuple(_from_mapping(values, training)), training))
    if "order" in data:
        order = data["order"]
        if not isinstance(order, str) or order not in ORDERS:
            raise root.child("order").error(f"found {shorten(order)}; {' or '.join(ORDERS)} would be right")
        document.order = order
    return document


def _base(data: Mapping[str, Plain], root: Place, folder: Path | None, chain: tuple[Path, ...]) -> Document:
    if "extends" not in data:
        return Document()
    place, name = root.child("extends"), data["extends"]
    if not isinstance(name, str) or not name or "\0" in name:
        raise place.error(f"found {shorten(name)}; the path of a network file would be right")
    if folder is None:
        raise place.error("only a file can extend another; load it with from_yaml")
    path = folder / name
    if path.resolve() in chain or len(chain) >= _MAX_CHAIN:
        raise place.error(f"{name!r} extends this file in turn; a base stands on its own")
    if not path.is_file():
        raise place.error(f"found {name!r}, but there is no file {path}")
    base, source = load_yaml(path)
    if not isinstance(base, dict) or any(key in base for key in _NESTED_KEYS):
        raise place.error(f"found {name!r}, which is not in the compact form; only compact files can be extended")
    document = _read(base, Place(source), path.parent, (*chain, path.resolve()))
    document.cells = [_inherited(line) for line in document.cells]
    document.projections = [_inherited(line) for line in document.projections]
    return document


def _inherited(line: Line) -> Line:
    return Line(line.key, line.clauses, line.place, own=False)


def _mapping(value: Plain, place: Place, what: str) -> dict[str, Plain]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise place.error(f"found {shorten(value)}; a mapping would be right: {what}")
    return value


def _lines(value: Plain, place: Place, kind: str) -> list[Line]:
    example = "'E: excitatory'" if kind == "cells" else "'E <- below.E: init 1'"
    return [_line(key, item, place.child(key)) for key, item in _mapping(value, place, example).items()]


def _line(key: str, value: Plain, place: Place) -> Line:
    return Line(key, tuple(read_clauses(value, place)), place)


def read_clauses(value: Plain, place: Place) -> list[Clause]:
    """Clauses of a value: nothing, a number, text, or a mapping of words.

    Raises:
        ConfigError: it is something else, or the text is not a list of clauses.
    """
    if value is None or value == "":
        return []
    if isinstance(value, int | float) and not isinstance(value, bool):
        return [Clause("", value, place)]  # whether it is whole is asked of a size where it stands
    if isinstance(value, str):
        return parse_clauses(value, place)
    if isinstance(value, dict):
        return _from_mapping(value, place)
    raise place.error(f"found {shorten(value)}; clauses such as 'init 1, dend' or a mapping would be right")


def _from_mapping(value: dict[str, Plain], place: Place) -> list[Clause]:
    found: list[Clause] = []
    for word, item in value.items():
        here = place.child(word)
        found.append(Clause(word, parse_value(item, here) if isinstance(item, str) and item else item, here))
    return found


def _merge_layers(document: Document, value: Plain, root: Place) -> None:
    """Merge the layers of a file into those of its base, population by population."""
    layers = document.layers
    given = _mapping(value, root, "'H1: {E: 128}'")
    order = list(layers)
    previous: str | None = None
    for name, populations in given.items():
        place = root.child(name)
        if name in RESERVED:
            raise place.error(f"{name!r} has a meaning of its own in selectors; another name would be right")
        if populations == REMOVE:
            if name not in layers:
                raise place.error(f"there is no layer {name!r} to remove; {did_you_mean(name, layers)}")
            del layers[name]
            order.remove(name)
            continue
        if name not in layers:
            order.insert(_position(order, previous, list(given)), name)
            layers[name] = {}
            document.places[name] = place
        _merge_populations(layers[name], populations, place)
        previous = name
    document.layers = {name: layers[name] for name in order}


def _position(order: list[str], previous: str | None, given: list[str]) -> int:
    """Behind the layer that precedes it in this file, else before the next one there is, else before the output."""
    if previous is not None:
        return order.index(previous) + 1
    following = [order.index(name) for name in given if name in order]
    return following[0] if following else max(len(order) - 1, 0)


def _merge_populations(layer: dict[str, list[Line]], value: Plain, root: Place) -> None:
    for name, item in _mapping(value, root, "'E: 128'").items():
        line = _line(name, item, root.child(name))
        if not line.removes:
            layer.setdefault(name, []).append(line)
        elif layer.pop(name, None) is None:
            raise line.place.error(f"there is no population {name!r} to remove; {did_you_mean(name, layer)}")
