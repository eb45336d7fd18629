"""The forecast of ``--dry-run``: trainings, core- or GPU-hours and disk, on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.console import Console

    from optimize.forecast import Forecast
    from optimize.plan import Plan
    from optimize.space import SearchSpace
    from optimize.study import Study

_KILO: Final = 1000.0
_MINUTES: Final = 60.0


def show_forecast_of_plan(plan: Plan, screen: Console, *, storage: str | None = None) -> None:
    """Calibrate on this machine, which takes some seconds, and show what the search will take."""
    from optimize.study import NETWORK_TRAINER

    settings = plan.settings
    real = settings.get("trainer", NETWORK_TRAINER) == NETWORK_TRAINER
    _show(plan.space, plan.trials, settings.get("executor", "auto"), plan.gpus, storage, real, screen)


def show_forecast_of_study(study: Study, screen: Console, *, trials: int | None = None) -> None:
    """The same for what is left of a study, to its present or to another budget."""
    from optimize.study import NETWORK_TRAINER

    spec = study.spec
    left = max(0, (trials or study.budget) - int((study.trials()["state"] != "RUNNING").sum()))
    real = spec.trainer == NETWORK_TRAINER
    _show(spec.search_space, left, spec.executor, spec.resources.gpus, spec.storage, real, screen)


def _show(
    space: SearchSpace, trials: int, executor: str, gpus: float, storage: str | None, real: bool, screen: Console
) -> None:
    import torch

    from optimize.cli.show import grid
    from optimize.forecast import forecast

    device = "cuda" if gpus and torch.cuda.is_available() else "cpu"
    made = forecast(space, trials, executor=executor, device=device, storage=storage, network_trainer=real)
    screen.print(grid(("forecast", ""), _rows(made, space, wants_gpu=bool(gpus))))


def _rows(made: Forecast, space: SearchSpace, *, wants_gpu: bool) -> list[tuple[str, str]]:
    from optimize.tune.cluster import available_cpus

    rows = [("trainings", f"{made.trials} trials x {len(space.instances)} instances = {made.trainings}")]
    found = made.calibration
    if found is None or made.hours is None:
        rows.append(("time", "not foretold: the trainer is a stand-in"))
    else:
        unit = "GPU" if found.device == "cuda" else "core"
        parts = f"{found.sample_s * 1e6:.3g} us a sample, {found.validation_s * _KILO:.3g} ms a validation"
        measured = f"executor {found.executor}, {found.samples} samples x {found.replicas} replicas: {parts}"
        rows += [
            ("one training", f"{found.training_s(space.run):.3g} s of a {unit}"),
            ("measured here", measured),
            (f"{unit}-hours", f"{made.hours:.3g}"),
        ]
        if unit == "core":
            cores = available_cpus()
            here, many = _time(made.hours / cores), _time(made.hours / 100)
            rows.append(("time", f"{here} with {cores} cores like these, {many} with 100"))
        if wants_gpu and unit == "core":
            rows.append(("GPU-hours", "not foretold: this machine has no GPU; the figures above are those of its CPU"))
    rows.append(("disk", f"{_size(made.disk_bytes)} at the end"))
    return rows


def _time(hours: float) -> str:
    if hours < 1 / _MINUTES:
        return "less than a minute"
    return f"{hours * _MINUTES:.0f} min" if hours < 1 else f"{hours:.1f} h"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < _KILO:
            return f"{count:.3g} {unit}"
        count /= _KILO
    return f"{count:.3g} TB"
