"""Everything that a report says, gathered from a study before a line of it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis import (
    champions,
    contours,
    distance_and_error,
    front_history,
    local_slopes,
    parameter_importance,
    ranking_confidence,
    unit_columns,
)
from optimize.analysis.importance import LEAST
from optimize.objective.aggregate import maximized, objective_labels
from optimize.results.ranking import complete_trials, feasible_trials, none_best, pareto_front
from optimize.space import Parameter
from optimize.space.document import Aggregate, ObjectiveSpec
from optimize.study import Study

REEVALUATIONS: Final = "reevaluations"
REEVALUATION: Final = "reevaluation.parquet"
GOOD: Final = 0.1
"""Part of the trials that counts as good where a picture shows where the good ones lie."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BestRun:
    """The best network, trained again.

    Attributes:
        folder: of the run.
        history: its ``history.json``.
    """

    folder: Path
    history: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> BestRun:
        """From a folder that ``optimize.training_run.write_run`` wrote."""
        return cls(folder, json.loads((folder / "history.json").read_text()))


@dataclass(frozen=True)
class Material:
    """What is known about a study.

    Attributes:
        study: the study.
        trials, instances: its tables.
        importance: of each parameter for the first objective; ``None`` where there are too few trials.
        best_run: the best network trained again, or ``None``.
        notes: what went wrong on the way here.
    """

    study: Study
    trials: pd.DataFrame
    instances: pd.DataFrame
    importance: pd.DataFrame | None = None
    best_run: BestRun | None = None
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def of(
        cls, study: Study, *, best_run: BestRun | None = None, notes: tuple[str, ...] = (), resamples: int = 12
    ) -> Material:
        """Gather it.

        Args:
            study: with at least one complete trial within the constraints of its space.
            best_run: the best network trained again.
            notes: what went wrong on the way here.
            resamples: for the intervals of importance; 0 leaves importance out, which takes most of the time.

        Raises:
            UserError: no trial is complete yet, or none satisfies the constraints.
        """
        trials, instances = study.trials(), study.instances()
        done = complete_trials(trials)
        settings = study.spec.evaluation
        if feasible_trials(trials, settings.limits).empty:
            raise none_best(study.name, trials, settings.constraints)
        objective = f"objectives.{next(iter(settings.objectives))}"
        importance = None
        if resamples and np.isfinite(done[objective]).sum() >= LEAST and done[objective].nunique() > 1:
            importance = parameter_importance(trials, study.spec.search_space.searched, objective, resamples=resamples)
        return cls(study, trials, instances, importance, best_run, notes)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Searched ones."""
        return self.study.spec.search_space.searched

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names."""
        return tuple(self.study.spec.evaluation.objectives)

    @property
    def labels(self) -> dict[str, str]:
        """How objectives are shown, by name: ``100 - accuracy``."""
        specs = self.study.spec.evaluation.objectives
        return {name: label.replace("_", " ") for name, label in zip(specs, objective_labels(specs), strict=True)}

    @property
    def lead(self) -> str:
        """Column of the first objective."""
        return f"objectives.{self.objectives[0]}"

    @cached_property
    def complete(self) -> pd.DataFrame:
        """Complete trials."""
        return complete_trials(self.trials)

    @cached_property
    def feasible(self) -> pd.DataFrame:
        """Complete trials that satisfy the space's constraints: only they can be among the best."""
        return feasible_trials(self.trials, self.study.spec.evaluation.limits)

    @cached_property
    def best(self) -> pd.Series:
        """The best trial, by the first objective."""
        return self.study.best(1, self.objectives[0]).iloc[0]

    @cached_property
    def top(self) -> pd.DataFrame:
        """The ten best, by rank."""
        return self.study.best(10)

    @cached_property
    def champions(self) -> pd.DataFrame:
        """Best by rank and by objective."""
        return champions(self.feasible, self.objectives)

    @cached_property
    def front(self) -> pd.DataFrame:
        """The Pareto front."""
        return pareto_front(self.feasible, self.objectives)

    @cached_property
    def history(self) -> pd.DataFrame:
        """The front after every trial that may be on it."""
        return front_history(self.feasible, self.objectives)

    @cached_property
    def ranking(self) -> pd.DataFrame | None:
        """How sure the order is, by the first objective: its feature, aggregated as the study does."""
        name = self.objectives[0]
        instances = self.instances[self.instances["number"].isin(self.feasible["number"])]
        try:
            return ranking_confidence(
                instances, f"features.{name}", maximize=self.upwards(name), aggregate=self.aggregate
            )
        except UserError:
            return None

    @cached_property
    def distances(self) -> pd.DataFrame | None:
        """Distance of every trial that may be the best from the best."""
        try:
            return distance_and_error(self.feasible, self.parameters, self.lead)
        except UserError:
            return None

    @cached_property
    def slopes(self) -> pd.DataFrame | None:
        """Which parameter moves which feature around the best trial, from the trials around it."""
        targets = [f"features.{name}" for name in self.study.spec.evaluation.measured]
        moving = [name for name in targets if self.complete[name].astype(float).std() > 0]
        try:
            return local_slopes(self.complete, self.parameters, int(self.best["number"]), moving) if moving else None
        except UserError:
            return None

    def most_moving(self, count: int) -> list[str]:
        """Parameters by their largest effect on any feature around the best trial, those that are sure of one first."""
        assert self.slopes is not None
        size = self.slopes["effect"].abs()
        sure = (self.slopes["low"] > 0) | (self.slopes["high"] < 0)
        largest = self.slopes.assign(sure=size.where(sure, 0.0), size=size).groupby("parameter")[["sure", "size"]].max()
        return list(largest.sort_values(["sure", "size"], ascending=False, kind="stable").index[:count])

    @cached_property
    def map(self) -> tuple[tuple[Parameter, Parameter], pd.DataFrame] | None:
        """What a model of all trials expects of the first objective over the two numbers that matter most."""
        if self.importance is None:
            return None
        known = {parameter.name: parameter for parameter in self.parameters if parameter.kind != "categorical"}
        ordered = [known[name] for name in self.importance["parameter"] if name in known]
        if len(ordered) < 2:
            return None
        pair = (ordered[0], ordered[1])
        return pair, contours(self.complete, pair, self.parameters, self.lead)

    @cached_property
    def fresh(self) -> pd.DataFrame | None:
        """What ``eiann reevaluate`` measured, if it was run and belongs to this study's trials."""
        path = self._latest_reevaluation()
        if path is None:
            return None
        table = pd.read_parquet(path)
        wanted = {"number", "held_out_accuracy", "low", "high", "instances", "failed_share"}
        if not wanted <= set(table.columns) or table.empty:
            return None
        # A space may select by the worst instance: means of fresh seeds are compared with means only.
        own = self.instances.groupby("number")["features.accuracy"].agg(["mean", "min"])
        return table.assign(own_mean=table["number"].map(own["mean"]), own_worst=table["number"].map(own["min"]))

    def _latest_reevaluation(self) -> Path | None:
        """The latest that is of this study: each is a folder named by its time, with its provenance."""
        for provenance in sorted(self.study.folder.path.glob(f"{REEVALUATIONS}/[!.]*/provenance.json"), reverse=True):
            if json.loads(provenance.read_text()).get("study_id") == self.study.spec.study_id:
                return provenance.with_name("trials.parquet")
        single = self.study.folder.tables / REEVALUATION
        return single if single.is_file() else None

    @cached_property
    def places(self) -> pd.DataFrame:
        """Complete trials in unit coordinates, the best first."""
        beyond = ~self.complete["number"].isin(self.feasible["number"])
        ordered = self.complete.assign(beyond=beyond).sort_values(["beyond", self.lead, "number"])
        return unit_columns(ordered, self.parameters)

    @property
    def aggregate(self) -> Aggregate:
        """How the study makes one number of the first objective's instances."""
        return self.study.spec.evaluation.objectives[self.objectives[0]].aggregate

    def upwards(self, feature: str) -> bool:
        """Whether more of a feature is better."""
        return maximized(feature, self.study.spec.evaluation.objectives.get(feature, ObjectiveSpec()))

    @property
    def good(self) -> int:
        """How many trials count as good: never more than may be among the best."""
        return max(1, min(20, round(GOOD * len(self.complete)), len(self.feasible)))

    @property
    def within(self) -> str:
        """What is said of trials of which only those that may be among the best are meant."""
        return " within the constraints" if self.study.spec.evaluation.constraints else ""
