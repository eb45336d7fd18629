"""Trials as points of the unit cube: every parameter between its bounds, on its own scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from eiann.errors import UserError
from optimize.objective.aggregate import maximized
from optimize.results.ranking import complete_trials
from optimize.space import Parameter
from optimize.space.document import ObjectiveSpec, Value
from optimize.space.formula import suggest

Floats = npt.NDArray[np.float64]

MIDDLE = 0.5
"""Where a parameter stands that a trial does not have: no trial differs from another by what neither of them uses."""


def unit_columns(trials: pd.DataFrame, parameters: Sequence[Parameter]) -> pd.DataFrame:
    """Parameters as numbers from 0 (lower bound) to 1 (upper bound), one column by the name of each.

    Logarithmic ranges are taken in their logarithm, choices in their order, evenly spaced. NaN where a trial has no
    value, because another parameter's choice leaves it out.

    Args:
        trials: with columns ``params.*``.
        parameters: which, in this order.

    Example:
        >>> rate = Parameter("rate", "float", low=0.01, high=1.0, scale="log")
        >>> unit_columns(pd.DataFrame({"params.rate": [0.01, 0.1, 1.0]}), [rate])["rate"].round(6).tolist()
        [0.0, 0.5, 1.0]
    """
    columns = {parameter.name: _unit(trials[f"params.{parameter.name}"], parameter) for parameter in parameters}
    return pd.DataFrame(columns, index=trials.index, dtype=np.float64)


def unit_points(trials: pd.DataFrame, parameters: Sequence[Parameter]) -> Floats:
    """``unit_columns`` as ``(trials, parameters)``; what a trial does not have stands in the middle."""
    return unit_columns(trials, parameters).fillna(MIDDLE).to_numpy(dtype=np.float64)


def to_unit(value: Value, parameter: Parameter) -> float:
    """Where a value stands between the bounds of its parameter."""
    if parameter.kind == "categorical":
        return parameter.choices.index(value) / max(1, len(parameter.choices) - 1)
    assert parameter.low is not None
    assert parameter.high is not None
    low, high, x = _scaled(parameter.low, parameter), _scaled(parameter.high, parameter), _scaled(value, parameter)
    return (x - low) / (high - low) if high > low else MIDDLE


def from_unit(place: float, parameter: Parameter) -> Value:
    """The value at a place between the bounds: the nearest whole number, or the nearest choice, where only those are.

    Example:
        >>> from_unit(0.5, Parameter("rate", "float", low=0.01, high=1.0, scale="log"))
        0.1
    """
    place = min(1.0, max(0.0, place))
    if parameter.kind == "categorical":
        return parameter.choices[round(place * (len(parameter.choices) - 1))]
    assert parameter.low is not None
    assert parameter.high is not None
    low, high = _scaled(parameter.low, parameter), _scaled(parameter.high, parameter)
    at = low + place * (high - low)
    value = 10.0**at if parameter.scale == "log" else at
    inside = min(parameter.high, max(parameter.low, value))
    return round(inside) if parameter.kind == "int" else inside


def chosen_parameters(parameters: Sequence[Parameter], names: Sequence[str] | None) -> tuple[Parameter, ...]:
    """Those parameters, or all of them.

    Raises:
        UserError: there is no such parameter.
    """
    if names is None:
        return tuple(parameters)
    known = {parameter.name: parameter for parameter in parameters}
    for name in names:
        if name not in known:
            raise UserError(f"found the parameter {name!r}; {suggest(name, known)}")
    return tuple(known[name] for name in names)


def target_column(trials: pd.DataFrame, target: str | None, objectives: Sequence[str]) -> str:
    """The column that a user means: an objective by name, ``features.NAME``, or the first objective.

    Raises:
        UserError: there is no such column.
    """
    name = target or objectives[0]
    for column in (name, f"objectives.{name}", f"features.{name}"):
        if column in trials.columns and column.startswith(("objectives.", "features.")):
            return column
    known = [name.removeprefix("objectives.") for name in trials.columns if name.startswith("objectives.")]
    known += [name for name in trials.columns if name.startswith("features.")]
    raise UserError(f"found {name!r}, no objective and no feature; {suggest(name, known)}")


def upwards(column: str, objectives: Mapping[str, ObjectiveSpec]) -> bool:
    """Whether more is better in the column of a target: never of an objective, which is minimized as it stands.

    Args:
        column: from ``target_column``.
        objectives: of the study; of a feature that is none of them, more is better where it is an accuracy.

    Example:
        >>> upwards("features.accuracy", {}), upwards("objectives.accuracy", {}), upwards("features.loss", {})
        (True, False, False)
    """
    kind, _, name = column.partition(".")
    return kind == "features" and maximized(name, objectives.get(name, ObjectiveSpec()))


def costs_of(trials: pd.DataFrame, column: str, *, maximize: bool) -> Floats:
    """A column of numbers such that lower is better: negated where more of it is better."""
    values = trials[column].to_numpy(dtype=np.float64)
    return -values if maximize else values


def trials_with(trials: pd.DataFrame, column: str) -> pd.DataFrame:
    """The complete trials that have a finite number in a column.

    A trial that failed or was stopped early may have features too, of the instances or of the steps that it had; they
    are no measure of its parameters.
    """
    done = complete_trials(trials)
    return done[np.isfinite(done[column].astype(float))]


def usable(trials: pd.DataFrame, column: str, least: int, what: str) -> pd.DataFrame:
    """The complete trials that have a finite number in a column.

    Raises:
        UserError: they are fewer than ``least``.
    """
    found = trials_with(trials, column)
    if len(found) < least:
        raise UserError(f"{what}: found {len(found)} complete trials with {column}; at least {least} are needed")
    return found


def _unit(values: pd.Series, parameter: Parameter) -> list[float]:
    return [math.nan if pd.isna(value) else to_unit(_own(value, parameter), parameter) for value in values]


def _own(value: Value, parameter: Parameter) -> Value:
    """The value as the parameter knows it: tables may hold a whole number as a float."""
    if parameter.kind == "categorical" and value not in parameter.choices:
        return next(choice for choice in parameter.choices if str(choice) == str(value))
    return value


def _scaled(value: Value, parameter: Parameter) -> float:
    number = float(value)
    return math.log10(number) if parameter.scale == "log" else number
