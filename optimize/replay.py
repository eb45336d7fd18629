"""Computing trials again: the same for comparison with the record, or on fresh seeds for an honest figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

import eiann
from eiann.errors import UserError
from optimize.objective import EvaluationSettings, InstanceOutcome, Seeds
from optimize.objective.evaluate import evaluate_replicas, held_out_data
from optimize.results.best import any_trial
from optimize.study import Study, TrialJob, TrialResult
from optimize.tune.pack import Pack, compute
from optimize.tune.trainer import load_trainer

HELD_OUT: Final = "held_out_accuracy"
_RESAMPLES: Final = 10_000
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Replay:
    """A trial computed again.

    Attributes:
        number: of the trial.
        recorded: what the storage has.
        computed: the new result.
    """

    number: int
    recorded: tuple[InstanceOutcome, ...]
    computed: TrialResult

    @property
    def identical(self) -> bool:
        """Whether every feature of every instance is the same, to the last bit, and the same instances failed."""
        return self.recorded == self.computed.instances

    def agrees(self, tolerance: float) -> bool:
        """Whether the same instances failed and no feature differs by more than ``tolerance``, relative to its size.

        For another executor or device: it rounds differently, and a long training makes more of that.
        """
        same_fate = all(
            (old.failure is None) == (new.failure is None) and old.features.keys() == new.features.keys()
            for old, new in zip(self.recorded, self.computed.instances, strict=True)
        )
        return same_fate and self.largest <= tolerance

    @property
    def largest(self) -> float:
        """The largest difference of a feature, in parts of what was recorded (of 1, where that is smaller).

        Infinite where only one of both has the feature.
        """
        compared = self.comparison()
        size = compared["recorded"].abs().clip(lower=1.0)
        parts = (compared["difference"].abs() / size).fillna(np.inf)
        return float(parts.max()) if len(parts) else 0.0

    def comparison(self) -> pd.DataFrame:
        """One row per instance and feature: recorded, replayed and their difference."""
        rows = []
        for i, (old, new) in enumerate(zip(self.recorded, self.computed.instances, strict=True)):
            for name in {**old.features, **new.features}:
                pair = old.features.get(name, np.nan), new.features.get(name, np.nan)
                rows.append((i, old.network_seed, old.data_seed, name, *pair, pair[1] - pair[0]))
        columns = ["instance", "network_seed", "data_seed", "feature", "recorded", "replayed", "difference"]
        return pd.DataFrame(rows, columns=columns)


def replay(study: Study, number: int, *, executor: str | None = None) -> Replay:
    """Compute a trial again: same parameters, seeds and arithmetic, and the same device and executor unless told.

    Args:
        study: the study.
        number: of the trial.
        executor: another one; the result is then the same up to rounding, see ``Replay.agrees``.

    Raises:
        UserError: there is no such trial, it was never computed, or its device or the executor is absent.
    """
    # Imported here: it loads every executor.
    from eiann.executors.choose import EXECUTORS

    if executor is not None and executor not in ("auto", *EXECUTORS):
        raise UserError(f"--executor: found {executor!r}; there are: auto, {', '.join(EXECUTORS)}")
    row = any_trial(study, number)
    recorded = tuple(InstanceOutcome(**instance) for instance in row.result.get("instances", ()))
    if not recorded:
        why = row.result.get("failure", f"it is {row.state}")
        raise UserError(f"trial {number} of {study.name!r} was not computed: {why}")
    spec = study.spec
    device = row.result.get("device", "cpu")
    resources = spec.resources.model_copy(update={"gpus": 0.0 if device == "cpu" else max(spec.resources.gpus, 1.0)})
    same = spec.model_copy(
        update={"executor": executor or _executor(row.result, spec.executor), "resources": resources}
    )
    # What was worked out from the old values must not come along.
    same = type(spec).model_validate(same.model_dump(by_alias=True))
    seeds = tuple((outcome.network_seed, outcome.data_seed) for outcome in recorded)
    job = TrialJob(number, max(1, row.attempt), row.params, seeds)
    (computed,) = compute(same, load_trainer(same.trainer, same), Pack(0, (job,)))
    return Replay(number, recorded, computed)


@dataclass(frozen=True)
class Reevaluation:
    """Trials on seeds that they were not selected on.

    Attributes:
        trials: one row per trial: ``number``, ``selected_accuracy`` (on the selection seeds and validation data),
            ``held_out_accuracy`` with ``low`` and ``high`` (95 % bootstrap interval of the mean), ``median``,
            ``worst``, ``validation_accuracy`` on the fresh seeds, ``instances`` and ``failed_share``.
        instances: one row per trial and instance: ``number, instance, network_seed, data_seed, features.*,
            held_out_accuracy, failure``.
    """

    trials: pd.DataFrame
    instances: pd.DataFrame


def reevaluate(
    study: Study,
    *,
    top: int,
    fresh_seeds: int,
    by: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Reevaluation:
    """Train the best trials on fresh seeds and measure them on held-out data.

    Failed instances count in ``failed_share`` and nowhere else.

    Raises:
        UserError: there is no complete trial, or there are no further seeds.
    """
    best = study.best(top, by)
    if best.empty:
        raise UserError(f"study {study.name!r} has no complete trial yet")
    spec = study.spec
    seeds = spec.search_space.with_fresh_instances(fresh_seeds).instances
    numbers = [int(number) for number in best["number"]]
    rows = [any_trial(study, number) for number in numbers]
    run = evaluate_replicas(
        [spec.search_space.apply(row.params) for row in rows for _ in seeds],
        [pair for _ in rows for pair in seeds],
        spec.evaluation,
        progress,
    )
    accuracy = eiann.evaluate(run.network, held_out_data(spec.evaluation.data), run.history.executor).accuracy
    instances = _instance_rows(numbers, seeds, run.outcomes, accuracy.tolist(), spec.evaluation)
    selected = dict(zip(numbers, best["features.accuracy"], strict=True))
    summary = [_summary(number, selected[number], instances[instances["number"] == number]) for number in numbers]
    return Reevaluation(pd.DataFrame(summary), instances)


def bootstrap_mean(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """95 % percentile interval of the mean (Efron 1979), from 10,000 resamples; the same for the same values.

    Example:
        >>> bootstrap_mean(np.array([5.0, 5.0, 5.0]))
        (5.0, 5.0)
    """
    if not len(values):
        return float("nan"), float("nan")
    chosen = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    tail = 100 * (1 - _CONFIDENCE) / 2
    low, high = np.percentile(values[chosen].mean(1), [tail, 100 - tail])
    return float(low), float(high)


def _instance_rows(
    numbers: Sequence[int],
    seeds: Sequence[Seeds],
    outcomes: Sequence[InstanceOutcome],
    accuracy: Sequence[float],
    settings: EvaluationSettings,
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for i, (outcome, held_out) in enumerate(zip(outcomes, accuracy, strict=True)):
        rows.append(
            {
                "number": numbers[i // len(seeds)],
                "instance": i % len(seeds),
                "network_seed": outcome.network_seed,
                "data_seed": outcome.data_seed,
                **{f"features.{name}": outcome.features.get(name, np.nan) for name in settings.measured},
                HELD_OUT: held_out,
                "failure": outcome.failure,
            }
        )
    return pd.DataFrame(rows)


def _summary(number: int, selected: float, instances: pd.DataFrame) -> dict[str, Any]:
    valid = instances[instances["failure"].isna()]
    values = valid[HELD_OUT].to_numpy(dtype=np.float64)
    low, high = bootstrap_mean(values)
    return {
        "number": number,
        "selected_accuracy": selected,
        HELD_OUT: float(np.mean(values)) if len(values) else np.nan,
        "low": low,
        "high": high,
        "median": float(np.median(values)) if len(values) else np.nan,
        "worst": float(np.min(values)) if len(values) else np.nan,
        "validation_accuracy": float(valid["features.accuracy"].mean()),
        "instances": len(instances),
        "failed_share": 1 - len(valid) / len(instances),
    }


def _executor(result: dict[str, Any], default: str) -> str:
    name: str = result.get("executor", default)
    return default if name in ("none", "stub") else name
