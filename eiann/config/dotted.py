"""The dotted form: ``projection_config`` is keyed ``H1.E:`` -> ``Input.E:``, and a few values have short forms."""

from __future__ import annotations

import re

from eiann.config.clauses import shorten
from eiann.config.places import Place
from eiann.config.yaml_source import Plain, parse_scalar
from eiann.errors import KeyPath

_BIAS = re.compile(r"\s*([A-Za-z][A-Za-z0-9_]*)\s*\((.*)\)\s*")
_BOUNDS: dict[str, list[Plain]] = {
    **{name: [0, None] for name in ("e", "exc", "excitatory")},
    **{name: [None, 0] for name in ("i", "inh", "inhibitory")},
}


def nested_from_dotted(data: dict[str, Plain], root: Place) -> tuple[dict[str, Plain], dict[KeyPath, Place]]:
    """The nested form of dotted data, and where each of its projections was written.

    Raises:
        ConfigError: a key or short form is not what it should be.
    """
    places: dict[KeyPath, Place] = {}
    nested = dict(data)
    layers = data.get("layer_config")
    if isinstance(layers, dict):
        nested["layer_config"] = _layers(layers, root.child("layer_config"), places)
    projections = data.get("projection_config")
    if isinstance(projections, dict):
        nested["projection_config"] = _projections(projections, root.child("projection_config"), places)
    return nested, places


def _layers(layers: dict[str, Plain], root: Place, places: dict[KeyPath, Place]) -> dict[str, Plain]:
    found: dict[str, Plain] = {}
    for layer, populations in layers.items():
        if not isinstance(populations, dict):
            found[layer] = populations
            continue
        found[layer] = {
            name: _population(population, root.child(layer, name), ("layer_config", layer, name), places)
            if isinstance(population, dict)
            else population
            for name, population in populations.items()
        }
    return found


def _population(data: dict[str, Plain], place: Place, path: KeyPath, places: dict[KeyPath, Place]) -> dict[str, Plain]:
    if "bias" not in data:
        return data
    here, text = place.child("bias"), data["bias"]
    match = _BIAS.fullmatch(text) if isinstance(text, str) else None
    numbers = [parse_scalar(part.strip()) for part in match[2].split(",")] if match and match[2].strip() else []
    if match is None or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
        raise here.error(f"found {shorten(text)}; an initializer such as 'uniform(0,1)' would be right")
    made: dict[str, Plain] = {
        "include_bias": True,
        "bias_init": f"{match[1]}_",
        "bias_init_args": [float(n) for n in numbers if isinstance(n, int | float)],
    }
    for key in made:
        if key in data:
            raise place.child(key).error("is said by 'bias' already; leave one of them out")
        places[*path, key] = here
    return {**{key: value for key, value in data.items() if key != "bias"}, **made}


def _projections(projections: dict[str, Plain], root: Place, places: dict[KeyPath, Place]) -> dict[str, Plain]:
    found: dict[str, dict[str, dict[str, dict[str, Plain]]]] = {}
    for post, pres in projections.items():
        post_layer, post_name = _split(post, root.child(post))
        if not isinstance(pres, dict):
            raise root.child(post).error(f"found {shorten(pres)}; a mapping keyed 'Input.E' would be right")
        target = found.setdefault(post_layer, {}).setdefault(post_name, {})
        for pre, properties in pres.items():
            place = root.child(post, pre)
            pre_layer, pre_name = _split(pre, place)
            places["projection_config", post_layer, post_name, pre_layer, pre_name] = place
            target.setdefault(pre_layer, {})[pre_name] = _properties(properties, place)
    return {layer: {name: dict(pres) for name, pres in posts.items()} for layer, posts in found.items()}


def _split(text: str, place: Place) -> tuple[str, str]:
    parts = text.split(".")
    if len(parts) != 2 or not all(parts):
        raise place.error(f"found the key {shorten(text)}; 'Layer.Population' would be right")
    return parts[0], parts[1]


def _properties(data: Plain, place: Place) -> Plain:
    if not isinstance(data, dict):
        return data
    found: dict[str, Plain] = {key: None if value == "None" else value for key, value in data.items() if key != "type"}
    kind = data.get("type")
    if kind is None or kind == "None":
        return found
    if not isinstance(kind, str):
        raise place.child("type").error(f"found {shorten(kind)}; 'Exc' or 'Inh' would be right")
    bounds = _BOUNDS.get(kind.lower())
    if bounds is None:  # the reference drops other types without a word
        return found
    if found.get("weight_bounds", bounds) != bounds:
        raise place.child("type").error(f"found {shorten(kind)}, but weight_bounds says otherwise; leave one out")
    return {**found, "weight_bounds": list(bounds)}
