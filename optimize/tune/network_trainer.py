"""The trainer of real studies: all instances of all trials of a pack as one batch of replicas."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Self

import torch

import eiann
from eiann import History, NetworkConfig
from eiann.data import Dataset
from eiann.errors import UserError
from eiann.training import Ending, ReplicaJob, ReplicaReport, ReplicaResult, interval_steps, train_stream
from optimize.objective import InstanceOutcome, instance_outcomes
from optimize.objective.evaluate import evaluate_replicas, load_data
from optimize.space import SearchSpace
from optimize.study import StudySpec, TrialJob
from optimize.tune.staged import ReplicaRequest, ReplicaSource, RungReport
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

    def stream(self, source: ReplicaSource, *, slots: int, rungs: Sequence[int]) -> Iterator[str]:
        """Train replica after replica, in slots that are filled again at once; see ``ReplicaTrainer``."""
        settings, run = self._settings, self._settings.run
        data = load_data(settings.data)
        kept = interval_steps(run.val_interval, run.steps * run.epochs)
        replicas = _Replicas(source, self._space)
        executor = "none"

        def decide(reports: Sequence[ReplicaReport]) -> Iterable[Hashable]:
            return source.decide(
                [
                    RungReport(
                        replicas.requests[report.job.key].key,
                        report.step + 1,
                        {"accuracy": report.val_accuracy[-1], "loss": report.val_loss[-1]},
                    )
                    for report in reports
                    if report.step + 1 in rungs
                ]
            )

        for result in train_stream(
            replicas,
            data.train,
            slots=slots,
            steps=run.steps,
            epochs=run.epochs,
            validation=data.validation,
            val_interval=run.val_interval,
            also_validate=[steps - 1 for steps in rungs],
            decide=decide,
            executor=settings.executor,
            dtype=getattr(torch, settings.dtype),
            device=settings.device,
        ):
            request = replicas.requests.pop(result.job.key)
            if result.history is not None:
                executor = result.history.executor
            source.receive(request.key, self._outcome(result, request, data.test, kept))
            yield executor

    def _outcome(
        self, result: ReplicaResult, request: ReplicaRequest, test: Dataset, kept: Sequence[int]
    ) -> InstanceOutcome | None:
        match result.ending:
            case Ending.STOPPED:
                return None
            case Ending.REFUSED:
                return InstanceOutcome(*request.seeds, failure=result.failure)
            case Ending.DIVERGED:
                reason = f"loss is not finite (nan, training loss by step {result.steps - 1})"
                return InstanceOutcome(*request.seeds, failure=reason)
            case Ending.FINISHED:
                pass
        assert result.network is not None
        assert result.history is not None
        settings = self._settings
        residuals = None
        if "dynamics_residuals" in settings.measured:
            residuals = eiann.equilibration_residual(
                result.network, test, tolerance=settings.run.equilibration_tolerance, executor=settings.executor
            )
        history = _without_rungs(result.history, kept)
        (outcome,) = instance_outcomes(history, residuals, [request.seeds], settings)
        return outcome

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


class _Replicas:
    """The source's replicas as jobs of a stream; what no network can be built from goes back at once."""

    def __init__(self, source: ReplicaSource, space: SearchSpace) -> None:
        self._source = source
        self._space = space
        self.requests: dict[Hashable, ReplicaRequest] = {}

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ReplicaJob:
        """The next replica. There may be more after a ``StopIteration``: once others have ended."""
        while (request := self._source.next()) is not None:
            try:
                config = self._space.apply(request.job.params)
            except UserError as error:
                self._source.receive(request.key, InstanceOutcome(*request.seeds, failure=str(error)))
                continue
            self.requests[request.key] = request
            return ReplicaJob(request.key, config, *request.seeds)
        raise StopIteration


def _without_rungs(history: History, kept: Sequence[int]) -> History:
    """The history as it is without validation at rungs."""
    columns = [i for i, step in enumerate(history.val_steps.tolist()) if step in set(kept)]
    dendritic = history.forward_dendritic_loss
    return replace(
        history,
        val_steps=history.val_steps[columns],
        val_loss=history.val_loss[:, columns],
        val_accuracy=history.val_accuracy[:, columns],
        forward_dendritic_loss=None if dendritic is None else dendritic[:, columns],
    )


def _all_failed(job: TrialJob, error: UserError) -> Outcomes:
    return tuple(InstanceOutcome(*seeds, failure=str(error)) for seeds in job.seeds)
