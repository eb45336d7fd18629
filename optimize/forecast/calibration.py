"""How long a network of a space takes to train, measured on a few hundred samples of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch

from eiann.training import interval_steps
from optimize.objective import EvaluationSettings
from optimize.objective.evaluate import evaluate_replicas, load_data
from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions, RunSettings
from optimize.study import Suggester

_SAMPLES: Final = 100
_MOST_SAMPLES: Final = 12_800
_SECONDS: Final = 0.4
"""A run that is shorter is made longer: the clock and the machine's other work would be most of what is measured."""
_VALIDATIONS: Final = 4


@dataclass(frozen=True)
class Calibration:
    """Seconds that one replica takes; of a core where the device is the CPU, of the GPU otherwise.

    Attributes:
        device: ``cpu`` or ``cuda``.
        executor: name of what trained.
        replicas: trained together in the calibration.
        samples: of the longest run.
        sample_s: for one training sample.
        validation_s: for one pass over the validation samples.
        rest_s: for building the network and measuring what is measured at the end.
    """

    device: str
    executor: str
    replicas: int
    samples: int
    sample_s: float
    validation_s: float
    rest_s: float

    def training_s(self, run: RunSettings) -> float:
        """Seconds for one training of one replica.

        Example:
            >>> calibration = Calibration("cpu", "native", 4, 100, sample_s=1e-4, validation_s=0.1, rest_s=0.5)
            >>> round(calibration.training_s(RunSettings(steps=20000, val_interval=(-1000, -1, 100))), 3)
            3.5
        """
        steps = run.steps * run.epochs
        validations = len(interval_steps(run.val_interval, steps))
        return self.rest_s + steps * self.sample_s + validations * self.validation_s


def calibrate(
    space: SearchSpace,
    *,
    executor: str = "auto",
    device: str = "cpu",
    replicas: int = 4,
    seconds: Callable[[], float] | None = None,
) -> Calibration:
    """Train a few replicas of the space's network, at its starting point, for some hundred samples.

    Three runs tell the parts apart: one with twice the samples of another, one with more validations.

    Args:
        space: what will be searched.
        executor: as in a study.
        device: ``cpu``, or ``cuda`` to measure the GPU of this machine.
        replicas: trained together.
        seconds: the clock; left out, the CPU time of this process, which other work on the machine does not change, or
            on a GPU the wall time.

    Raises:
        UserError: the network, the data and the settings do not fit together, or the device is absent.
    """
    settings = EvaluationSettings.of(space, executor=executor, device=device)
    clock = seconds or (_gpu_seconds if device.startswith("cuda") else time.process_time)
    configs = [space.apply(_typical(space))] * replicas
    # More replicas than the space has instances share seeds: only their time is of interest.
    seeds = [space.instances[i % len(space.instances)] for i in range(replicas)]
    in_data = len(load_data(settings.data).train)

    def timed(samples: int, validations: int) -> tuple[float, str]:
        epochs = -(-samples // in_data)
        run = settings.run.model_copy(
            update={
                "steps": samples // epochs,
                "epochs": epochs,
                "val_interval": (-validations, -1, 1),
                "window": validations,
            }
        )
        start = clock()
        done = evaluate_replicas(configs, seeds, settings.model_copy(update={"run": run}))
        return clock() - start, done.history.executor

    _, used = timed(_VALIDATIONS, 1)  # what is only done once: reading data, compiling
    samples = _SAMPLES
    short, _ = timed(samples, 1)
    while (long := timed(2 * samples, 1)[0]) < _SECONDS and samples < _MOST_SAMPLES:
        samples *= 2
        short = long
    more, _ = timed(samples, _VALIDATIONS)
    sample_s = max(0.0, long - short) / _trained(samples, in_data)
    validation_s = max(0.0, more - short) / (_VALIDATIONS - 1)
    rest_s = max(0.0, short - samples * sample_s - validation_s)
    return Calibration(
        device=device,
        executor=used,
        replicas=replicas,
        samples=2 * samples,
        sample_s=sample_s / replicas,
        validation_s=validation_s / replicas,
        rest_s=rest_s / replicas,
    )


def _trained(samples: int, in_data: int) -> int:
    """Training samples by which a run of twice as many is longer; epochs of equal length drop a remainder."""

    def of(wanted: int) -> int:
        epochs = -(-wanted // in_data)
        return wanted // epochs * epochs

    return of(2 * samples) - of(samples)


def _typical(space: SearchSpace) -> dict[str, float | int | str]:
    """A starting point of the space, or any point."""
    for point in space.starting_points.values():
        return dict(point.params)
    return dict(Suggester(space, NamedWithOptions(name="random"), seed=0).propose().trial.params)


def _gpu_seconds() -> float:
    torch.cuda.synchronize()
    return time.perf_counter()
