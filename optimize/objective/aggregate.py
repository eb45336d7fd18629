"""From the instances of a trial to its objectives, and to the verdict whether it has any."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optimize.objective.features import InstanceOutcome
from optimize.objective.settings import EvaluationSettings
from optimize.space.document import ObjectiveSpec


@dataclass(frozen=True)
class Verdict:
    """What the instances of a trial amount to.

    Attributes:
        features: aggregated over instances, in their own units; over those that have the feature if some failed.
        objectives: what the study minimizes, in the order of the space; ``None`` for a failed trial.
        failure: why the trial failed, or ``None``.
    """

    features: dict[str, float] = field(default_factory=dict)
    objectives: tuple[float, ...] | None = None
    failure: str | None = None


def judge(outcomes: Sequence[InstanceOutcome], settings: EvaluationSettings) -> Verdict:
    """Aggregate instances; one failed instance fails the trial, as in the published searches.

    Example:
        >>> settings = EvaluationSettings(data="spiral", objectives={"accuracy": {}, "loss": {}})
        >>> outcomes = [InstanceOutcome(1, 1, {"accuracy": 90.0 + i, "loss": 0.5}) for i in range(3)]
        >>> judge(outcomes, settings).objectives
        (9.0, 0.5)
    """
    features = aggregated(outcomes, settings)
    failed = [(i, outcome) for i, outcome in enumerate(outcomes) if outcome.failure]
    if failed:
        first, outcome = failed[0]
        others = f" ({len(failed)} of {len(outcomes)} instances failed)" if len(failed) > 1 else ""
        return Verdict(features, failure=f"instance {first}: {outcome.failure}{others}")
    if not outcomes:
        return Verdict(failure="no instance was measured")
    return Verdict(features, tuple(cost(name, features[name], spec) for name, spec in settings.objectives.items()))


def aggregated(outcomes: Sequence[InstanceOutcome], settings: EvaluationSettings) -> dict[str, float]:
    """Each measured feature over the instances that have it: mean, or what its objective says."""
    features = {}
    for name in settings.measured:
        values = [outcome.features[name] for outcome in outcomes if name in outcome.features]
        if values:
            features[name] = combine(values, settings.objectives.get(name, ObjectiveSpec()), name)
    return features


def combine(values: Sequence[float], spec: ObjectiveSpec, name: str) -> float:
    """One number for several instances: ``mean``, ``median`` or ``worst`` with regard to the direction."""
    match spec.aggregate:
        case "mean":
            return math.fsum(values) / len(values)
        case "median":
            return statistics.median(values)
        case "worst":
            return min(values) if maximized(name, spec) else max(values)


def maximized(name: str, spec: ObjectiveSpec) -> bool:
    """Whether more of this feature is better: what the space says, otherwise only of accuracy."""
    return (spec.direction or ("maximize" if "accuracy" in name else "minimize")) == "maximize"


def cost(name: str, value: float, spec: ObjectiveSpec) -> float:
    """What is minimized for a feature: 100 - accuracy in percent, the size of a dendritic loss, others as they are.

    A feature that is maximized and is no percentage is negated.

    Example:
        >>> cost("accuracy", 96.5, ObjectiveSpec()), cost("loss", 0.25, ObjectiveSpec())
        (3.5, 0.25)
    """
    if name == "mean_forward_dend_loss":
        value = abs(value)
    if not maximized(name, spec):
        return value
    return 100.0 - value if "accuracy" in name else -value


def objective_labels(objectives: Mapping[str, ObjectiveSpec]) -> tuple[str, ...]:
    """How the objectives are shown to people: ``100 - accuracy``, ``loss``, ``100 - worst accuracy``.

    Example:
        >>> objective_labels({"accuracy": ObjectiveSpec(aggregate="worst"), "loss": ObjectiveSpec()})
        ('100 - worst accuracy', 'loss')
    """
    labels = []
    for name, spec in objectives.items():
        label = _aggregated(name, spec)
        labels.append((f"100 - {label}" if "accuracy" in name else f"-{label}") if maximized(name, spec) else label)
    return tuple(labels)


def feature_labels(settings: EvaluationSettings) -> dict[str, str]:
    """How aggregated features are shown to people, by name: ``loss`` for a mean, ``worst accuracy`` for another."""
    return {name: _aggregated(name, settings.objectives.get(name, ObjectiveSpec())) for name in settings.measured}


def _aggregated(name: str, spec: ObjectiveSpec) -> str:
    return name if spec.aggregate == "mean" else f"{spec.aggregate} {name}"
