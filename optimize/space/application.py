"""Writing parameters into a network configuration: prepared once, then quick, since a study does it for every trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from eiann.config import NetworkConfig
from eiann.errors import ConfigError, KeyPath, format_key_path
from optimize.space.formula import Value
from optimize.space.loading import Origins
from optimize.space.targets import Assignment


class Application:
    """A network configuration and everything that parameters set in it.

    Sizes are set first, everything else after them, so that ``size(H1.DendI)`` is the size in the result.

    Args:
        network: what the parameters are applied to; never changed.
        assignments: concrete targets and formulas.
        origins: for the place of a mistake.

    Raises:
        ConfigError: two parameters set the same value, a size depends on a size that is set too, or a formula asks for
            a population that the network does not have.
    """

    def __init__(self, network: NetworkConfig, assignments: Iterable[Assignment], origins: Origins) -> None:
        self._base = network.to_dict()
        ordered = tuple(assignments)
        self._sizes = tuple(assignment for assignment in ordered if assignment.target.is_size)
        self._others = tuple(assignment for assignment in ordered if not assignment.target.is_size)
        self._base_sizes = _sizes(self._base)
        self._check(ordered, origins)

    def apply(self, values: Mapping[str, Value], skip: frozenset[str] = frozenset()) -> NetworkConfig:
        """The configuration with these values in it.

        Args:
            values: a value for every parameter that a formula mentions.
            skip: parameters that do not exist here (a condition of theirs does not hold); what they set stays as it is.

        Raises:
            ConfigError: a formula has no value, at the entry of that formula; or no network can have the value.
        """
        data: dict[str, Any] = _copy(self._base)
        sizes = dict(self._base_sizes)
        for assignment in self._sizes:
            if assignment.parameter not in skip:
                count = _whole(assignment, _evaluated(assignment, values, self._base_sizes))
                layer, population = assignment.target.path[1:3]
                sizes[f"{layer}.{population}"] = count
                _put(data, assignment.target.path, count)
        for assignment in self._others:
            if assignment.parameter not in skip:
                _put(data, assignment.target.path, _evaluated(assignment, values, sizes))
        return NetworkConfig.from_dict(data)

    def _check(self, assignments: tuple[Assignment, ...], origins: Origins) -> None:
        setters: dict[KeyPath, Assignment] = {}
        sized = {assignment.target.post for assignment in self._sizes}
        for assignment in assignments:
            place = _place(assignment)
            target = assignment.target
            if (other := setters.setdefault(target.path, assignment)) is not assignment:
                message = f"'{target}' is set by {other.parameter!r} too; one of them would be right"
                raise origins.place(ConfigError(message, place))
            for population in assignment.formula.sizes:
                if population not in self._base_sizes:
                    message = f"found size({population}); the network has no population of that name with a size"
                    raise origins.place(ConfigError(message, place))
                if target.is_size and population in sized:
                    message = f"found size({population}) in a size, and that one is set too; sizes are set all at once"
                    raise origins.place(ConfigError(message, place))
            if (problem := _missing(self._base, target.path)) is not None:
                message = f"'{target}' cannot be set: the network gives no {problem} there"
                raise origins.place(ConfigError(message, place))


def _whole(assignment: Assignment, value: Value) -> int:
    """A size is a whole number: what is behind the decimal point is cut off."""
    if isinstance(value, str) or not math.isfinite(value):
        raise ConfigError(f"found {value!r} for '{assignment.target}'; a size is a number", _place(assignment))
    return int(value)


def _evaluated(assignment: Assignment, values: Mapping[str, Value], sizes: Mapping[str, int]) -> Value:
    """The formula's value; where it has none, the error is of the entry that says the formula."""
    try:
        return assignment.formula.evaluate(values, sizes.__getitem__)
    except ConfigError as error:
        raise ConfigError(error.message, _place(assignment)) from error


def _place(assignment: Assignment) -> KeyPath:
    return ("parameters", assignment.entry, "sets")


def _sizes(data: Mapping[str, Any]) -> dict[str, int]:
    found = {}
    for layer, populations in data["layer_config"].items():
        for population, settings in populations.items():
            # Channels win over size where both are given.
            count = settings.get("channels") or settings.get("size")
            if count is not None:
                found[f"{layer}.{population}"] = count
    return found


def _copy(data: Any) -> Any:
    """A copy of nested plain data: a third of the time of ``copy.deepcopy``."""
    if isinstance(data, dict):
        return {key: _copy(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_copy(value) for value in data]
    return data


def _put(data: Any, path: KeyPath, value: Value) -> None:
    for key in path[:-1]:
        if isinstance(key, str) and data.get(key) is None:
            data[key] = {}
        data = data[key]
    data[path[-1]] = value


def _missing(data: Any, path: KeyPath) -> str | None:
    """What stands in the way of writing to this path: an element of a list that is not there."""
    for position, key in enumerate(path):
        if isinstance(key, int):
            if not isinstance(data, list) or key >= len(data):
                return format_key_path(path[5 if path[0] == "projection_config" else 3 : position + 1])
            data = data[key]
        else:
            data = data.get(key) if isinstance(data, dict) else None
    return None
