"""A pack: trials trained together, and what becomes of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
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
    """Train a pack and judge its trials; results in the order of its jobs."""
    return in_order(pack, (result for known in compute_parts(spec, trainer, pack) for result in known))


def in_order(pack: Pack, results: Iterable[TrialResult]) -> list[TrialResult]:
    """Results in the order of the jobs of their pack, whichever was known first."""
    places = {job.number: place for place, job in enumerate(pack.jobs)}
    return sorted(results, key=lambda result: places[result.number])


def compute_parts(spec: StudySpec, trainer: PackTrainer, pack: Pack) -> Iterator[list[TrialResult]]:
    """Train a pack, and yield results as soon as they are known.

    The trials of a pack are one batch and end together: then there is one part. Where the space has rules for stopping
    early or for racing they end one by one, see ``optimize.tune.staged``.
    """
    space = spec.search_space.document
    if space.stopping is not None or space.race is not None:
        from optimize.tune.staged import compute_staged

        yield from compute_staged(spec, trainer, pack)
    else:
        yield _compute_together(spec, trainer, pack)


def _compute_together(spec: StudySpec, trainer: PackTrainer, pack: Pack) -> list[TrialResult]:
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
