"""From plain keyword arguments to a typed declaration, with errors in the user's words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, ValidationError

from eiann.errors import ConfigError


def _no_truth(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 - pydantic reports a ValueError
    return value


def _one(value: float) -> float:
    if value not in (1.0, -1.0):
        raise ValueError("a sign is 1 or -1")
    return value


#: Numbers of declarations: rules, constraints, criteria and optimizers bound their parameters with these.
Finite = Annotated[float, BeforeValidator(_no_truth), Field(allow_inf_nan=False)]
NonNegative = Annotated[Finite, Field(ge=0)]
Positive = Annotated[Finite, Field(gt=0)]
UnitInterval = Annotated[Finite, Field(ge=0, le=1)]
Fraction = Annotated[Finite, Field(gt=0, le=1)]
Sign = Annotated[Finite, AfterValidator(_one)]

Declaration = TypeVar("Declaration", bound=BaseModel)


def parse_declaration(cls: type[Declaration], kwargs: Mapping[str, Any], path: Sequence[str | int]) -> Declaration:
    """Build ``cls`` from ``kwargs``; the first fault becomes a ConfigError at its key path.

    Args:
        cls: a frozen pydantic model whose fields are the parameters.
        kwargs: what the user wrote.
        path: where ``kwargs`` stands.
    """
    unknown = [key for key in kwargs if key not in cls.model_fields]
    if unknown:
        key = unknown[0]
        near = difflib.get_close_matches(str(key), cls.model_fields, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(cls.model_fields) or 'none'}"
        raise ConfigError(f"{getattr(cls, 'name', cls.__name__)} has no parameter {key!r}; {known}", (*path, key))
    try:
        return cls(**kwargs)
    except ValidationError as error:
        fault = error.errors()[0]
        place = (*path, *fault["loc"])
        if fault["type"] == "missing":
            raise ConfigError(f"missing; {getattr(cls, 'name', cls.__name__)} needs it", place) from error
        raise ConfigError(f"found {fault['input']!r}; {fault['msg'].lower()}", place) from error
