"""From pydantic's reports to one line that a user can act on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from eiann.config.clauses import shorten
from eiann.config.places import Origins, Place
from eiann.config.values import ARGUMENT_TAGS
from eiann.errors import ConfigError, KeyPath

M = TypeVar("M", bound=BaseModel)

_RIGHT: Mapping[str, str] = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "string_too_short": "a name",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "none_required": "null",
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("above", "gt"),
    "greater_than_equal": ("of at least", "ge"),
    "less_than": ("below", "lt"),
    "less_than_equal": ("of at most", "le"),
}


def validated(model: type[M], data: object, origins: Origins | None = None) -> M:
    """Validate data with a pydantic model; the first mistake becomes a ``ConfigError`` at its place.

    Args:
        model: the model that says what is right.
        data: plain data.
        origins: where the keys of the data were written.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise config_error(error, model, origins or Origins()) from None


def config_error(error: ValidationError, model: type[BaseModel], origins: Origins) -> ConfigError:
    """The first mistake of pydantic's report, in one line, at its place in the user's file."""
    details = min(error.errors(include_url=False), key=lambda item: item["type"] == "missing")
    path = _path(details)
    message = _message(details, model, path)
    place: Place = origins.place(path)
    return place.error(message)


def did_you_mean(word: str, known: Iterable[str], show: Callable[[str], str] = repr) -> str:
    """``did you mean 'size'?``, or the list of what there is."""
    names = list(known)
    near = [name for name in names if name.lower() == word.lower()]
    near = near or difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    return f"did you mean {show(near[0])}?" if near else f"there are: {', '.join(names)}"


def _path(details: ErrorDetails) -> KeyPath:
    path: list[str | int] = []
    for part in details["loc"]:
        tagged = bool(path) and path[-1] == "weight_init_args" and part in ARGUMENT_TAGS
        if part != "[key]" and not tagged:
            path.append(part)
    return (*path, *details.get("ctx", {}).get("path", ()))


def _message(details: ErrorDetails, model: type[BaseModel], path: KeyPath) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "wrong":
        return str(context["message"])
    if kind == "value_error":
        return str(context["error"])
    if kind == "extra_forbidden":
        return f"unknown key; {did_you_mean(str(path[-1]), _keys_at(model, path[:-1]))}"
    if kind == "missing":
        return "is missing"
    return found_and_right(details)


def found_and_right(details: ErrorDetails) -> str:
    """What was found and what would be right, where pydantic says it of one value."""
    kind, context = details["type"], details.get("ctx", {})
    found = f"found {shorten(details['input'])}"
    if kind == "literal_error":
        choices = str(context["expected"])
        return f"{found}; one of these would be right: {choices}"
    if kind in _LIMITS:
        word, key = _LIMITS[kind]
        return f"{found}; a number {word} {context[key]:g} would be right"
    if kind in _RIGHT:
        return f"{found}; {_RIGHT[kind]} would be right"
    return f"{found}; {details['msg']}"


def _keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Known keys of the model that stands at this path."""
    found: Any = model
    for part in path:
        if isinstance(found, type) and issubclass(found, BaseModel):
            found = found.model_fields[str(part)].annotation
        else:
            arguments = getattr(found, "__args__", ())
            found = arguments[-1] if arguments else None
    models = [found, *getattr(found, "__args__", ())]
    return next((list(m.model_fields) for m in models if isinstance(m, type) and issubclass(m, BaseModel)), [])
