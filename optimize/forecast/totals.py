"""The forecast of a search: how much of everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from optimize.forecast.calibration import Calibration, calibrate
from optimize.forecast.disk import disk_of_trials
from optimize.space import SearchSpace

_HOUR: Final = 3600.0


@dataclass(frozen=True)
class Forecast:
    """What a search will take.

    Attributes:
        trials: that are left to compute.
        trainings: networks that will be trained: trials x instances.
        calibration: what was measured here, or ``None`` where the trainer is none that can be calibrated.
        hours: of one core or of one GPU, by the calibration's device; training only.
        disk_bytes: of the study's folder and storage in the end.
    """

    trials: int
    trainings: int
    calibration: Calibration | None
    hours: float | None
    disk_bytes: int

    def elapsed_hours(self, cores: float) -> float | None:
        """Hours on the clock, with so many cores (or GPUs) of this machine's speed, always busy."""
        return None if self.hours is None else self.hours / cores


def forecast(
    space: SearchSpace,
    trials: int,
    *,
    executor: str = "auto",
    device: str = "cpu",
    storage: str | None = None,
    network_trainer: bool = True,
) -> Forecast:
    """Foretell a search of ``trials`` trials; takes some seconds and leaves nothing behind.

    Args:
        space: with the number of instances and of steps that it will have.
        trials: to be computed.
        executor: of the study.
        device: on which to calibrate.
        storage: URL of the study's storage.
        network_trainer: whether networks are trained at all; a stand-in of the tests trains none.

    Raises:
        UserError: the network, the data and the settings do not fit together.
    """
    trainings = trials * len(space.instances)
    measured = calibrate(space, executor=executor, device=device) if network_trainer else None
    empty, trial = disk_of_trials(space, storage=storage)
    return Forecast(
        trials=trials,
        trainings=trainings,
        calibration=measured,
        hours=None if measured is None else trainings * measured.training_s(space.run) / _HOUR,
        disk_bytes=empty + trials * trial,
    )
