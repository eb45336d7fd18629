"""Designs: points fixed beforehand that a sensitivity analysis asks for, as a sampler whose i-th trial is the i-th."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from typing_extensions import override

from optimize.samplers.qmc import place

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

DesignKind = Literal["saltelli", "morris", "latin", "grid"]
KINDS: Final = get_args(DesignKind)
_MOST: Final = 1_000_000
Points = npt.NDArray[np.float64]


class DesignSampler(BaseSampler):
    """Points of a design, in its order. Like ``SobolSampler`` it must be given the same seed for all trials.

    Trials behind the last point are random. Parameters that exist only under a condition are no part of a design:
    where they exist, they are random.

    Args:
        kind: ``saltelli`` for Sobol indices (Saltelli et al. 2010; n (D + 2) points for D parameters, with
            ``second_order`` n (2 D + 2), n a power of 2), ``morris`` for elementary effects (Morris 1991;
            n (D + 1) points), ``latin`` for a Latin hypercube (McKay et al. 1979; n points), ``grid`` for all
            combinations of n levels (n^D points). The first two are those of SALib, which analyses them in this order.
        n: see ``kind``.
        second_order: whether interactions of two parameters can be told apart, for ``saltelli``.
        seed: of the design.
    """

    def __init__(
        self, *, kind: str = "saltelli", n: int = 64, second_order: bool = False, seed: int | None = None
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is one of {', '.join(KINDS)}, not {kind!r}")
        if n < 2:
            raise ValueError(f"n is at least 2, not {n}")
        if kind == "saltelli" and n & (n - 1):
            raise ValueError(f"n is a power of 2 for a saltelli design, not {n}")
        self._kind = kind
        self._n = n
        self._second_order = second_order
        self._seed = seed or 0
        self._rest = RandomSampler(seed=seed)

    def size(self, parameters: int) -> int:
        """Points of the design for so many parameters.

        Example:
            >>> DesignSampler(kind="saltelli", n=64).size(parameters=5)
            448
        """
        match self._kind:
            case "saltelli":
                return self._n * (2 * parameters + 2 if self._second_order else parameters + 2)
            case "morris":
                return self._n * (parameters + 1)
            case "latin":
                return self._n
            case _:
                return int(self._n**parameters)

    def points(self, parameters: int) -> Points:
        """All points, in the unit cube: ``(size, parameters)``.

        Raises:
            ValueError: there are more than a million.
        """
        if self.size(parameters) > _MOST:
            raise ValueError(f"found {self.size(parameters):,} points; a design has at most {_MOST:,}")
        return _design(self._kind, self._n, parameters, self._second_order, self._seed)

    @override
    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Nothing is known of the space before it is asked for."""
        return {}

    @override
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point of this trial."""
        if not search_space or trial.number >= self.size(len(search_space)):
            return {}
        return place(self.points(len(search_space))[trial.number], search_space)

    @override
    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value."""
        return self._rest.sample_independent(study, trial, param_name, param_distribution)


@lru_cache(maxsize=4)
def _design(kind: str, n: int, parameters: int, second_order: bool, seed: int) -> Points:
    problem = {
        "num_vars": parameters,
        "names": [f"x{i}" for i in range(parameters)],
        "bounds": [[0.0, 1.0]] * parameters,
    }
    match kind:
        case "saltelli":
            from SALib.sample import sobol

            return np.asarray(sobol.sample(problem, n, calc_second_order=second_order, seed=seed))
        case "morris":
            from SALib.sample import morris

            return np.asarray(morris.sample(problem, n, seed=seed))
        case "latin":
            from scipy.stats import qmc

            return np.asarray(qmc.LatinHypercube(parameters, rng=np.random.default_rng(seed)).random(n))
        case _:
            axes = [np.linspace(0.0, 1.0, n)] * parameters
            return np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
