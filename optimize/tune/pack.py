"""A pack: trials trained together, and what becomes of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from optimize.objective import judge
from optimize.study import StudySpec, TrialJob, TrialResult
from optimize.tune.trainer import PackTrainer


@dataclass(frozen=True)
class Pack:
    """One batch of replicas: all instances of some trials.

    Attributes:
        number: counts the packs of a study over all restarts.
        jobs: its trials.
    """

    number: int
    jobs: tuple[TrialJob, ...]

    def __str__(self) -> str:
        return f"pack {self.number}"

    @property
    def replicas(self) -> int:
        """Networks in it."""
        return sum(len(job.seeds) for job in self.jobs)


def compute(spec: StudySpec, trainer: PackTrainer, pack: Pack) -> list[TrialResult]:
    """Train a pack and judge its trials.

    Where the space has rules for stopping early or for racing, see ``optimize.tune.staged``.
    """
    space = spec.search_space.document
    if space.stopping is not None or space.race is not None:
        from optimize.tune.staged import compute_staged

        return compute_staged(spec, trainer, pack)
    started = datetime.now(UTC)
    clock = time.perf_counter()
    measurement = trainer.train(pack.jobs)
    seconds = (time.perf_counter() - clock) / len(pack.jobs)
    finished = datetime.now(UTC)
    results = []
    for job, outcomes in zip(pack.jobs, measurement.outcomes, strict=True):
        verdict = judge(outcomes, spec.evaluation)
        results.append(
            TrialResult(
                study_id=spec.study_id,
                number=job.number,
                attempt=job.attempt,
                params=dict(job.params),
                instances=outcomes,
                features=verdict.features,
                objectives=verdict.objectives,
                failure=verdict.failure,
                pack=pack.number,
                device=measurement.device,
                executor=measurement.executor,
                seconds=seconds,
                started=started,
                finished=finished,
            )
        )
    return results
