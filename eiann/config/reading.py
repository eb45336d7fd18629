"""From a file or plain data in any form to a ``NetworkConfig``. The form is seen from the keys, never tried out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from pydantic_core import PydanticCustomError

from eiann.config.clauses import shorten
from eiann.config.compact.document import KEYS as COMPACT_KEYS
from eiann.config.compact.expanding import nested_from_compact
from eiann.config.dotted import nested_from_dotted
from eiann.config.patterns import NAME
from eiann.config.places import Origins, Place
from eiann.config.validation import did_you_mean, validated
from eiann.config.values import as_plain
from eiann.config.yaml_source import Plain, load_yaml
from eiann.errors import KeyPath

if TYPE_CHECKING:
    from eiann.config.schema import NetworkConfig

C = TypeVar("C", bound="NetworkConfig")
Form = Literal["compact", "nested", "dotted"]

#: A file that a study exported holds a network with the run that measured it; ``optimize.export`` reads all of it.
EXPORTED_KEYS = frozenset(("network", "run", "provenance"))
NESTED_KEYS = ("layer_config", "projection_config", "training_kwargs")


def read_file(path: Path, model: type[C]) -> C:
    """Read a YAML file in any form."""
    data, source = load_yaml(path)
    return _read(data, Place(source), model, path.parent)


def read_data(data: Mapping[str, Any], model: type[C]) -> C:
    """Read plain data in any form."""
    return _read(data, Place(), model, None)


def detect_form(data: Mapping[str, Plain], root: Place) -> Form:
    """Which form the data has.

    Raises:
        ConfigError: it has keys of two forms, or of none.
    """
    compact = [key for key in data if key in COMPACT_KEYS]
    nested = [key for key in data if key in NESTED_KEYS]
    if compact and nested:
        raise root.child(nested[0]).error(
            f"this key belongs to the nested form, {compact[0]!r} to the compact form; a file has one form"
        )
    if compact:
        return "compact"
    if not nested:
        known = [*COMPACT_KEYS, *NESTED_KEYS]
        for key in data:
            raise root.child(key).error(f"unknown key; {did_you_mean(key, known)}")
        raise root.error("found nothing; a network has layers and projections")
    return "dotted" if _is_dotted(data, root) else "nested"


def _is_dotted(data: Mapping[str, Plain], root: Place) -> bool:
    projections = data.get("projection_config")
    keys = list(projections) if isinstance(projections, dict) else []
    dotted = [key for key in keys if "." in key]
    if dotted and len(dotted) < len(keys):
        odd = next(key for key in keys if key not in dotted)
        raise root.child("projection_config", odd).error(
            f"this key has no dot, but {dotted[0]!r} has; all or none are 'Layer.Population'"
        )
    return bool(dotted)


def _read(data: object, root: Place, model: type[C], folder: Path | None) -> C:
    try:
        plain = as_plain(data)
    except PydanticCustomError as error:
        context = error.context or {}
        raise root.child(*context["path"]).error(str(context["message"])) from None
    if plain is None and root.source:
        raise root.error("the file is empty; a mapping with layers and projections would be right")
    if not isinstance(plain, dict):
        raise root.error(f"found {shorten(plain)}; a mapping with layers and projections would be right")
    if "network" in plain and set(plain) <= EXPORTED_KEYS and isinstance(plain["network"], dict):
        root, plain = root.child("network"), plain["network"]
    form = detect_form(plain, root)
    entries: dict[KeyPath, Place] = {}
    if form == "compact":
        plain, entries = nested_from_compact(plain, root, folder)
    elif form == "dotted":
        plain, entries = nested_from_dotted(plain, root)
    return finished(plain, Origins(entries, root), model)


def finished(plain: dict[str, Plain], origins: Origins, model: type[C]) -> C:
    """Validate data of the nested form.

    Raises:
        ConfigError: at its place in the user's file.
    """
    if plain.get("training_kwargs", {}) is None:
        plain = {key: value for key, value in plain.items() if key != "training_kwargs"}
    _check_names(plain, origins)
    config = validated(model, plain, origins)
    config._origins = origins  # noqa: SLF001
    return config


def _check_names(data: Mapping[str, Plain], origins: Origins) -> None:
    """Names are joined to names of parameters (``H1E_InputE``), and so neither ``_`` nor ``.`` may be in them."""
    full: dict[str, KeyPath] = {}
    for layer, populations in _items(data.get("layer_config")):
        _check_name(layer, ("layer_config", layer), "layer", origins)
        if populations == {}:
            raise origins.place(("layer_config", layer)).error(
                "the layer has no population; give it one or leave it out"
            )
        for population, _ in _items(populations):
            path = ("layer_config", layer, population)
            _check_name(population, path, "population", origins)
            if layer + population in full:
                other = ".".join(str(part) for part in full[layer + population][1:])
                raise origins.place(path).error(f"its full name {layer + population!r} is also that of {other}")
            full[layer + population] = path
    _check_projections(data.get("projection_config"), data.get("layer_config"), ("projection_config",), origins)


def _check_name(name: str, path: KeyPath, kind: str, origins: Origins) -> None:
    if not NAME.fullmatch(name):
        raise origins.place(path).error(
            f"found {name!r}; the name of a {kind} has letters and digits only: a-z, A-Z, 0-9"
        )


def _check_projections(data: Plain, layers: Plain, path: KeyPath, origins: Origins) -> None:
    """Both ends of a projection must exist; ``path`` grows by layer, population, layer, population."""
    known = dict(_items(layers))
    for layer, populations in _items(data):
        if known and layer not in known:
            raise origins.place((*path, layer)).error(f"there is no layer {layer!r}; {did_you_mean(layer, known)}")
        members = dict(_items(known.get(layer)))
        for population, pres in _items(populations):
            here = (*path, layer, population)
            if members and population not in members:
                hint = did_you_mean(population, members)
                raise origins.place(here).error(f"layer {layer!r} has no population {population!r}; {hint}")
            if len(here) == 3:
                _check_projections(pres, layers, here, origins)


def _items(data: Plain) -> Iterable[tuple[str, Plain]]:
    return data.items() if isinstance(data, dict) else ()
