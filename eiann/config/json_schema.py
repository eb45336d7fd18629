"""JSON schema of network files, so that an editor can complete and check them: ``python -m eiann.config.json_schema``.

It is made from the types: keys of the nested and dotted forms from the models, words of the
compact form from their table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from eiann.config.compact.document import ORDERS
from eiann.config.compact.words import CELL, POPULATION, PROJECTION, REMOVE, SCALE, TRAINING, Cell, Flag, Named, Word
from eiann.config.schema import NetworkConfig, PopulationConfig, ProjectionConfig, Section, TrainingConfig

Schema = dict[str, Any]

_OWN_WORDS = {
    CELL: "Cell type, which gives outgoing weights their sign: E, I or none.",
    SCALE: "Scale of the default initializer of all outgoing weights.",
}


def json_schema() -> Schema:
    """The JSON schema (2020-12) of all three forms."""
    nested = NetworkConfig.model_json_schema(ref_template="#/$defs/{model}")
    definitions = nested.pop("$defs")
    kind = {"type": "string", "description": "Exc or Inh: sets weight_bounds."}
    bias = {"type": "string", "description": "Initializer of a constant bias, such as uniform(0,1)."}
    population = _with_key(definitions["PopulationConfig"], "bias", bias)
    projection = _with_key(definitions["ProjectionConfig"], "type", kind)
    dotted = _with_key(nested, "layer_config", _mapping_of(_mapping_of(population)))
    by_name = _mapping_of(_mapping_of(projection), "^[A-Za-z0-9]+\\.[A-Za-z0-9]+$")
    dotted = _with_key(dotted, "projection_config", by_name)
    definitions |= {"nested": nested, "dotted": dotted, "compact": _compact()}
    definitions |= {"population": _clauses(POPULATION, PopulationConfig, {"type": "integer", "minimum": 1})}
    definitions |= {"projection": _clauses(PROJECTION, ProjectionConfig)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "eiann network",
        "anyOf": [{"$ref": f"#/$defs/{form}"} for form in ("compact", "nested", "dotted")],
        "$defs": definitions,
    }


def describe(word: Word, model: type[Section]) -> str:
    """What a word of the compact form means, in one sentence."""
    if isinstance(word, Cell) or word.key in _OWN_WORDS:
        return _OWN_WORDS[word.key]
    field = model.model_fields[word.key]
    return " ".join((field.description or "").split())


def _with_key(schema: Schema, key: str, value: Schema) -> Schema:
    return {**schema, "properties": {**schema["properties"], key: value}}


def _mapping_of(value: Schema, pattern: str | None = None) -> Schema:
    if pattern is None:
        return {"type": "object", "additionalProperties": value}
    return {"type": "object", "patternProperties": {pattern: value}, "additionalProperties": False}


def _compact() -> Schema:
    population, projection = {"$ref": "#/$defs/population"}, {"$ref": "#/$defs/projection"}
    layer = {"anyOf": [_mapping_of(population), {"const": REMOVE}, {"type": "null"}]}
    keys: Mapping[str, Schema] = {
        "about": {"type": "string", "description": "What this network is, for people."},
        "extends": {"type": "string", "description": "Path of a compact file that this one starts from."},
        "cells": {**_mapping_of(population), "description": "What populations have in common, by name or pattern."},
        "layers": {**_mapping_of(layer), "description": "Layers from the input to the output, with their populations."},
        "projections": {
            **_mapping_of(projection, "<-"),
            "description": "Projections, POST <- PRE, by name or pattern.",
        },
        "training": {**_words(TRAINING, TrainingConfig), "description": "Settings of dynamics and training."},
        "order": {"enum": list(ORDERS), "description": "Order of projections: along the layers, or as written."},
    }
    optional = {key: {"anyOf": [value, {"type": "null"}]} for key, value in keys.items() if key in _MAY_BE_EMPTY}
    return {"type": "object", "additionalProperties": False, "properties": {**keys, **optional}}


_MAY_BE_EMPTY = ("cells", "layers", "projections", "training")


def _clauses(words: Mapping[str, Word], model: type[Section], *more: Schema) -> Schema:
    return {"anyOf": [{"type": "string"}, {"type": "null"}, *more, _words(words, model)]}


def _words(words: Mapping[str, Word], model: type[Section]) -> Schema:
    found: Schema = {}
    for name, word in words.items():
        text = describe(word, model)
        # A flag takes true; all other words any value here: their calls are text.
        found[name] = {"const": True, "description": text} if isinstance(word, Flag) else {"description": text}
    with_arguments = "|".join(name for name, word in words.items() if isinstance(word, Named))
    return {
        "type": "object",
        "properties": found,
        "patternProperties": {f"^({with_arguments})\\..+$": {}},
        "additionalProperties": False,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=1, ensure_ascii=False) + "\n")
