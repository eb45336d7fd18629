"""A Sobol sequence as a sampler whose i-th trial is its i-th point, whatever happened to the trials before."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from typing_extensions import override

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial


class SobolSampler(BaseSampler):
    """Points that fill a space evenly: Sobol, scrambled as Owen 1998.

    Optuna's own counts its points in the storage; this one takes the trial's number, so that points neither repeat nor
    depend on restarts. Unlike other samplers it must be given the same seed for all trials.

    Args:
        seed: of the scrambling.
        scramble: without it the sequence is the classical one, whose first point is the corner of the space.
    """

    def __init__(self, *, scramble: bool = True, seed: int | None = None) -> None:
        self._seed = seed or 0
        self._scramble = scramble
        self._rest = RandomSampler(seed=seed)
        self._rest_for = -1

    @override
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is known of the space before it is asked for."""
        return {}

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point of this trial."""
        if not search_space:
            return {}
        point = _point(len(search_space), trial.number, self._seed, self._scramble)
        return place(point, search_space)

    @override
    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value for a parameter that was not in the space, drawn anew for each trial."""
        if self._rest_for != trial.number:
            self._rest_for = trial.number
            self._rest = RandomSampler(
                seed=int(np.random.SeedSequence([self._seed, trial.number]).generate_state(1)[0])
            )
        return self._rest.sample_independent(study, trial, param_name, param_distribution)


def place(point: npt.NDArray[np.float64], space: Mapping[str, BaseDistribution]) -> dict[str, Any]:
    """Values at a point of the unit cube, ``(dimensions,)``: numbers along their scale, choices in equal parts.

    Example:
        >>> place(np.array([0.5]), {"rate": FloatDistribution(1e-4, 1.0, log=True)})
        {'rate': 0.01}
    """
    return {name: _value(float(u), space[name]) for u, name in zip(point, space, strict=True)}


def _value(u: float, distribution: BaseDistribution) -> Any:
    match distribution:
        case CategoricalDistribution(choices=choices):
            return choices[min(int(u * len(choices)), len(choices) - 1)]
        case IntDistribution(low=low, high=high, log=False):
            return min(low + int(u * (high - low + 1)), high)
        case IntDistribution(low=low, high=high):
            value = math.exp(math.log(low - 0.5) + u * (math.log(high + 0.5) - math.log(low - 0.5)))
            return min(max(round(value), low), high)
        case FloatDistribution(low=low, high=high, log=log):
            value = (
                10 ** (math.log10(low) + u * (math.log10(high) - math.log10(low))) if log else low + u * (high - low)
            )
            return min(max(value, low), high)
        case _:
            raise TypeError(f"no point of a {type(distribution).__name__} is known")


@lru_cache(maxsize=4)
def _sequence(dimensions: int, size: int, seed: int, scramble: bool) -> npt.NDArray[np.float64]:
    from scipy.stats import qmc  # takes seconds to import

    engine = qmc.Sobol(dimensions, scramble=scramble, rng=np.random.default_rng(seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return np.asarray(engine.random(size))


def _point(dimensions: int, index: int, seed: int, scramble: bool) -> npt.NDArray[np.float64]:
    # Whole powers of two keep the sequence's balance and let neighbours share one computation.
    size = max(64, 1 << index.bit_length())
    return np.asarray(_sequence(dimensions, size, seed, scramble)[index])
