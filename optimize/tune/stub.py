"""A trainer that trains nothing: features are a cheap formula of parameters and seeds.

With it, whatever a study costs is the search itself; benchmarks measure that, and tests search with it in seconds.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Hashable, Iterator, Sequence
from hashlib import blake2b
from typing import Final

from optimize.objective import InstanceOutcome, rejection
from optimize.space.document import Value
from optimize.study import StudySpec, TrialJob
from optimize.tune.staged import ReplicaRequest, ReplicaSource, RungReport
from optimize.tune.trainer import PackMeasurement

PAUSE_VARIABLE: Final = "EIANN_STUB_SECONDS"
"""Environment variable: seconds that each pack takes; 0 if unset."""


class StubTrainer:
    """Stands in for training.

    The best point is the middle of every range. A trial far from it on the first parameter has an instance that is
    "not finite", so that failed trials occur too: those in the lowest twentieth of that range.
    """

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._parameters = spec.search_space.searched
        self._pause = float(os.environ.get(PAUSE_VARIABLE, "0"))

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        """Outcomes by formula, after the pause."""
        if self._pause:
            time.sleep(self._pause)
        return PackMeasurement(tuple(self._outcomes(job) for job in jobs), executor="stub", device="cpu")

    def stream(self, source: ReplicaSource, *, slots: int, rungs: Sequence[int]) -> Iterator[str]:
        """Outcomes by formula, replica by replica; at a rung the values of the end, and worse the earlier it is."""
        if self._pause:
            time.sleep(self._pause)
        total = self._spec.evaluation.run.steps * self._spec.evaluation.run.epochs
        running: list[ReplicaRequest] = []
        while True:
            while len(running) < slots and (request := source.next()) is not None:
                running.append(request)
            if not running:
                return
            stopped: set[Hashable] = set()
            for rung in rungs:
                left = [request for request in running if request.key not in stopped]
                stopped |= set(source.decide([self._report(request, rung, total) for request in left]))
            # One after the other, so that slots are left and taken while neighbours run.
            ended, running = running, []
            for request in ended:
                source.receive(request.key, None if request.key in stopped else self._outcome(request))
                yield "stub"

    def _report(self, request: ReplicaRequest, rung: int, total: int) -> RungReport:
        features = self._outcome(request).features
        left = 1 - rung / total
        seen = {"accuracy": features["accuracy"] * (1 - 0.5 * left), "loss": features["loss"] + left}
        return RungReport(request.key, rung, seen)

    def _outcome(self, request: ReplicaRequest) -> InstanceOutcome:
        return self._outcomes(request.job)[request.key[1]]

    def _outcomes(self, job: TrialJob) -> tuple[InstanceOutcome, ...]:
        places = [self._place(parameter.name, job.params.get(parameter.name)) for parameter in self._parameters]
        distance = math.fsum((place - 0.5) ** 2 for place in places) / len(places)
        outcomes = []
        for i, seeds in enumerate(job.seeds):
            noise = _noise(*seeds)
            values = {
                "accuracy": 100.0 * math.exp(-4.0 * distance) - noise,
                "loss": distance + 0.01 * noise,
                "dynamics_residuals": max(0.0, places[-1] - 0.5),
                "mean_forward_dend_loss": abs(places[0] - 0.25) + 0.001 * noise,
            }
            features = {name: values[name] for name in self._spec.evaluation.measured}
            failure = "loss is not finite (nan)" if i == 0 and places[0] < 0.05 else None
            outcomes.append(InstanceOutcome(*seeds, features, failure or rejection(features, self._spec.evaluation)))
        return tuple(outcomes)

    def _place(self, name: str, value: Value | None) -> float:
        """Where a value lies within its range, from 0 to 1."""
        parameter = next(parameter for parameter in self._parameters if parameter.name == name)
        low, high = parameter.low, parameter.high
        if value is None or isinstance(value, str) or low is None or high is None or low == high:
            return 0.5
        if parameter.scale == "log":
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)


def _noise(*seeds: int) -> float:
    """A number from 0 to 1 that looks random and is the same everywhere."""
    digest = blake2b(repr(seeds).encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32
