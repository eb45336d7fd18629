"""A search space: what is varied, what that changes in a network, and how a trial is run and judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

import search_spaces
from eiann.config import NetworkConfig
from eiann.errors import ConfigError, KeyPath, UserError
from optimize.space.application import Application
from optimize.space.document import (
    FEATURES,
    Aggregate,
    Direction,
    Instances,
    NamedWithOptions,
    ObjectiveSpec,
    PointSpec,
    RunSettings,
    SpaceDocument,
)
from optimize.space.early import Race, Stopping
from optimize.space.formula import Condition, Value, suggest
from optimize.space.loading import START_POINT, Origins, Source, find, first_problem, read, validate
from optimize.space.parameters import Parameter, expand
from optimize.space.targets import Assignment

P = TypeVar("P", bound=BaseModel)
_ALWAYS: Final = ("accuracy", "loss")


@dataclass(frozen=True)
class Objective:
    """One feature that a study optimizes.

    Attributes:
        name: the feature; accuracy is in percent and, by default, maximized; everything else is minimized.
        direction: ``minimize`` or ``maximize``.
        aggregate: how the values of the instances become one number; ``worst`` with regard to the direction.
    """

    name: str
    direction: Direction
    aggregate: Aggregate = "mean"


@dataclass(frozen=True)
class StartingPoint:
    """A named point with a value for every parameter, and what was reported for it.

    Attributes:
        name: ``x0`` and ``optimized`` by convention.
        params: by parameter, fixed ones included.
        reported: figures by feature, accuracy in percent.
        note: where it comes from.
    """

    name: str
    params: Mapping[str, Value]
    reported: Mapping[str, float]
    note: str | None = None


@dataclass(frozen=True)
class Binding:
    """One row of the table that ``eiann check`` prints: a parameter, one value that it sets, and the formula."""

    parameter: str
    target: str
    formula: str


@dataclass(frozen=True)
class SearchSpace:
    """A search space, ready to be applied; see ``docs/search_spaces.md`` for the file format.

    Attributes:
        name: e.g. ``spiral/dale_backprop``.
        document: the validated words of the file.
        network: what parameters are applied to.
        parameters: in the order declared, fixed ones included.
        run: settings of one evaluation.
        objectives: what a study optimizes, in order.
        reject: conditions on features; an instance for which one holds fails its trial.
        constraints: conditions on aggregated features; a trial that violates one is kept, but never among the best.
        require: conditions between parameters that every trial satisfies.
        starting_points: by name.

    Example:
        >>> space = SearchSpace.load("spiral/perceptron")
        >>> [parameter.name for parameter in space.searched]
        ['Output_learning_rate', 'Output_init_weight_scale', 'Output_bias_learning_rate']
        >>> space.instances[0]
        (66049, 257)
    """

    name: str
    document: SpaceDocument
    network: NetworkConfig
    parameters: tuple[Parameter, ...]
    run: RunSettings
    objectives: tuple[Objective, ...]
    reject: tuple[Condition, ...]
    constraints: tuple[Condition, ...]
    require: tuple[Condition, ...]
    starting_points: Mapping[str, StartingPoint]
    _assignments: tuple[Assignment, ...]
    _application: Application
    _instances: Instances

    # ------------------------------------------------------------------------------------------------ building

    @classmethod
    def load(cls, name_or_path: str | Path) -> SearchSpace:
        """Read a space file, or a shipped space by its name or by the reference's name.

        Raises:
            ConfigError: the file is wrong; the message has file, line and key path.
            UserError: there is no such file and no such space.
        """
        path = find(name_or_path)
        shipped = next((entry for entry in search_spaces.catalogue() if entry.path == path), None)
        return cls._build(read(path), shipped.name if shipped else path.stem)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> SearchSpace:
        """Build from plain data as ``to_dict`` gives it, or as a space file has it without ``extends``."""
        origins = Origins({})
        return cls._build(Source(validate(data, origins), origins, None), "space")

    @classmethod
    def _build(cls, source: Source, name: str) -> SearchSpace:
        document, origins = source.document, source.origins
        network = _network(document, origins)
        expansion = expand(document, network, origins)
        names = [parameter.name for parameter in expansion.parameters]
        space = cls(
            name=document.name or name,
            document=document,
            network=network,
            parameters=expansion.parameters,
            run=document.run,
            objectives=tuple(_objective(name, spec) for name, spec in document.objectives.items()),
            reject=_conditions(document.reject, "reject", FEATURES, origins),
            constraints=_conditions(document.constraints, "constraints", FEATURES, origins),
            require=_conditions(document.require, "require", names, origins),
            starting_points=_points(document, expansion.parameters, origins),
            _assignments=expansion.assignments,
            _application=Application(network, expansion.assignments, origins),
            _instances=document.instances,
        )
        space._try_out(origins)
        return space

    def _try_out(self, origins: Origins) -> None:
        """Apply some point, so that a value which no network can have is found now and not in the first trial."""
        try:
            self._application.apply({parameter.name: _some_value(parameter) for parameter in self.parameters})
        except ConfigError as error:
            if error.path[:1] == ("parameters",):
                raise origins.place(error) from error
            setter = next((item for item in self._assignments if _within(error.path, item.target.path)), None)
            place: KeyPath = ("parameters", setter.entry, "sets") if setter else ("network",)
            raise ConfigError(f"the network refuses it: {error}", place, origins.locate(place)) from error

    # ------------------------------------------------------------------------------------------------ what it says

    @property
    def searched(self) -> tuple[Parameter, ...]:
        """The parameters that a study searches."""
        return tuple(parameter for parameter in self.parameters if parameter.searched)

    @property
    def fixed(self) -> dict[str, Value]:
        """Parameters held at a value, by name."""
        return {parameter.name: parameter.fixed for parameter in self.parameters if parameter.fixed is not None}

    @property
    def instances(self) -> tuple[tuple[int, int], ...]:
        """(network seed, data seed) of every instance that a trial is evaluated on."""
        return self._instances.seeds()

    @property
    def data(self) -> NamedWithOptions:
        """Name and options of the data set."""
        return self.document.data

    @property
    def sampler(self) -> NamedWithOptions | None:
        """Name and options of the sampler that the file asks for."""
        return self.document.sampler

    @property
    def features(self) -> tuple[str, ...]:
        """Everything that has to be measured on an instance: for the objectives and for what rejects it."""
        wanted = [objective.name for objective in self.objectives]
        wanted += [name for condition in (*self.reject, *self.constraints) for name in condition.names]
        return tuple(name for name in FEATURES if name in (*_ALWAYS, *wanted))

    def bindings(self) -> tuple[Binding, ...]:
        """What each parameter sets, with the formula; a formula of two parameters stands under both."""
        return tuple(
            Binding(parameter.name, str(item.target), item.formula.text)
            for parameter in self.parameters
            for item in self._assignments
            if parameter.name in item.formula.names
        )

    # ------------------------------------------------------------------------------------------------ using it

    def apply(self, params: Mapping[str, Value], *, check: bool = False) -> NetworkConfig:
        """The network configuration for these parameters.

        Args:
            params: a value for each searched parameter; fixed ones may be given too, and then win.
            check: also refuse values outside of the bounds and violated conditions of ``require``.

        Raises:
            UserError: a parameter is missing or unknown, or, when asked, outside of its bounds.
            ConfigError: no network can have these values.
        """
        values = {**self.fixed, **params}
        inactive = self._inactive(values)
        known = {parameter.name for parameter in self.parameters}
        for name in values:
            if name not in known:
                raise UserError(f"unknown parameter {name!r} of {self.name}; {suggest(name, known)}")
        missing = [name for name in known - values.keys() if name not in inactive]
        if missing:
            listed = ", ".join(sorted(missing))
            raise UserError(f"{self.name} has no value for {listed}; give one, or fix it in the space file")
        if check:
            self._check(values, inactive)
        return self._application.apply(values, inactive)

    def active(self, params: Mapping[str, Value]) -> tuple[str, ...]:
        """Names of the parameters that exist given the categorical ones among ``params``."""
        inactive = self._inactive({**self.fixed, **params})
        return tuple(parameter.name for parameter in self.parameters if parameter.name not in inactive)

    def violated(self, params: Mapping[str, Value]) -> tuple[str, ...]:
        """The conditions of ``require`` that these parameters do not satisfy."""
        numbers = {name: value for name, value in {**self.fixed, **params}.items() if not isinstance(value, str)}
        return tuple(
            condition.text
            for condition in self.require
            if all(name in numbers for name in condition.names) and not condition.holds(numbers)
        )

    def rejected(self, features: Mapping[str, float]) -> tuple[str, ...]:
        """The conditions of ``reject`` that hold for what was measured on an instance."""
        return tuple(
            condition.text
            for condition in self.reject
            if all(name in features for name in condition.names) and condition.holds(features)
        )

    def _inactive(self, values: Mapping[str, Value]) -> frozenset[str]:
        return frozenset(
            parameter.name
            for parameter in self.parameters
            if any(values.get(name) not in allowed for name, allowed in parameter.when.items())
        )

    def _check(self, values: Mapping[str, Value], inactive: frozenset[str]) -> None:
        for parameter in self.parameters:
            value = values.get(parameter.name)
            if parameter.name not in inactive and value is not None and not parameter.contains(value):
                raise UserError(f"{parameter.name}: found {value!r}; its range is {parameter.describe()}")
        if broken := self.violated(values):
            raise UserError(f"the parameters do not satisfy {broken[0]!r}")

    # ------------------------------------------------------------------------------------------------ variants

    def with_instances(self, count: int) -> SearchSpace:
        """The same space on this many instances, the first ones of its seeds."""
        return self._with(instances=_changed(self._instances, {"count": count}))

    def with_fresh_instances(self, count: int) -> SearchSpace:
        """The same space on the ``count`` instances behind its own: seeds that no trial was selected on."""
        try:
            return self._with(instances=self._instances.after(count))
        except ValidationError as error:
            raise UserError(f"there are no {count} fresh instances: {first_problem(error, {}).message}") from error

    def with_run(self, **settings: Any) -> SearchSpace:
        """The same space with other run settings, e.g. ``with_run(steps=1000)``."""
        return self._with(run=_changed(self.run, settings))

    def with_early(self, stopping: Stopping | None, race: Race | None) -> SearchSpace:
        """The same space with other rules for trials that need not be computed to the end."""
        return self._with(stopping=stopping, race=race)

    def _with(self, **changes: Any) -> SearchSpace:
        document = self.document.model_copy(update=changes)
        return replace(self, document=document, run=document.run, _instances=document.instances)

    # ------------------------------------------------------------------------------------------------ plain data

    def to_dict(self) -> dict[str, Any]:
        """Plain data that says everything without any other file: selectors written out, the network in nested form."""
        entries = {}
        for parameter in self.parameters:
            own = tuple(item for item in self._assignments if item.parameter == parameter.name)
            entries[parameter.name] = parameter.spec(own).model_dump(mode="json", exclude_defaults=True)
        own_words = {"parameters", "names", "ranges", "network", "points"}
        data = self.document.model_dump(mode="json", exclude=own_words, exclude_none=True)
        points = {
            name: PointSpec(params=dict(point.params), reported=dict(point.reported), note=point.note)
            for name, point in self.starting_points.items()
        }
        dumped = {name: point.model_dump(mode="json", exclude_defaults=True) for name, point in points.items()}
        return {**data, "name": self.name, "parameters": entries, "points": dumped, "network": self.network.to_dict()}


def _network(document: SpaceDocument, origins: Origins) -> NetworkConfig:
    if isinstance(document.network, str):
        return NetworkConfig.from_yaml(document.network)
    try:
        return NetworkConfig.from_dict(document.network)
    except ConfigError as error:
        raise origins.place(error, ("network",)) from error


def _objective(name: str, spec: ObjectiveSpec) -> Objective:
    return Objective(name, spec.direction or ("maximize" if name == "accuracy" else "minimize"), spec.aggregate)


def _conditions(texts: tuple[str, ...], key: str, known: Any, origins: Origins) -> tuple[Condition, ...]:
    conditions = []
    for position, text in enumerate(texts):
        place = (key, position)
        try:
            condition = Condition.parse(text)
        except ConfigError as error:
            raise origins.place(error, place) from error
        for name in condition.names:
            if name not in known:
                raise origins.place(ConfigError(f"unknown name {name!r} in {text!r}; {suggest(name, known)}", place))
        conditions.append(condition)
    return tuple(conditions)


def _points(
    document: SpaceDocument, parameters: tuple[Parameter, ...], origins: Origins
) -> Mapping[str, StartingPoint]:
    starts = {item.name: item.start for item in parameters if item.start is not None}
    starts |= {item.name: item.fixed for item in parameters if item.fixed is not None}
    points = dict(document.points)
    if START_POINT not in points and all(item.name in starts for item in parameters):
        points = {START_POINT: PointSpec(params={})} | points
    found = {}
    names = [item.name for item in parameters]
    for name, spec in points.items():
        place = ("points", name, "params")
        for given in spec.params:
            inherited = name == START_POINT and not origins.is_own((*place, given))
            # A family's starting point also names parameters that some of its spaces do without.
            if given not in names and not inherited:
                message = f"unknown parameter {given!r}; {suggest(given, names)}"
                raise origins.place(ConfigError(message, (*place, given)))
        params = {item: {**starts, **spec.params}.get(item) for item in names}
        if missing := [item for item, value in params.items() if value is None]:
            raise origins.place(ConfigError(f"no value for {', '.join(missing)}, and no 'start' of its own", place))
        complete = {item: value for item, value in params.items() if value is not None}
        found[name] = StartingPoint(name, MappingProxyType(complete), MappingProxyType(spec.reported), spec.note)
    return MappingProxyType(found)


def _some_value(parameter: Parameter) -> Value:
    for value in (parameter.fixed, parameter.start, *parameter.choices):
        if value is not None:
            return value
    assert parameter.low is not None
    assert parameter.high is not None
    middle = (
        (parameter.low * parameter.high) ** 0.5 if parameter.scale == "log" else (parameter.low + parameter.high) / 2
    )
    return int(middle) if parameter.kind == "int" else middle


def _within(inner: KeyPath, outer: KeyPath) -> bool:
    shared = min(len(inner), len(outer))
    return shared > (1 if inner[:1] == ("training_kwargs",) else 2) and inner[:shared] == outer[:shared]


def _changed(model: P, changes: Mapping[str, Any]) -> P:
    """A changed copy of a part of a document, validated."""
    data = {**model.model_dump(), **changes}
    try:
        return type(model).model_validate(data)
    except ValidationError as error:
        raise UserError(str(first_problem(error, data))) from error
