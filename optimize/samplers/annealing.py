"""Population annealing: many walks at once, from the best places known, in steps that become smaller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from typing_extensions import override

from optimize.dominance import Costs, fronts
from optimize.samplers.scales import WIDE, anywhere, near

if TYPE_CHECKING:
    from optuna import Study

# Survivors are kept in the study under this key and the number of their iteration, as ids of trials. Whoever copies a
# study from one storage to another knows by the word "parent" that there are ids to be translated.
_SURVIVORS: Final = "annealing:parent:"


class Needed(NamedTuple):
    """Of earlier trials: all from ``first`` on, and those that the study lists under the keys ``survivors``."""

    first: int
    survivors: tuple[str, ...]


class PopulationAnnealingSampler(BaseSampler):
    """The search of the published models, as a sampler.

    A population of ``population_size`` walkers takes ``path_length`` steps, whatever comes of them: that is one
    iteration. Then the best of its trials, and of those that survived the iteration before, survive: a share
    ``survival_rate`` of the population by Pareto rank, and the best in every single objective. All walkers start the
    next iteration from survivors, and steps are shorter by ``step_decay``.

    Trial n is step n // population_size of walker n % population_size; it starts where that walker's last trial was.
    So only the first step of an iteration asks for results. It takes those that are there: trials that still run then
    are looked at one iteration later, and no slot waits for a slow one.

    Survivors are taken front by front, and within a front by relative energy: the sum of the objectives, each scaled to
    its range, logarithmically where that spans orders of magnitude. It favours good compromises on convex fronts and
    the ends of concave ones. A trial that violates constraints is behind all that do not. A failed one never survives,
    and its walker starts again from a survivor.

    Source: the class PopulationAnnealing of the Milstein laboratory's package Nested, with which Galloni et al. 2025
    searched. One thing differs: there all walkers wait for the slowest before each step.

    Args:
        population_size: walkers.
        path_length: steps of an iteration.
        initial_step_size: of the first iteration, as a share of each range; 1 reaches anywhere.
        step_decay: factor of the step size from iteration to iteration.
        survival_rate: survivors by rank, as a share of the population.
        max_fitness: last Pareto front that survivors are taken from, if those before it have too few; 0 is the front.
        specialists: whether the best in each objective survives too.
        log_steps: step through linear ranges whose bounds differ by a factor of 100 in orders of magnitude.
        wrap: what steps over a bound comes in at the other end, instead of being reflected.
        seed: of the random numbers.
    """

    def __init__(
        self,
        *,
        population_size: int = 50,
        path_length: int = 3,
        initial_step_size: float = 0.5,
        step_decay: float = 0.9,
        survival_rate: float = 0.2,
        max_fitness: int = 5,
        specialists: bool = True,
        log_steps: bool = True,
        wrap: bool = False,
        seed: int | None = None,
    ) -> None:
        for name, count, least in (
            ("population_size", population_size, 1),
            ("path_length", path_length, 1),
            ("max_fitness", max_fitness, 0),
        ):
            if count < least:
                raise ValueError(f"{name} is at least {least}, not {count}")
        for name, share in (
            ("initial_step_size", initial_step_size),
            ("step_decay", step_decay),
            ("survival_rate", survival_rate),
        ):
            if not 0 < share <= 1:
                raise ValueError(f"{name} lies between 0 and 1, not at {share}")
        self._population = population_size
        self._path = path_length
        self._initial_step = initial_step_size
        self._decay = step_decay
        self._survivors = max(1, round(survival_rate * population_size))
        self._max_fitness = max_fitness
        self._specialists = specialists
        self._log_steps = log_steps
        self._wrap = wrap
        self._rng = np.random.default_rng(seed)
        self._origins: dict[int, FrozenTrial | None] = {}

    @override
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is known of the space before it is asked for."""
        return {}

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """A step of this trial's walker, in all parameters."""
        return {name: self._step(study, trial, name, distribution) for name, distribution in search_space.items()}

    @override
    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A step in one parameter, or any value where the walker had none so far."""
        return self._step(study, trial, param_name, param_distribution)

    def step_size(self, number: int) -> float:
        """Of a trial, as a share of each range.

        Example:
            >>> PopulationAnnealingSampler(population_size=10, path_length=3).step_size(30)
            0.45
        """
        return self._initial_step * self._decay ** self._iteration(number)

    def looks_back_to(self, number: int) -> Needed:
        """What proposing a trial and those behind it looks at.

        Example:
            >>> PopulationAnnealingSampler(population_size=10, path_length=3).looks_back_to(65)
            Needed(first=20, survivors=('annealing:parent:1', 'annealing:parent:2'))
        """
        iteration = self._iteration(number)
        return Needed(self._first_judged(iteration), (f"{_SURVIVORS}{iteration - 1}", f"{_SURVIVORS}{iteration}"))

    def _step(self, study: Study, trial: FrozenTrial, name: str, distribution: BaseDistribution) -> Any:
        if trial.number not in self._origins:
            self._origins = {trial.number: self._origin(study, trial)}
        origin = self._origins[trial.number]
        if origin is None or name not in origin.params:
            return anywhere(distribution, self._rng, log_steps=self._log_steps)
        size = self.step_size(trial.number)
        return near(origin.params[name], distribution, size, self._rng, wrap=self._wrap, log_steps=self._log_steps)

    def _iteration(self, number: int) -> int:
        return number // (self._population * self._path)

    def _first_judged(self, iteration: int) -> int:
        """The first trial that may survive into an iteration without having survived before.

        That is with the last generation of the iteration before the last, of which some still ran when it was judged.
        """
        return (iteration * self._path - (self._path + 1)) * self._population

    def _origin(self, study: Study, trial: FrozenTrial) -> FrozenTrial | None:
        """The trial that this one is a step away from; none in the first generation."""
        number, population = trial.number, self._population
        if number < population:
            return None
        trials = {other.number: other for other in study.get_trials(deepcopy=False)}
        if number // population % self._path:
            before = trials.get(number - population)
            if before is not None and before.state in (TrialState.COMPLETE, TrialState.RUNNING):
                return before
        survivors = self._chosen(study, self._iteration(number), trials)
        return survivors[number % population % len(survivors)] if survivors else None

    def _chosen(self, study: Study, iteration: int, trials: dict[int, FrozenTrial]) -> list[FrozenTrial]:
        """Survivors that an iteration starts from: chosen once, when they are first asked for."""
        if iteration == 0:
            return []
        storage, study_id, key = study._storage, study._study_id, f"{_SURVIVORS}{iteration}"  # noqa: SLF001
        ids = {trial._trial_id: trial for trial in trials.values()}  # noqa: SLF001
        known = storage.get_study_system_attrs(study_id)
        if key in known:
            return [ids[trial_id] for trial_id in known[key]]
        survived = [ids[trial_id] for trial_id in known.get(f"{_SURVIVORS}{iteration - 1}", ())]
        recent = [trial for trial in trials.values() if trial.number >= self._first_judged(iteration)]
        candidates = {trial.number: trial for trial in (*survived, *recent) if trial.state is TrialState.COMPLETE}
        ordered = [candidates[number] for number in sorted(candidates)]
        chosen = [ordered[i] for i in self._select(ordered)]
        if chosen:
            storage.set_study_system_attr(study_id, key, [trial._trial_id for trial in chosen])  # noqa: SLF001
        return chosen

    def _select(self, candidates: Sequence[FrozenTrial]) -> list[int]:
        if not candidates:
            return []
        costs = np.array([trial.values for trial in candidates], dtype=np.float64)
        violation = np.array([sum(max(0.0, excess) for excess in trial.constraints.values()) for trial in candidates])
        feasible = violation <= 0
        if not feasible.any():
            return [int(i) for i in np.argsort(violation, kind="stable")[: self._survivors]]
        able = np.flatnonzero(feasible)
        chosen = survivors(costs[able], self._survivors, self._max_fitness)
        if self._specialists:
            chosen += [int(i) for i in costs[able].argmin(0)]
        return [int(able[i]) for i in dict.fromkeys(chosen)]


def survivors(costs: Costs, count: int, max_fitness: int) -> list[int]:
    """Which points survive, the best first.

    Args:
        costs: ``(n, objectives)``, all minimized.
        count: of survivors, if there are as many.
        max_fitness: last Pareto front that they are taken from.

    Example:
        >>> survivors(np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 0.0], [2.0, 2.0]]), count=3, max_fitness=1)
        [0, 2, 1]
    """
    ranks = fronts(costs, max_fitness + 1)
    energy = relative_energy(costs)
    order = np.lexsort((np.arange(len(costs)), energy, ranks))
    return [int(i) for i in order[ranks[order] <= max_fitness][:count]]


def relative_energy(costs: Costs) -> Costs:
    """Sum of the objectives, each from 0 for its best to 1 for its worst value: ``(n, objectives)`` to ``(n,)``.

    An objective that is positive everywhere and spans a factor of 100 is scaled logarithmically.
    """
    energy = np.zeros(len(costs))
    for column in costs.T:
        low, high = column.min(), column.max()
        if low > 0 and high / low >= WIDE:
            column, low, high = np.log10(column), np.log10(low), np.log10(high)
        if high > low:
            energy += (column - low) / (high - low)
    return energy
