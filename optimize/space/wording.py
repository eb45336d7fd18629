"""What would be right where a space file says something else, in the words of ``docs/search_spaces.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from eiann.config.clauses import shorten
from eiann.config.validation import found_and_right
from eiann.errors import KeyPath

RANGE: Final = "a range is [low, high] of finite numbers, with log or int behind them"
INSTANCE: Final = "an instance is [network seed, data seed]"

_SHAPES: Final = (
    *("dict_type", "model_type", "model_attributes_type", "string_type", "tuple_type", "list_type"),
    *("too_short", "too_long", "missing"),
)
"""Types of complaints about what kind of thing it is, not about which."""
_PAIR: Final = "[network seed, data seed]"
_RIGHT: Final[Mapping[str, str]] = {
    "network": "the name of a network file, or a whole network in its place, would be right",
    "data": "a name, or a mapping such as {name: cifar10, flatten: false}, would be right",
    "sampler": "a name, or a mapping such as {name: tpe, multivariate: true}, would be right",
    "parameters": "a mapping of parameters, such as {rate: {range: [0.1, 1.0], sets: ...}}, would be right",
    "range": RANGE,
    "choices": "a list of values would be right, such as [relu, softplus]",
    "val_interval": "validation is at [start, stop, step]",
    "instances": f"a number, {{count, network_id, task_id, ...}}, or a list of {_PAIR} would be right",
    "pairs": f"a list of {_PAIR} would be right",
    "objectives": "a list such as [accuracy], or a mapping such as {accuracy: {aggregate: worst}}, would be right",
}
_VALUE: Final = "a finite number, text, true or false would be right"
_ALTERNATIVES: Final = ("int", "float", "str", "bool")


def in_words(problem: ErrorDetails, path: KeyPath, models: Mapping[str, type[BaseModel]]) -> str:
    """What was found and what would be right.

    Args:
        problem: a complaint of pydantic.
        path: where that is, in the words of the file.
        models: what stands below each key of a file.
    """
    found, kind = f"found {shorten(problem['input'])}", problem["type"]
    names = [key for key in path if isinstance(key, str)]
    if kind in _SHAPES and names:
        if isinstance(path[-1], int) and names[-1] in ("instances", "pairs"):
            return f"{found}; {INSTANCE}"
        if names[-1] in _RIGHT and names[-1] == _last(path):
            return f"{found}; {_RIGHT[names[-1]]}"
        if kind.startswith("model") and names[0] in models:
            keys = ", ".join(models[names[0]].model_fields)
            return f"{found}; a mapping would be right, of: {keys}"
        if kind == "tuple_type":
            return f"{found}; a list would be right: [{shorten(problem['input'])}]"
    if problem["loc"] and problem["loc"][-1] in _ALTERNATIVES and problem["loc"][-1] != _last(path):
        return f"{found}; {_VALUE}"
    return found_and_right(problem)


def _last(path: Sequence[str | int]) -> str | int | None:
    return path[-1] if path else None
