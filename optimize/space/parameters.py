"""From the words of a document to the concrete parameters of one space and what each of them sets."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from eiann.config import NetworkConfig
from eiann.errors import ConfigError
from optimize.space.document import ParameterSpec, Range, Scale, SpaceDocument
from optimize.space.formula import OWN_VALUE, Value, suggest
from optimize.space.loading import Origins
from optimize.space.targets import Assignment, Naming, Setting

Kind = Literal["float", "int", "categorical"]
# Words of formulas; a parameter of this name would hide them.
_RESERVED: Final = frozenset({OWN_VALUE, "size", "sqrt", "int", "min", "max", "pre", "post"})


@dataclass(frozen=True)
class Parameter:
    """One dimension of a search space.

    Attributes:
        name: a Python identifier.
        low, high: bounds, both included; unset for a categorical parameter.
        scale: ``linear`` or ``log``.
        kind: ``float``, ``int`` or ``categorical``.
        choices: values of a categorical parameter.
        fixed: the value that it is held at, or ``None`` where it is searched.
        start: its value in points that do not name it.
        about: one line for people.
        when: it exists only where these other parameters have one of these values.
    """

    name: str
    kind: Kind
    low: float | None = None
    high: float | None = None
    scale: Scale = "linear"
    choices: tuple[Value, ...] = ()
    fixed: Value | None = None
    start: Value | None = None
    about: str | None = None
    when: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)

    @property
    def searched(self) -> bool:
        """Whether a study searches it."""
        return self.fixed is None

    @property
    def in_design(self) -> bool:
        """Whether it is a dimension of designs and sequences: searched, always there, and of more than one value."""
        several = len(self.choices) > 1 if self.kind == "categorical" else self.low != self.high
        return self.searched and not self.when and several

    def contains(self, value: Value) -> bool:
        """Whether a value lies within the bounds or among the choices.

        Example:
            >>> Parameter("rate", "float", low=0.0, high=1.0).contains(1.5)
            False
        """
        if self.kind == "categorical":
            return value in self.choices
        if isinstance(value, str | bool) or self.low is None or self.high is None:
            return False
        return self.low <= value <= self.high and (self.kind == "float" or float(value).is_integer())

    def describe(self) -> str:
        """The range in words, as users write it."""
        if self.kind == "categorical":
            return "{" + ", ".join(str(choice) for choice in self.choices) + "}"
        words = (", log" if self.scale == "log" else "") + (", int" if self.kind == "int" else "")
        return f"[{self.low:g}, {self.high:g}{words}]"

    def spec(self, assignments: tuple[Assignment, ...]) -> ParameterSpec:
        """The entry of a space file that says the same, with everything written out."""
        bounds = None
        if self.low is not None and self.high is not None:
            bounds = Range(low=self.low, high=self.high, scale=self.scale, whole=self.kind == "int")
        return ParameterSpec(
            about=self.about,
            range=bounds,
            choices=self.choices or None,
            fixed=self.fixed,
            start=self.start,
            sets=tuple(str(assignment) for assignment in assignments),
            unused=not assignments,
            when=dict(self.when),
        )


@dataclass(frozen=True)
class Expansion:
    """The parameters of a document, concrete and in the order declared, and everything that they set."""

    parameters: tuple[Parameter, ...]
    assignments: tuple[Assignment, ...]


@dataclass
class _Draft:
    """What is known of a parameter while its document is read: its words, where they stand and what it sets."""

    spec: ParameterSpec
    written: str
    key: str | None = None
    assignments: list[Assignment] = field(default_factory=list)


def expand(document: SpaceDocument, network: NetworkConfig, origins: Origins) -> Expansion:
    """Meet the network: selectors become targets, name patterns become parameters.

    Raises:
        ConfigError: with file, line and key path.
    """
    drafts: dict[str, _Draft] = {}
    naming = Naming(document.names)
    for written, spec in document.parameters.items():
        try:
            _draft(drafts, written, spec, naming, network)
        except ConfigError as error:
            raise origins.place(error, ("parameters", written)) from error
    _check_names(drafts, origins)
    parameters = []
    for name, draft in drafts.items():
        try:
            parameters.append(_parameter(name, draft, document.ranges))
            if origins.places:  # of a file, that is; a study that was begun with such a start must go on to open
                _check_start(parameters[-1])
        except ConfigError as error:
            raise origins.place(error, ("parameters", draft.written)) from error
    assignments = [assignment for draft in drafts.values() for assignment in draft.assignments]
    return Expansion(tuple(parameters), tuple(assignments))


def _draft(
    drafts: dict[str, _Draft], written: str, spec: ParameterSpec, naming: Naming, network: NetworkConfig
) -> None:
    for text in spec.sets:
        try:
            setting = Setting.parse(text)
            for target in setting.targets(network):
                _add(drafts, written, spec, naming.assign(written, setting, target), setting.key)
        except ConfigError as error:
            raise ConfigError(error.message, error.path or ("sets",)) from error
    if spec.sets:
        return
    if Naming.is_pattern(written):
        raise ConfigError("a name pattern gets its names from what it sets; 'sets' is missing")
    if written in drafts:
        # A concrete name behind a pattern that made it changes some words of that one parameter.
        draft = drafts[written]
        changes = spec.model_dump(exclude_unset=True)
        replaced = {"range", "choices"} & changes.keys()
        kept = draft.spec.model_dump(exclude_unset=True, exclude={"range", "choices"} if replaced else None)
        draft.spec, draft.written = ParameterSpec.model_validate(kept | changes), written
    else:
        drafts[written] = _Draft(spec, written)


def _add(drafts: dict[str, _Draft], written: str, spec: ParameterSpec, assignment: Assignment, key: str) -> None:
    name = assignment.parameter
    if not name.isidentifier() or keyword.iskeyword(name) or name in _RESERVED:
        raise ConfigError(f"found the name {name!r}; a parameter's name is letters, digits and _, no word of formulas")
    draft = drafts.get(name)
    if draft is None or (draft.written != written and written == name):
        draft = drafts[name] = _Draft(spec, written)
    elif draft.written != written:
        raise ConfigError(f"{name!r} comes from {draft.written!r} too; one entry would be right")
    draft.key = draft.key or key
    draft.assignments.append(assignment)


def _check_names(drafts: Mapping[str, _Draft], origins: Origins) -> None:
    used = set(_mentioned(drafts, origins))
    for name, draft in drafts.items():
        if not draft.assignments and name not in used and not draft.spec.unused:
            message = f"{name!r} sets nothing; add 'sets', or 'unused: true' if that is meant"
            raise origins.place(ConfigError(message, ("parameters", draft.written)))


def _mentioned(drafts: Mapping[str, _Draft], origins: Origins) -> Iterator[str]:
    """Every parameter that another one's formula or condition mentions, each checked to exist."""
    for draft in drafts.values():
        path = ("parameters", draft.written)
        for assignment in draft.assignments:
            for name in assignment.formula.names:
                if name not in drafts:
                    message = f"unknown parameter {name!r} in {assignment.formula.text!r}; {suggest(name, drafts)}"
                    raise origins.place(ConfigError(message, (*path, "sets")))
                if name != assignment.parameter:
                    yield name
        for name, values in draft.spec.when.items():
            choices = drafts[name].spec.choices if name in drafts else None
            if choices is None:
                known = [other for other, candidate in drafts.items() if candidate.spec.choices]
                message = f"{name!r} is no categorical parameter; {suggest(name, known)}"
                raise origins.place(ConfigError(message, (*path, "when")))
            for value in values:
                if value not in choices:
                    message = f"{name!r} is never {value!r}; {suggest(str(value), [str(choice) for choice in choices])}"
                    raise origins.place(ConfigError(message, (*path, "when", name)))
            yield name


def _parameter(name: str, draft: _Draft, ranges: Mapping[str, Range]) -> Parameter:
    spec = draft.spec
    plain = Parameter(
        name, "categorical", fixed=spec.fixed, start=spec.start, about=spec.about, when=MappingProxyType(spec.when)
    )
    if spec.choices is not None:
        _check_categorical(name, draft)
        return replace(plain, choices=spec.choices)
    bounds = _range(draft, ranges)
    kind: Kind = "int" if bounds.whole else "float"
    return replace(plain, kind=kind, low=bounds.low, high=bounds.high, scale=bounds.scale)


def _check_start(parameter: Parameter) -> None:
    if parameter.start is not None and not parameter.contains(parameter.start):
        message = f"found {parameter.start!r}; it starts outside of its range {parameter.describe()}"
        raise ConfigError(message, ("start",))


def _range(draft: _Draft, ranges: Mapping[str, Range]) -> Range:
    match draft.spec.range:
        case Range() as bounds:
            return bounds
        case str(name):
            if name not in ranges:
                raise ConfigError(f"found {name!r}; {suggest(name, ranges)}", ("range",))
            return ranges[name]
        case _:
            if draft.key is not None and draft.key in ranges:
                return ranges[draft.key]
            kind = f"what sets {draft.key!r}" if draft.key else "it"
            raise ConfigError(f"'range' is missing and there is none for {kind} under 'ranges'; write [low, high]")


def _check_categorical(name: str, draft: _Draft) -> None:
    numbers = all(
        isinstance(choice, int | float) and not isinstance(choice, bool) for choice in draft.spec.choices or ()
    )
    for assignment in draft.assignments:
        if not numbers and assignment.formula.text != name:
            raise ConfigError(
                f"found the formula {assignment.formula.text!r}; choices that are no numbers are set as they are"
            )
