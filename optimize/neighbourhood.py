"""What a small step in each parameter does to a trial, measured: every step trained on the trial's own seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis import design_slopes, local_design
from optimize.analysis.local import STEP
from optimize.objective import EvaluationSettings
from optimize.objective.evaluate import evaluate_replicas
from optimize.results.best import complete_trial
from optimize.space import Parameter
from optimize.space.document import Value
from optimize.study import Study


def measured_slopes(
    study: Study,
    number: int,
    *,
    parameters: Sequence[Parameter] | None = None,
    step: float = STEP,
    progress: Callable[[int, int], None] | None = None,
) -> pd.DataFrame:
    """Slopes of every measured feature at a trial, see ``optimize.analysis.design_slopes``.

    Trains ``1 + 2 * parameters`` networks on each of the trial's seeds, in one batch for each architecture size.

    Raises:
        UserError: there is no such complete trial, or none of the steps could be built.
    """
    row = complete_trial(study, number)
    spec = study.spec
    settings = EvaluationSettings.of(spec.search_space, dtype=spec.dtype, executor=spec.executor)
    design = local_design(row.params, parameters or spec.search_space.searched, step=step)
    seeds = [(int(one["network_seed"]), int(one["data_seed"])) for one in row.result["instances"]]
    configs = {}
    for i, point in enumerate(_points(design)):
        try:
            configs[i] = spec.search_space.apply(point)
        except UserError:
            # A step that no network can make is lost, and counted as such.
            continue
    if not configs:
        raise UserError(f"trial {number}: no network can be built around it")
    run = evaluate_replicas(
        [config for config in configs.values() for _ in seeds],
        [pair for _ in configs for pair in seeds],
        settings,
        progress,
    )
    rows = []
    for place, outcome in enumerate(run.outcomes):
        at, instance = list(configs)[place // len(seeds)], place % len(seeds)
        values = {name: outcome.features.get(name, np.nan) for name in settings.measured}
        rows.append({"row": at, "instance": instance, **{f"features.{name}": v for name, v in values.items()}})
    return design_slopes(design, pd.DataFrame(rows), [f"features.{name}" for name in settings.measured])


def _points(design: pd.DataFrame) -> list[dict[str, Value]]:
    columns = [name for name in design.columns if name.startswith("params.")]
    rows = design[columns].astype(object).to_dict("records")
    return [{str(name).removeprefix("params."): value for name, value in row.items()} for row in rows]
