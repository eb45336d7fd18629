"""Which parameters matter: shares in the variance of a target, with intervals."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import FloatDistribution
from optuna.importance import BaseImportanceEvaluator, FanovaImportanceEvaluator, PedAnovaImportanceEvaluator
from optuna.trial import FrozenTrial, TrialState

from optimize.analysis.unit import Floats, costs_of, unit_points, usable
from optimize.space import Parameter

Method = Literal["fanova", "pedanova"]

LEAST: Final = 10
_TREES: Final = 32
_SHUFFLES: Final = 7
_TAIL: Final = 2.5


def parameter_importance(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    target: str,
    *,
    method: Method = "fanova",
    maximize: bool = False,
    resamples: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Importance of each parameter for a target, most important first; importances sum to 1.

    ``fanova`` splits the variance of a random forest over the whole space; ``pedanova`` compares where the best tenth
    of the trials lies with where all lie, so it says what it takes to be good rather than what makes a difference
    anywhere. Both see parameters in unit coordinates: a logarithmic range is uniform in its logarithm.
    The interval (2.5 to 97.5 %) is over bootstrap resamples of the trials, each with a forest of another seed. What an
    interval holds that reaches down to ``noise``, the importance of the same parameter after shuffling the target, is
    no finding.

    Columns: ``parameter, importance, low, high, noise``.

    Literature: Hutter, Hoos and Leyton-Brown (2014), "An efficient approach for assessing hyperparameter importance";
    Watanabe, Bansal and Hutter (2023), "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces".

    Args:
        trials: a table of trials.
        parameters: searched parameters.
        target: a column such as ``objectives.accuracy``.
        method: of estimation.
        maximize: whether more of the target is better, see ``optimize.analysis.unit.upwards``; ``pedanova`` asks.
        resamples: bootstrap resamples.
        seed: of resampling and forests.

    Raises:
        UserError: fewer than 10 complete trials have the target.
    """
    done = usable(trials, target, LEAST, "importance")
    points, values = unit_points(done, parameters), costs_of(done, target, maximize=maximize)
    names = [parameter.name for parameter in parameters]
    rng = np.random.default_rng(seed)
    whole = _estimate(names, points, values, method, seed)
    again = np.empty((resamples, len(names)))
    noise = np.empty((min(resamples, _SHUFFLES), len(names)))
    for i in range(resamples):
        picked = rng.integers(len(points), size=len(points))
        again[i] = _estimate(names, points[picked], values[picked], method, seed + 1 + i)
    for i in range(len(noise)):
        noise[i] = _estimate(names, points, rng.permutation(values), method, seed + 1 + i)
    low, high = _interval(again)
    table = pd.DataFrame(
        {
            "parameter": names,
            "importance": whole,
            # The point estimate is of all trials; resamples hold fewer distinct ones and may lie beside it.
            "low": np.minimum(low, whole),
            "high": np.maximum(high, whole),
            "noise": np.median(noise, axis=0) if resamples else np.nan,
        }
    )
    return table.sort_values(["importance", "parameter"], ascending=[False, True]).reset_index(drop=True)


def _estimate(names: Sequence[str], points: Floats, values: Floats, method: Method, seed: int) -> Floats:
    """Normalized importances in the order of ``names``; all equal where nothing can be told apart."""
    evaluator: BaseImportanceEvaluator
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        # Said by Optuna where quantiles coincide: the importances are then equal, which the table shows.
        warnings.simplefilter("ignore", UserWarning)
        evaluator = (
            PedAnovaImportanceEvaluator()
            if method == "pedanova"
            else FanovaImportanceEvaluator(n_trees=_TREES, seed=seed)
        )
        found = evaluator.evaluate(_study(names, points, values), list(names), target=_value)
    raw = np.array([max(0.0, found.get(name, 0.0)) for name in names])
    total = raw.sum()
    return raw / total if np.isfinite(total) and total > 0 else np.full(len(names), 1 / len(names))


def _study(names: Sequence[str], points: Floats, values: Floats) -> optuna.Study:
    """The trials as Optuna's evaluators want them."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="minimize")
    everywhere = {name: FloatDistribution(0.0, 1.0) for name in names}
    study.add_trials(
        [
            optuna.trial.create_trial(
                state=TrialState.COMPLETE,
                params=dict(zip(names, map(float, point), strict=True)),
                distributions=dict(everywhere),
                value=float(value),
            )
            for point, value in zip(points, values, strict=True)
        ]
    )
    return study


def _value(trial: FrozenTrial) -> float:
    return float(trial.values[0])


def _interval(values: Floats) -> tuple[Floats, Floats]:
    if not len(values):
        empty = np.full(values.shape[1], np.nan)
        return empty, empty
    low, high = np.percentile(values, [_TAIL, 100 - _TAIL], axis=0)
    return low, high
