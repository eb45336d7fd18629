"""Computing a trial again, for comparison with the record; on fresh seeds: see ``optimize.reevaluation``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.objective import InstanceOutcome
from optimize.results.best import any_trial
from optimize.study import Study, TrialJob, TrialResult
from optimize.tune.pack import Pack, compute
from optimize.tune.trainer import load_trainer


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


def _executor(result: dict[str, Any], default: str) -> str:
    name: str = result.get("executor", default)
    return default if name in ("none", "stub") else name
