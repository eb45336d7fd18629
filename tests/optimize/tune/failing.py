"""Trainers that go wrong, named in the specification of test studies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from optimize.study import StudySpec, TrialJob
from optimize.tune import nodes, worker
from optimize.tune.staged import ReplicaSource
from optimize.tune.stub import StubTrainer
from optimize.tune.trainer import PackMeasurement


class RaisesAtTwo(StubTrainer):
    """Raises whenever trial 2 is in the pack."""

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        if any(job.number == 2 for job in jobs):
            raise ArithmeticError("trial two is no good")
        return super().train(jobs)


class DiesAtTwo(StubTrainer):
    """Kills its process whenever trial 2 is in the pack."""

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        if any(job.number == 2 for job in jobs):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().train(jobs)


class CannotStart(StubTrainer):
    """Misses something on the machine of the worker."""

    def __init__(self, spec: StudySpec) -> None:
        super().__init__(spec)
        raise FileNotFoundError("the data set is not here")


class ReportsProcess(StubTrainer):
    """Says in the place of the executor which process it is in."""

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        done = super().train(jobs)
        return PackMeasurement(done.outcomes, f"process {os.getpid()}", done.device)


class ReportsPlace(StubTrainer):
    """Says in the place of the executor which GPUs it was given, and whether it sees the folder of this environment."""

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        done = super().train(jobs)
        seen = Path(os.environ["EIANN_TEST_FOLDER"]).is_dir()
        return PackMeasurement(done.outcomes, f"{os.environ.get('CUDA_VISIBLE_DEVICES')} {seen}", done.device)


class DiesInMidPack(StubTrainer):
    """Kills its process after seven replicas of a pack, unless an earlier attempt at its trials has been made."""

    def stream(self, source: ReplicaSource, *, slots: int, rungs: Sequence[int]) -> Iterator[str]:
        requests: list[int] = []

        class Watched:
            """The source, and who asked it."""

            decide, receive = source.decide, source.receive

            def next(self):  # type: ignore[no-untyped-def]
                request = source.next()
                requests.extend(() if request is None else [request.job.attempt])
                return request

        for count, name in enumerate(super().stream(Watched(), slots=slots, rungs=rungs), start=1):  # type: ignore[arg-type]
            yield name
            if count == 7 and set(requests) == {1}:
                os.kill(os.getpid(), signal.SIGKILL)


class DiesUnseen(DiesInMidPack):
    """Does so on a machine without the study's folder."""

    def __init__(self, spec: StudySpec) -> None:
        super().__init__(spec)
        worker.spool_for = lambda _results, study_id: nodes.spool_for("/no/such/folder", study_id)


class Slowly(StubTrainer):
    """Takes a second for a replica, and says whether it sees the folder of this environment."""

    def stream(self, source: ReplicaSource, *, slots: int, rungs: Sequence[int]) -> Iterator[str]:
        for _ in super().stream(source, slots=slots, rungs=rungs):
            yield str(Path(os.environ["EIANN_TEST_FOLDER"]).is_dir())
            time.sleep(1.0)
