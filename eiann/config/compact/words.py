"""The words of the compact form and what each puts into the nested form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from typing_extensions import override

from eiann.config.clauses import Call, Clause, Value, shorten
from eiann.config.places import Place
from eiann.config.validation import did_you_mean
from eiann.config.yaml_source import Plain
from eiann.errors import ConfigError, KeyPath

CELL = "cell"
SCALE = "scale"
"""Keys of a draft that are not of the nested form: the cell type, and a scale for the default initializer (of a
projection, or of all that leave a population)."""

_CELLS: Mapping[object, str | None] = {
    "E": "E", "I": "I", "excitatory": "E", "inhibitory": "I", None: None,
}  # fmt: skip


@dataclass
class Draft:
    """A population, projection or the training settings while lines are applied to it."""

    values: dict[str, Plain] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)

    def put(self, key: str, value: Plain, place: Place) -> None:
        """Set a key of the nested form."""
        self.values[key] = value
        self.places = {path: found for path, found in self.places.items() if path[0] != key}
        self.places[key,] = place

    def put_argument(self, key: str, name: str, value: Plain, place: Place) -> None:
        """Set one named argument below a key of the nested form."""
        arguments = self.values.get(key)
        self.values[key] = {**arguments, name: value} if isinstance(arguments, dict) else {name: value}
        self.places[key, name] = place

    def drop(self, key: str) -> None:
        """Forget a key."""
        self.values.pop(key, None)
        self.places = {path: found for path, found in self.places.items() if path[0] != key}


@dataclass(frozen=True)
class Word:
    """A word with a plain value."""

    key: str

    def apply(self, draft: Draft, clause: Clause) -> None:
        """Put the clause into the draft."""
        if clause.bare:
            raise clause.place.error(f"{clause.word!r} needs a value")
        if isinstance(clause.value, Call):
            raise clause.place.error(f"found {clause.value.name!r} with arguments; {clause.word!r} takes a plain value")
        draft.put(self.key, clause.value, clause.place)

    def apply_argument(self, draft: Draft, name: str, clause: Clause) -> None:  # noqa: ARG002
        """Put ``word.name value`` into the draft; an error for a word without arguments."""
        raise clause.place.error(f"found {clause.word!r}; {clause.word.split('.')[0]!r} has no arguments")


@dataclass(frozen=True)
class Flag(Word):
    """A word that says it all."""

    value: str | None

    @override
    def apply(self, draft: Draft, clause: Clause) -> None:
        if not clause.bare and clause.value is not True:
            raise clause.place.error(f"found {shorten(clause.value)} behind {clause.word!r}, which takes no value")
        draft.put(self.key, self.value, clause.place)


@dataclass(frozen=True)
class Fixed(Flag):
    """No learning rule."""

    @override
    def apply(self, draft: Draft, clause: Clause) -> None:
        super().apply(draft, clause)
        draft.drop("learning_rule_kwargs")


@dataclass(frozen=True)
class Cell(Word):
    """The cell type, which gives outgoing weights their sign."""

    @override
    def apply(self, draft: Draft, clause: Clause) -> None:
        value = clause.word if clause.word in {"excitatory", "inhibitory"} else clause.value
        if clause.word == CELL and clause.bare:
            raise clause.place.error("'cell' needs a value: E, I or none")
        if clause.word != CELL and not clause.bare and clause.value is not True:
            raise clause.place.error(f"found {shorten(clause.value)} behind {clause.word!r}, which takes no value")
        if not (value is None or isinstance(value, str)) or value not in _CELLS:
            raise clause.place.error(f"found {shorten(value)}; a cell type is E, I or none")
        draft.put(CELL, _CELLS[value], clause.place)


@dataclass(frozen=True)
class Named(Word):
    """A word whose value is a name with named arguments: ``rule Backprop(learning_rate=0.1)``."""

    arguments: str

    @override
    def apply(self, draft: Draft, clause: Clause) -> None:
        if clause.bare:
            raise clause.place.error(f"{clause.word!r} needs a value, such as {clause.word} none")
        call = as_call(clause)
        draft.put(self.key, call.name if call else None, clause.place)
        draft.drop(self.arguments)
        if call and call.args:
            raise clause.place.error(
                f"found the argument {shorten(call.args[0])} of {call.name!r}; arguments here have names: name=value"
            )
        if call and call.kwargs:
            draft.put(self.arguments, dict(call.kwargs), clause.place)

    @override
    def apply_argument(self, draft: Draft, name: str, clause: Clause) -> None:
        if clause.bare:
            raise clause.place.error(f"{clause.word!r} needs a value")
        if draft.values.get(self.key) is None:
            word = clause.word.split(".")[0]
            raise clause.place.error(f"found {clause.word!r}, but there is no {word} to change; name one: {word} NAME")
        draft.put_argument(self.arguments, name, plain(clause), clause.place)


@dataclass(frozen=True)
class Bias(Named):
    """A learned bias by the name of its rule, ``constant`` or ``none``."""

    @override
    def apply(self, draft: Draft, clause: Clause) -> None:
        kind = clause.value
        if kind is not None and kind != "constant":
            super().apply(draft, clause)
        elif clause.bare:
            raise clause.place.error("'bias' needs a value: a learning rule, 'constant' or 'none'")
        else:
            draft.drop(self.key)
            draft.drop(self.arguments)
        draft.put("include_bias", kind is not None, clause.place)


@dataclass(frozen=True)
class Initializer(Named):
    """An initializer with arguments by position, or a clone with named ones."""

    scalable: bool = False

    @override
    def apply(self, draft: Draft, clause: Clause) -> None:
        draft.drop(SCALE)
        value = clause.value
        if self.scalable and isinstance(value, int | float) and not isinstance(value, bool):
            draft.drop(self.key)
            draft.drop(self.arguments)
            draft.put(SCALE, value, clause.place)
            return
        call = None if clause.bare else as_call(clause)
        if call and call.args and call.kwargs:
            raise clause.place.error(f"found positional and named arguments of {call.name!r}; one kind would be right")
        named = None if call is None else Call(call.name, (), call.kwargs)
        super().apply(draft, Clause(clause.word, named, clause.place, clause.bare))
        if call and call.args:
            draft.put(self.arguments, list(call.args), clause.place)

    @override
    def apply_argument(self, draft: Draft, name: str, clause: Clause) -> None:
        if not isinstance(draft.values.get(self.arguments), dict):
            raise clause.place.error(f"found {clause.word!r}, but the initializer has no named arguments to change")
        super().apply_argument(draft, name, clause)


def as_call(clause: Clause) -> Call | None:
    """The value of a word that takes a name: None for ``none``."""
    value = clause.value
    if value is None or isinstance(value, Call):
        return value
    if isinstance(value, str) and value:
        return Call(value)
    if isinstance(value, dict) and len(value) == 1:
        name, arguments = next(iter(value.items()))
        if isinstance(arguments, dict):
            return Call(name, (), arguments)
        if isinstance(arguments, list):
            return Call(name, tuple(arguments))
        if arguments is None:
            return Call(name)
    raise clause.place.error(f"found {shorten(value)}; a name or name(key=value) would be right")


def plain(clause: Clause) -> Plain:
    """The value of a word that takes no call."""
    value: Value = clause.value
    if isinstance(value, Call):
        raise clause.place.error(f"found {value.name!r} with arguments; a plain value would be right")
    return value


def _plain_words(*names: str) -> dict[str, Word]:
    return {name: Word(name) for name in names}


POPULATION: Mapping[str, Word] = {
    "excitatory": Cell(CELL),
    "inhibitory": Cell(CELL),
    CELL: Cell(CELL),
    "activation": Named("activation", "activation_kwargs"),
    "bias": Bias("bias_learning_rule", "bias_learning_rule_kwargs"),
    "bias_init": Initializer("bias_init", "bias_init_args"),
    "type": Word("population_type"),
    "outgoing_scale": Word(SCALE),
    **_plain_words(
        "size", "tau", "bias_bounds", "output_pop", "channels", "kernel_size", "image_dim", "image_source", "source"
    ),
}
PROJECTION: Mapping[str, Word] = {
    "rule": Named("learning_rule", "learning_rule_kwargs"),
    "fixed": Fixed("learning_rule", None),
    "init": Initializer("weight_init", "weight_init_args", scalable=True),
    "constraint": Named("weight_constraint", "weight_constraint_kwargs"),
    "bounds": Word("weight_bounds"),
    "forward": Flag("direction", "forward"),
    "recurrent": Flag("direction", "recurrent"),
    "direction": Word("direction"),
    "phase": Word("update_phase"),
    "dend": Flag("compartment", "dend"),
    "soma": Flag("compartment", "soma"),
    "compartment": Word("compartment"),
    **_plain_words("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode"),
}
TRAINING: Mapping[str, Word] = {
    "optimizer": Named("optimizer", "optimizer_kwargs"),
    "criterion": Named("criterion", "criterion_kwargs"),
    **_plain_words("learning_rate", "device", "tau", "forward_steps", "backward_steps", "verbose", "seed"),
}
CELL_WORDS = ("excitatory", "inhibitory", CELL, "outgoing_scale")
REMOVE = "remove"

_NESTED_NAMES = {
    "learning_rule": "rule", "learning_rule_kwargs": "rule.NAME", "weight_init": "init", "weight_init_args": "init",
    "weight_constraint": "constraint", "weight_constraint_kwargs": "constraint.NAME", "weight_bounds": "bounds",
    "update_phase": "phase", "population_type": "type", "include_bias": "bias", "bias_learning_rule": "bias",
    "bias_learning_rule_kwargs": "bias.NAME", "activation_kwargs": "activation.NAME", "bias_init_args": "bias_init",
    "optimizer_kwargs": "optimizer.NAME", "criterion_kwargs": "criterion.NAME", "dendrite": "dend",
}  # fmt: skip


def apply_clauses(draft: Draft, clauses: Sequence[Clause], words: Mapping[str, Word]) -> None:
    """Apply the clauses of one line.

    Raises:
        ConfigError: a word is unknown or its value is not what it takes.
    """
    for clause in clauses:
        first, _, argument = clause.word.partition(".")
        word = words.get(first)
        if clause.word == "":
            if "size" not in words:
                raise clause.place.error(f"found {clause.value}; a word would be right, such as 'init {clause.value}'")
            words["size"].apply(draft, clause)
        elif word is None:
            raise unknown_word(clause, first, words)
        elif argument:
            word.apply_argument(draft, argument, clause)
        elif first == "compartment" and clause.value == "dendrite":
            raise clause.place.error("found 'dendrite'; 'dend' would be right")
        else:
            word.apply(draft, clause)


def unknown_word(clause: Clause, word: str, words: Mapping[str, Word]) -> ConfigError:
    """The error for a word that is none, with a hint."""
    if word in _NESTED_NAMES:
        return clause.place.error(f"unknown word {word!r}; in this form it is {_NESTED_NAMES[word]!r}")
    return clause.place.error(f"unknown word {word!r}; {did_you_mean(word, words)}")
