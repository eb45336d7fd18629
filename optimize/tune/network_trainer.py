"""The trainer of real studies: all instances of all trials of a pack as one batch of replicas."""

from __future__ import annotations

from collections.abc import Sequence

from eiann import NetworkConfig
from eiann.errors import UserError
from optimize.objective import InstanceOutcome
from optimize.objective.evaluate import evaluate_replicas, load_data
from optimize.study import StudySpec, TrialJob
from optimize.tune.trainer import PackMeasurement

Outcomes = tuple[InstanceOutcome, ...]


class NetworkTrainer:
    """Applies the space to each trial's parameters and trains the networks together."""

    def __init__(self, spec: StudySpec) -> None:
        self._space = spec.search_space
        self._settings = spec.evaluation
        load_data(self._settings.data)

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        """Train a pack. A trial whose parameters no network can have fails by itself."""
        configs: dict[int, NetworkConfig] = {}
        outcomes: dict[int, Outcomes] = {}
        for job in jobs:
            try:
                configs[job.number] = self._space.apply(job.params)
            except UserError as error:
                outcomes[job.number] = _all_failed(job, error)
        able = [job for job in jobs if job.number in configs]
        executor = "none"
        if able:
            try:
                executor, measured = self._train(able, configs)
                outcomes |= measured
            except UserError as error:
                # In company it is not known whose fault it is.
                if len(able) > 1:
                    raise
                outcomes[able[0].number] = _all_failed(able[0], error)
        return PackMeasurement(tuple(outcomes[job.number] for job in jobs), executor, self._settings.device)

    def _train(self, jobs: Sequence[TrialJob], configs: dict[int, NetworkConfig]) -> tuple[str, dict[int, Outcomes]]:
        run = evaluate_replicas(
            [configs[job.number] for job in jobs for _ in job.seeds],
            [seeds for job in jobs for seeds in job.seeds],
            self._settings,
        )
        measured: dict[int, Outcomes] = {}
        first = 0
        for job in jobs:
            measured[job.number] = run.outcomes[first : first + len(job.seeds)]
            first += len(job.seeds)
        return run.history.executor, measured


def _all_failed(job: TrialJob, error: UserError) -> Outcomes:
    return tuple(InstanceOutcome(*seeds, failure=str(error)) for seeds in job.seeds)
