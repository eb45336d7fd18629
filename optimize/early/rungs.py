"""Intermediate values of trials, and those of earlier trials that a trial is measured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from optimize.dominance import nondominated

WINDOW: Final = 200
"""Trials that ended last and are compared with, besides the Pareto front; what is older came of a younger search."""

RungKind = Literal["samples", "instances"]


class RungValues(BaseModel):
    """What a trial had at a rung.

    Attributes:
        kind: what was counted.
        at: training steps, or instances.
        costs: what is minimized, aggregated over the instances so far.
        instances: the same of each instance.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: RungKind
    at: Annotated[int, Field(gt=0)]
    costs: tuple[float, ...]
    instances: tuple[tuple[float, ...], ...]

    @property
    def key(self) -> tuple[RungKind, int]:
        """Which rung it is."""
        return self.kind, self.at

    @property
    def scatter(self) -> tuple[float, ...] | None:
        """Standard deviation of each cost over the instances; ``None`` for a single one."""
        if len(self.instances) < 2:
            return None
        return tuple(float(value) for value in np.std(self.instances, axis=0, ddof=1))


Rungs = tuple[RungValues, ...]


@dataclass(frozen=True)
class Yardstick:
    """What trials had that ended before the one to be judged was proposed.

    Attributes:
        recent: rungs of those that ended last.
        front: last rungs of the complete ones that no other beat.
    """

    recent: tuple[Rungs, ...] = ()
    front: Rungs = ()

    def at(self, key: tuple[RungKind, int]) -> list[RungValues]:
        """What the recent ones had at a rung, of those that came so far."""
        return [rung for rungs in self.recent for rung in rungs if rung.key == key]

    def scatter(self, key: tuple[RungKind, int]) -> tuple[float, ...] | None:
        """Typical standard deviation of each cost over instances: the median over trials, at this rung or later ones.

        ``None`` where no trial had two instances.
        """
        kind, at = key
        found = [
            rung.scatter
            for rungs in self.recent
            for rung in rungs
            if rung.kind == kind and rung.at >= at and rung.scatter is not None
        ]
        return tuple(float(value) for value in np.median(found, axis=0)) if found else None


class Yardsticks:
    """Yardsticks by the number of trials that had ended: a function of the recorded order, whenever it is asked."""

    def __init__(self) -> None:
        self._ended: list[tuple[int, Rungs, bool]] = []

    def add(self, position: int, rungs: Rungs, *, complete: bool) -> None:
        """A trial ended as the ``position``-th."""
        if rungs:
            self._ended.append((position, rungs, complete))

    def after(self, ended: int) -> Yardstick:
        """By which a trial is measured that was proposed when so many trials had ended.

        Example:
            >>> sticks = Yardsticks()
            >>> sticks.add(1, (RungValues(kind="instances", at=1, costs=(0.5,), instances=((0.5,),)),), complete=True)
            >>> len(sticks.after(0).recent), len(sticks.after(1).recent)
            (0, 1)
        """
        known = sorted((item for item in self._ended if item[0] <= ended), key=lambda item: item[0])
        finals = [rungs[-1] for _, rungs, complete in known if complete]
        front: Rungs = ()
        if finals:
            costs = np.array([final.costs for final in finals])
            front = tuple(final for final, free in zip(finals, nondominated(costs), strict=True) if free)
        return Yardstick(tuple(rungs for _, rungs, _ in known[-WINDOW:]), front)
