"""What a space file may say about trials that need not be computed to the end."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

_Share = Annotated[float, Field(gt=0, lt=1)]


class _Early(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _listed(data: Any) -> Any:
    """``"0.25, 0.5"`` of a command line as a list; a single number as a list of one."""
    if isinstance(data, str):
        return [part.strip() for part in data.split(",") if part.strip()]
    return [data] if isinstance(data, int | float) else data


class Stopping(_Early):
    """When a trial is given up: it is behind too many others at a rung, after some samples or after some instances.

    Attributes:
        samples: rungs as shares of the training steps; there only accuracy and loss are known, of the first instances.
        instances: rungs as numbers of instances, of which all objectives are known.
        keep: share of earlier trials at the rung among which a trial must be to go on.
        margin: benefit of the doubt, in standard errors of an objective over the instances.
        warmup: trials that must have been at a rung before anyone is stopped there.
        slots: replicas that are trained at a time; left out, a pack's trials times its first instances.

    Example:
        >>> Stopping(samples="0.25, 0.5").samples
        (0.25, 0.5)
    """

    samples: tuple[_Share, ...] = ()
    instances: tuple[Annotated[int, Field(gt=0)], ...] = ()
    keep: _Share = 0.5
    margin: Annotated[float, Field(ge=0)] = 1.0
    warmup: Annotated[int, Field(ge=1)] = 10
    slots: Annotated[int, Field(ge=1)] | None = None

    _read_lists = field_validator("samples", "instances", mode="before")(_listed)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.samples and not self.instances:
            raise ValueError("found no rung; give samples (shares of the steps), instances (numbers), or both")
        for name, rungs in (("samples", self.samples), ("instances", self.instances)):
            if list(rungs) != sorted(set(rungs)):
                raise ValueError(f"found {name} {list(rungs)}; rungs go up")
        return self


class Race(_Early):
    """Few instances for every trial, more for contenders: all that the study has, or until the ranking is settled.

    Attributes:
        first: instances that every trial is evaluated on.
        confidence: of the paired test by which a trial is worse than the best ones; then it gets no more instances.
        step: further instances at a time.
    """

    first: Annotated[int, Field(ge=2)] = 2
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.9
    step: Annotated[int, Field(ge=1)] = 1
