"""What one evaluation of a network consists of: data, training run, objectives, and the arithmetic it is done in."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, field_validator

from eiann.errors import ConfigError
from optimize.space.document import FEATURES, NamedWithOptions, ObjectiveSpec, RunSettings
from optimize.space.formula import Condition, suggest

if TYPE_CHECKING:
    from optimize.space import SearchSpace

Dtype = Literal["float32", "float64"]
ALWAYS_MEASURED: Final = ("accuracy", "loss")


class EvaluationSettings(BaseModel):
    """Everything besides the network configuration and the seeds that the features of an instance depend on.

    Attributes:
        data: data set with its options.
        run: steps, validation and averaging, see ``RunSettings``.
        objectives: features that become objectives, in order.
        reject: conditions on features; an instance for which one holds has failed.
        constraints: conditions on aggregated features; a trial that violates one is kept, but never among the best.
        dtype: of all states and weights.
        executor: name of the executor, ``auto`` for the fastest one that can run the network.
        device: ``cpu``, ``cuda`` or ``cuda:1``.

    Example:
        >>> EvaluationSettings(data="spiral", objectives={"accuracy": {}}).measured
        ('accuracy', 'loss')
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: NamedWithOptions
    run: RunSettings = RunSettings()
    objectives: dict[str, ObjectiveSpec] = {"accuracy": ObjectiveSpec()}
    reject: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    dtype: Dtype = "float32"
    executor: str = "auto"
    device: str = "cpu"

    @field_validator("reject", "constraints")
    @classmethod
    def _known_features(cls, conditions: tuple[str, ...]) -> tuple[str, ...]:
        for text in conditions:
            try:
                condition = Condition.parse(text)
            except ConfigError as error:
                raise ValueError(str(error)) from error
            for name in condition.names:
                if name not in FEATURES:
                    raise ValueError(f"found feature {name!r} in {text!r}; {suggest(name, FEATURES)}")
        return conditions

    @classmethod
    def of(cls, space: SearchSpace, *, dtype: Dtype = "float32", executor: str = "auto", device: str = "cpu") -> Self:
        """What a search space says of an evaluation."""
        document = space.document
        return cls(
            data=space.data,
            run=space.run,
            objectives=document.objectives,
            reject=document.reject,
            constraints=document.constraints,
            dtype=dtype,
            executor=executor,
            device=device,
        )

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """``reject``, ready to be evaluated."""
        return tuple(Condition.parse(text) for text in self.reject)

    @cached_property
    def limits(self) -> tuple[Condition, ...]:
        """``constraints``, ready to be evaluated."""
        return tuple(Condition.parse(text) for text in self.constraints)

    def violations(self, features: Mapping[str, float]) -> tuple[float, ...]:
        """For each of ``constraints``, how far aggregated features are beyond it; 0 or less within."""
        return tuple(limit.violation(features) for limit in self.limits)

    @cached_property
    def measured(self) -> tuple[str, ...]:
        """Features that are measured on every instance: accuracy, loss, and what objectives or conditions mention."""
        mentioned = set(self.objectives).union(*(item.names for item in (*self.conditions, *self.limits)))
        return tuple(name for name in FEATURES if name in ALWAYS_MEASURED or name in mentioned)
