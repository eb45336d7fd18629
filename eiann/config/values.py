"""Types of single values, and plain data: what a configuration file can hold."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StrictBool, Tag
from pydantic_core import PydanticCustomError

from eiann.config.clauses import shorten
from eiann.config.yaml_source import MAX_DEPTH, Plain, parse_scalar
from eiann.errors import KeyPath


def wrong(message: str, path: KeyPath = ()) -> PydanticCustomError:
    """An error of a validator that becomes a ``ConfigError`` with this message; ``path`` leads on from the value."""
    return PydanticCustomError("wrong", "{message}", {"message": message, "path": path})


def as_plain(value: object) -> Plain:
    """A copy of the data made of dicts, lists and scalars only.

    Raises:
        PydanticCustomError: something else is in it: an object, an infinite number, a key that is no text.
    """
    return _as_plain(value, ())


def _as_plain(value: object, path: KeyPath) -> Plain:
    if len(path) > MAX_DEPTH:
        raise wrong(f"nested more than {MAX_DEPTH} deep")
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise wrong(f"found {value}; a finite number would be right", path)
        return float(value)
    if isinstance(value, list | tuple):
        return [_as_plain(item, (*path, index)) for index, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise wrong(f"found the key {shorten(key)}; text would be right", path)
        return {str(key): _as_plain(item, (*path, str(key))) for key, item in value.items()}
    kind = type(value).__name__
    raise wrong(f"found an object of type {kind}; text, numbers, lists and mappings would be right", path)


def _number(value: object) -> object:
    # Files of the reference write 1e-3, which its YAML loader takes for text.
    number = parse_scalar(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise wrong(f"found {shorten(value)}; a number would be right")
    try:
        number = float(number)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise wrong(f"found {shorten(value)}; a finite number would be right")
    return number


def _whole_number(value: object) -> object:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(f"found {shorten(value)}; a whole number would be right")
    if abs(value) >= 2**31:
        raise wrong(f"found {shorten(value)}; a number below 2^31 would be right")
    return value


def _bounds(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise wrong(f"found {shorten(value)}; [low, high] would be right, with null for an open side")
    return value


def _open_or_ordered(value: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
    low, high = value
    if low is None and high is None:
        raise wrong("found [null, null], which bounds nothing; leave it out, or give one side")
    if low is not None and high is not None and low > high:
        raise wrong(f"found [{low}, {high}]; the lower bound comes first")
    return value


def _device(value: str) -> str:
    if not re.fullmatch(DEVICE, value):
        raise wrong(f"found {shorten(value)}; cpu, cuda or cuda:N would be right")
    return value


def _empty_for_null(value: object) -> object:
    return {} if value is None else value


def _form_of_arguments(value: object) -> str:
    return "named" if isinstance(value, Mapping) else "numbers"


Number = Annotated[float, BeforeValidator(_number)]
PositiveNumber = Annotated[float, BeforeValidator(_number), Field(gt=0)]
PositiveCount = Annotated[int, BeforeValidator(_whole_number), Field(gt=0)]
Count = Annotated[int, BeforeValidator(_whole_number), Field(ge=0)]
Flag = StrictBool
Name = Annotated[str, Field(min_length=1)]
"""Name of something that is looked up: a rule, a constraint, an activation."""
DEVICE = r"^(cpu|cuda(:[0-9]+)?)$"
Device = Annotated[str, AfterValidator(_device), Field(json_schema_extra={"pattern": DEVICE})]
"""Where tensors are."""
Bounds = Annotated[tuple[Number | None, Number | None], BeforeValidator(_bounds), AfterValidator(_open_or_ordered)]
Arguments: TypeAlias = tuple[Number, ...]
"""Arguments by position of an initializer."""
Kwargs = Annotated[dict[str, Any], BeforeValidator(as_plain)]
KwargsOrNull = Annotated[Kwargs, BeforeValidator(_empty_for_null)]
ARGUMENT_TAGS = ("numbers", "named")
ArgumentsOrKwargs = Annotated[
    Annotated[Arguments, Tag("numbers")] | Annotated[Kwargs, Tag("named")], Discriminator(_form_of_arguments)
]
