"""The best trials on seeds and data that they were not selected on: the figures that may be reported.

Settings that win a search have had luck with its seeds. Here they are trained on fresh ones and measured on held-out
data; what comes out is kept in the study's folder, together with what it was computed from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

import eiann
from eiann.errors import UserError
from optimize.files import TEMPORARY, write_text
from optimize.objective import EvaluationSettings, InstanceOutcome, Seeds
from optimize.objective.evaluate import check_steps, evaluate_replicas, held_out_data
from optimize.results import none_best, write_table
from optimize.results.best import any_trial
from optimize.space.document import NamedWithOptions
from optimize.study import Study
from optimize.study.spec import git_commit, installed_versions

HELD_OUT: Final = "held_out_accuracy"
HELD_OUT_LOSS: Final = "held_out_loss"
FOLDER: Final = "reevaluations"
TOP: Final = 5
"""As many of the best trials are measured if nothing is said."""
_RESAMPLES: Final = 10_000
_CONFIDENCE: Final = 0.95
_TRIALS, _INSTANCES, _PROVENANCE = "trials.parquet", "instances.parquet", "provenance.json"


class ReevaluationProvenance(BaseModel):
    """What a reevaluation was computed from.

    Attributes:
        schema_version: of this file.
        study, study_id: whose trials.
        computed: when it ended, UTC.
        chosen: how the trials were chosen: ``top 5 by accuracy``, or ``given`` by number.
        trials: their numbers, the best first.
        params: of each of them, searched and fixed, by number.
        seeds: (network seed, data seed) of the fresh instances.
        selected_on: those that the trials were selected on.
        data: data set of the study.
        held_out: name and number of the samples that accuracy was measured on.
        steps, epochs: of training.
        executor, device, dtype: what it was computed by.
        confidence, resamples: of the bootstrap intervals.
        versions, git: of what computed it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = 1
    study: str
    study_id: str
    computed: datetime
    chosen: str
    trials: tuple[int, ...]
    params: dict[int, dict[str, Any]]
    seeds: tuple[Seeds, ...]
    selected_on: tuple[Seeds, ...]
    data: NamedWithOptions
    held_out: dict[str, Any]
    steps: int
    epochs: int
    executor: str
    device: str
    dtype: str
    confidence: float = _CONFIDENCE
    resamples: int = _RESAMPLES
    versions: dict[str, str]
    git: str | None = None


@dataclass(frozen=True)
class Reevaluation:
    """Trials on seeds that they were not selected on.

    Attributes:
        trials: one row per trial: ``number``, ``selected_accuracy`` (on the selection seeds and validation data),
            ``held_out_accuracy`` with ``low`` and ``high`` (95 % bootstrap interval of the mean), ``median`` with
            ``median_low`` and ``median_high``, ``worst``, ``held_out_loss``, ``validation_accuracy`` on the fresh
            seeds, ``instances``, ``failed`` and ``failed_share``.
        instances: one row per trial and instance: ``number, instance, network_seed, data_seed, features.*,
            held_out_accuracy, held_out_loss, failure``.
        provenance: what it was computed from.
    """

    trials: pd.DataFrame
    instances: pd.DataFrame
    provenance: ReevaluationProvenance

    def write(self, study: Study) -> Path:
        """Keep it in ``reevaluations/`` of the study's folder, under the time; whole or not at all.

        Returns:
            The folder, with ``trials.parquet``, ``instances.parquet`` and ``provenance.json``.
        """
        parent = study.folder.path / FOLDER
        parent.mkdir(exist_ok=True)
        stamp = f"{self.provenance.computed:%Y%m%dT%H%M%SZ}"
        temporary = parent / f".{stamp}.{token_hex(4)}{TEMPORARY}"
        temporary.mkdir()
        write_table(self.trials, temporary / _TRIALS)
        write_table(self.instances, temporary / _INSTANCES)
        write_text(temporary / _PROVENANCE, self.provenance.model_dump_json(indent=1))
        folder, count = parent / stamp, 1
        while folder.exists():
            count += 1
            folder = parent / f"{stamp}-{count}"
        temporary.rename(folder)
        return folder

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What ``write`` wrote.

        Raises:
            UserError: there is no such thing there.
        """
        try:
            provenance = ReevaluationProvenance.model_validate_json((folder / _PROVENANCE).read_bytes())
            return cls(pd.read_parquet(folder / _TRIALS), pd.read_parquet(folder / _INSTANCES), provenance)
        except (OSError, ValidationError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{folder}: cannot be read as a reevaluation: {reason}") from error


def reevaluations(study: Study) -> list[Path]:
    """Folders of all reevaluations of a study, the latest last."""
    return sorted(path.parent for path in (study.folder.path / FOLDER).glob(f"[!.]*/{_PROVENANCE}"))


def reevaluate(
    study: Study,
    *,
    fresh_seeds: int,
    top: int = TOP,
    by: str | None = None,
    trials: Sequence[int] = (),
    steps: int | None = None,
    epochs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Reevaluation:
    """Train the best trials on fresh seeds and measure them on held-out data.

    The study's own instances are not among the fresh ones. Held-out data is the test part of the data set, or, where
    that was validated on, points made anew (see ``held_out_data``). Failed instances, which did not stay finite or were
    rejected by the space, count in ``failed`` and ``failed_share`` and nowhere else.

    Args:
        study: with complete trials within the constraints of its space.
        fresh_seeds: instances for each trial.
        top, by: the best trials, by an objective or by Pareto rank.
        trials: numbers of trials, instead of the best: then ``top`` and ``by`` are left out.
        steps, epochs: train longer or shorter than the study did.
        progress: is told finished and all training steps.

    Raises:
        UserError: there is no complete trial within the constraints or no such one, trials are asked for by number and
            as the best, there are no further seeds, or too few training samples.
    """
    # Whoever leaves the number of the best out hands over what stands for it: that much cannot be told apart.
    if trials and (top != TOP or by is not None):
        what = f"the best {top}" if top != TOP else f"the best by {by}"
        raise UserError(f"reevaluation: found {what} and trials by number; one of the two would be right")
    best = _chosen(study, trials) if trials else study.best(top, by)
    if best.empty:
        raise none_best(study.name, study.trials(), study.spec.evaluation.constraints)
    spec = study.spec
    space = spec.search_space
    changes = {name: value for name, value in (("steps", steps), ("epochs", epochs)) if value is not None}
    run_settings = space.with_run(**changes).run
    check_steps(run_settings, space.data)
    settings = spec.evaluation.model_copy(update={"run": run_settings})
    seeds = space.with_fresh_instances(fresh_seeds).instances
    numbers = [int(number) for number in best["number"]]
    rows = [any_trial(study, number) for number in numbers]
    run = evaluate_replicas(
        [space.apply(row.params) for row in rows for _ in seeds],
        [pair for _ in rows for pair in seeds],
        settings,
        progress,
    )
    held_out = held_out_data(settings.data)
    measured = eiann.evaluate(run.network, held_out, run.history.executor)
    instances = _instance_rows(numbers, seeds, run.outcomes, measured, settings)
    selected = dict(zip(numbers, best["features.accuracy"], strict=True))
    summary = [_summary(number, selected[number], instances[instances["number"] == number]) for number in numbers]
    provenance = ReevaluationProvenance(
        study=spec.name,
        study_id=spec.study_id,
        computed=datetime.now(UTC),
        chosen="given" if trials else f"top {top} by {by or 'Pareto rank'}",
        trials=tuple(numbers),
        params={row.number: {**space.fixed, **row.params} for row in rows},
        seeds=seeds,
        selected_on=space.instances,
        data=settings.data,
        held_out={"name": held_out.name, "samples": len(held_out)},
        steps=settings.run.steps,
        epochs=settings.run.epochs,
        executor=run.history.executor,
        device=run.device,
        dtype=settings.dtype,
        versions=installed_versions(),
        git=git_commit(),
    )
    return Reevaluation(pd.DataFrame(summary), instances, provenance)


def _chosen(study: Study, numbers: Sequence[int]) -> pd.DataFrame:
    """Rows of some trials in the order in which they are asked for."""
    trials = study.trials()
    complete = trials[trials["state"] == "COMPLETE"].set_index("number", drop=False)
    missing = [number for number in numbers if number not in complete.index]
    if missing:
        raise UserError(f"study {study.name!r} has no complete trial {missing[0]}")
    return complete.loc[list(dict.fromkeys(numbers))]


def bootstrap_mean(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """95 % percentile interval of the mean (Efron 1979), from 10,000 resamples; the same for the same values.

    NaN for no values at all.

    Example:
        >>> bootstrap_mean(np.array([5.0, 5.0, 5.0]))
        (5.0, 5.0)
    """
    return _interval(values, lambda resampled: resampled.mean(1))


def bootstrap_median(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """As ``bootstrap_mean``, of the median."""
    return _interval(values, lambda resampled: np.median(resampled, axis=1))


def _interval(
    values: npt.NDArray[np.float64], statistic: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]
) -> tuple[float, float]:
    if not len(values):
        return float("nan"), float("nan")
    chosen = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    tail = 100 * (1 - _CONFIDENCE) / 2
    low, high = np.percentile(statistic(values[chosen]), [tail, 100 - tail])
    return float(low), float(high)


def _instance_rows(
    numbers: Sequence[int],
    seeds: Sequence[Seeds],
    outcomes: Sequence[InstanceOutcome],
    measured: eiann.Evaluation,
    settings: EvaluationSettings,
) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for i, (outcome, held_out) in enumerate(zip(outcomes, measured.accuracy.tolist(), strict=True)):
        rows.append(
            {
                "number": numbers[i // len(seeds)],
                "instance": i % len(seeds),
                "network_seed": outcome.network_seed,
                "data_seed": outcome.data_seed,
                **{f"features.{name}": outcome.features.get(name, np.nan) for name in settings.measured},
                HELD_OUT: held_out,
                HELD_OUT_LOSS: float(measured.loss[i]),
                "failure": outcome.failure,
            }
        )
    return pd.DataFrame(rows)


def _summary(number: int, selected: float, instances: pd.DataFrame) -> dict[str, Any]:
    valid = instances[instances["failure"].isna()]
    values = valid[HELD_OUT].to_numpy(dtype=np.float64)
    low, high = bootstrap_mean(values)
    median_low, median_high = bootstrap_median(values)
    return {
        "number": number,
        "selected_accuracy": selected,
        HELD_OUT: float(np.mean(values)) if len(values) else np.nan,
        "low": low,
        "high": high,
        HELD_OUT_LOSS: float(valid[HELD_OUT_LOSS].mean()),
        "median": float(np.median(values)) if len(values) else np.nan,
        "median_low": median_low,
        "median_high": median_high,
        "worst": float(np.min(values)) if len(values) else np.nan,
        "validation_accuracy": float(valid["features.accuracy"].mean()),
        "instances": len(instances),
        "failed": len(instances) - len(valid),
        "failed_share": 1 - len(valid) / len(instances),
    }
