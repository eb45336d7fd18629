"""Suggestions: a function of what the storage holds, the study's seed and the trial's number, and of nothing else.

Optuna's samplers read and write a study while they think. Here they do so in a copy of the study in memory, which is
filled from the storage and follows it; what they have written goes to the storage together with the trial, at once.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from optimize import samplers
from optimize.space import Parameter, SearchSpace
from optimize.space.document import NamedWithOptions, Value
from optimize.study.mirror import NAME, STUDY, Mirror, mirrored
from optimize.study.spec import Point

# Optuna keeps which trials a generation descends from under this key, as ids of trials.
_PARENTS: Final = ":parent:"
# And how far a trial is beyond a constraint under this one, as ``Trial.set_constraint`` writes it.
_CONSTRAINT: Final = "constraints:"
_TRIES: Final = 200
#: Trials that end between two looks at what may be forgotten.
TIDY_EVERY: Final = 100


@dataclass(frozen=True)
class Proposal:
    """A trial as it was proposed.

    Attributes:
        trial: RUNNING, with parameters, distributions and what the sampler wrote about it.
        study_attributes: what the sampler wrote about the study, new since the last proposal; ids are trial numbers.
        unsatisfied: the condition of the space that no try could satisfy, or ``None``.
    """

    trial: FrozenTrial
    study_attributes: Mapping[str, Any] = field(default_factory=dict)
    unsatisfied: str | None = None


class Suggester:
    """Proposes trials of a space.

    Args:
        space: what is searched.
        sampler: what proposes.
        seed: of the study.
        points: trial i is point i, as far as there are points.

    Example:
        >>> space = SearchSpace.load("spiral/perceptron")
        >>> first = Suggester(space, NamedWithOptions(name="random"), seed=1).propose().trial
        >>> again = Suggester(space, NamedWithOptions(name="random"), seed=1).propose().trial
        >>> first.params == again.params
        True
    """

    def __init__(self, space: SearchSpace, sampler: NamedWithOptions, seed: int, points: Sequence[Point] = ()) -> None:
        self._space = space
        self._parameters = space.searched
        self._points = points
        self._distributions = {parameter.name: distribution(parameter) for parameter in self._parameters}
        self._sampler = _SpaceSampler(space, self._distributions, sampler, seed, points)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._mirror = Mirror([StudyDirection.MINIMIZE] * len(space.objectives))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._study = optuna.load_study(study_name=NAME, storage=self._mirror, sampler=self._sampler)
        self._spec = sampler
        self._until_tidying = TIDY_EVERY
        self._known_attributes: dict[str, Any] = {}
        self._ranges: dict[tuple[str, ...], dict[str, BaseDistribution]] = {}

    def restore(self, trials: Iterable[FrozenTrial], study_attributes: Mapping[str, Any]) -> None:
        """Fill the copy: all trials of the storage in the order of their numbers, and what samplers wrote.

        Ids in ``study_attributes`` are trial numbers, as in ``Proposal``.
        """
        for trial in trials:
            self._add(trial)
        for key, value in study_attributes.items():
            self._mirror.set_study_system_attr(STUDY, key, value)
        self._known_attributes = dict(study_attributes)
        self._tidy()

    def propose(self) -> Proposal:
        """The next trial. It counts as RUNNING from now on."""
        trial = self._study.ask()
        # Optuna samples when it is first asked for a parameter; which ones exist must be known before.
        _ = trial.relative_params
        own = trial.number
        for parameter in self._parameters:
            if parameter.name in self._sampler.chosen:
                # What ``Trial.suggest_float`` and its like end in; they look the value up in the trial each time.
                known = self._distributions[parameter.name]
                chosen = known.to_internal_repr(self._sampler.chosen[parameter.name])
                self._mirror.set_trial_param(own, parameter.name, chosen, known)
        frozen = self._mirror.get_trial(own)
        # Optuna makes an object for each parameter of each trial, which is more than half of what a trial takes.
        frozen.distributions = self._ranges_of(frozen.distributions)
        attributes = self._mirror.get_study_system_attrs(STUDY)
        new = {key: value for key, value in attributes.items() if self._known_attributes.get(key) != value}
        self._known_attributes.update(new)
        return Proposal(copy.copy(frozen), new, self._sampler.unsatisfied)

    def tell(
        self, number: int, state: TrialState, values: Sequence[float] | None, violations: Sequence[float] = ()
    ) -> dict[str, Any]:
        """End a trial in the copy; what the sampler then wrote about it.

        Args:
            number: of the trial.
            state: that it ends in.
            values: its objectives, for one that is complete.
            violations: of the space's constraints, in their order, see ``SearchSpace.violations``.
        """
        # What ``Study.tell`` does, without the deep copies that it makes of the trial.
        trial = self._mirror.get_trial(number)
        before = dict(trial.system_attrs)
        told = values if state is TrialState.COMPLETE else None
        for limit, excess in zip(self._space.constraints, violations, strict=False):
            self._mirror.set_trial_system_attr(number, f"{_CONSTRAINT}{limit.text}", excess)
        self._sampler.after_trial(self._study, trial, state, told)
        after = dict(trial.system_attrs)
        self._mirror.set_trial_state_values(number, state, told)
        self._until_tidying -= 1
        if self._until_tidying == 0:
            self._tidy()
        return {key: value for key, value in after.items() if before.get(key) != value}

    def _tidy(self) -> None:
        """Forget what the sampler will not look at again."""
        self._until_tidying = TIDY_EVERY
        ended = [trial for trial in self._mirror.get_all_trials(STUDY, deepcopy=False) if trial.state.is_finished()]
        attributes, next_number = self._mirror.get_study_system_attrs(STUDY), self._mirror.next_number
        self._mirror.forget(samplers.done_with(self._spec, ended, attributes, next_number))

    def _add(self, trial: FrozenTrial) -> None:
        known = {name: self._distributions.get(name, own) for name, own in trial.distributions.items()}
        ranges = self._ranges.setdefault(tuple(known), known)
        self._mirror.create_new_trial(STUDY, mirrored(trial, ranges if ranges == known else known))

    def _ranges_of(self, names: Iterable[str]) -> dict[str, BaseDistribution]:
        """The ranges of these parameters: one mapping for all trials that have the same ones; nobody changes it."""
        own = tuple(names)
        return self._ranges.setdefault(own, {name: self._distributions[name] for name in own})


class _SpaceSampler(BaseSampler):
    """Lets a fresh sampler propose a whole point of the space: given points first, then until conditions hold."""

    def __init__(
        self,
        space: SearchSpace,
        distributions: Mapping[str, BaseDistribution],
        sampler: NamedWithOptions,
        seed: int,
        points: Sequence[Point],
    ) -> None:
        self._space = space
        self._distributions = distributions
        choices = samplers.draws_choices(sampler)
        self._relative = {
            parameter.name: distributions[parameter.name]
            for parameter in space.searched
            if not parameter.when
            and not distributions[parameter.name].single()
            and (choices or parameter.kind != "categorical")
        }
        self._order = parents_first(space.searched)
        self._spec = sampler
        self._seed = seed
        self._points = points
        self._fresh_for = -1
        self._inner = self._teller = samplers.build(sampler, seed=seed, start=points[0] if points else None)
        self.chosen: dict[str, Value] = {}
        self.unsatisfied: str | None = None

    @override
    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        self._fresh(trial.number).before_trial(study, trial)

    @override
    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The space is known; Optuna need not look for it in all trials."""
        return dict(self._relative)

    @override
    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        inner = self._fresh(trial.number)
        self.unsatisfied = None
        if trial.number < len(self._points):
            if samplers.is_genetic(self._spec.name):
                # Asked all the same: they note to which generation a trial belongs, and breed from no other. The rest
                # would note what they had proposed themselves, and take the running point to be there.
                inner.sample_relative(study, trial, search_space)
            self.chosen = dict(self._points[trial.number])
            return self._relative_part(search_space)
        for attempt in range(samplers.tries(self._spec.name, _TRIES)):
            if attempt == 1 and samplers.is_sequence(self._spec.name):
                # A sequence has one point for this trial.
                inner = samplers.build(NamedWithOptions(name="random"), seed=trial_seed(self._seed, trial.number))
            self.chosen = self._complete(inner, study, trial, inner.sample_relative(study, trial, search_space))
            violated = self._space.violated(self.chosen)
            if not violated:
                return self._relative_part(search_space)
        self.unsatisfied = violated[0]
        return self._relative_part(search_space)

    @override
    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.chosen[param_name]

    @override
    def after_trial(
        self, study: optuna.Study, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None
    ) -> None:
        self._teller.after_trial(study, trial, state, values)

    def _relative_part(self, search_space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
        return {name: value for name, value in self.chosen.items() if name in search_space}

    def _complete(
        self, inner: BaseSampler, study: optuna.Study, trial: FrozenTrial, relative: Mapping[str, Any]
    ) -> dict[str, Value]:
        """Add what the sampler left open, one parameter after the other, as far as each exists."""
        values: dict[str, Value] = {}
        for parameter in self._order:
            name, dist = parameter.name, self._distributions[parameter.name]
            if parameter.when and name not in self._space.active(values):
                continue
            if name in relative:
                values[name] = relative[name]
            elif dist.single():
                values[name] = _only_value(dist)
            else:
                values[name] = inner.sample_independent(study, trial, name, dist)
        return values

    def _fresh(self, number: int) -> BaseSampler:
        if number != self._fresh_for:
            # Points of a sequence belong together; everything else is seeded for each trial.
            seed = self._seed if samplers.is_sequence(self._spec.name) else trial_seed(self._seed, number)
            self._inner = samplers.build(self._spec, seed=seed, start=self._points[0] if self._points else None)
            self._fresh_for = number
        return self._inner


def parents_first(parameters: Sequence[Parameter]) -> tuple[Parameter, ...]:
    """The parameters in an order in which each stands behind those that decide whether it exists."""
    left = list(parameters)
    names = {parameter.name for parameter in parameters}
    ordered: list[Parameter] = []
    while left:
        waiting = names & {parameter.name for parameter in left}
        ready = [parameter for parameter in left if not waiting & parameter.when.keys()] or left
        ordered += ready
        left = [parameter for parameter in left if parameter not in ready]
    return tuple(ordered)


def trial_seed(study_seed: int, number: int) -> int:
    """The seed of one suggestion.

    Example:
        >>> trial_seed(0, 1) != trial_seed(1, 0)
        True
    """
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1)[0])


def distribution(parameter: Parameter) -> BaseDistribution:
    """Optuna's word for a parameter's range."""
    if parameter.kind == "categorical":
        return CategoricalDistribution(parameter.choices)
    assert parameter.low is not None
    assert parameter.high is not None
    log = parameter.scale == "log"
    if parameter.kind == "int":
        return IntDistribution(int(parameter.low), int(parameter.high), log=log)
    return FloatDistribution(parameter.low, parameter.high, log=log)


def by_id(attributes: Mapping[str, Any], ids: Callable[[int], int]) -> dict[str, Any]:
    """Study attributes of samplers with every id of a trial replaced by ``ids`` of it."""
    return {
        key: [ids(item) for item in value] if _PARENTS in key and isinstance(value, list) else value
        for key, value in attributes.items()
    }


def _only_value(dist: BaseDistribution) -> Value:
    match dist:
        case CategoricalDistribution(choices=choices):
            value: Value = choices[0]  # type: ignore[assignment]
            return value
        case IntDistribution(low=low) | FloatDistribution(low=low):
            return low
        case _:
            raise TypeError(f"{type(dist).__name__} has no single value")
