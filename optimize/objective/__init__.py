"""Instances -> features -> objectives, and what fails a trial."""

from optimize.objective.aggregate import Verdict, aggregated, combine, cost, judge, maximized, objective_labels
from optimize.objective.features import InstanceOutcome, Seeds, instance_outcomes, rejection, windowed
from optimize.objective.settings import EvaluationSettings

__all__ = [
    "EvaluationSettings",
    "InstanceOutcome",
    "Seeds",
    "Verdict",
    "aggregated",
    "combine",
    "cost",
    "instance_outcomes",
    "judge",
    "maximized",
    "objective_labels",
    "rejection",
    "windowed",
]
