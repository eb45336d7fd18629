"""Trainers that go wrong, named in the specification of test studies."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

from optimize.study import TrialJob
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
