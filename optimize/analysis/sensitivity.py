"""Global sensitivity, from trials that were tried anyway and from designed ones."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from eiann.errors import UserError
from optimize.analysis.unit import Floats, unit_points, usable
from optimize.space import Parameter

Method = Literal["delta", "pawn", "rbd-fast"]
METHODS: Final[tuple[Method, ...]] = ("delta", "pawn", "rbd-fast")

LEAST: Final = 30
DESIGN: Final = "design"
"""Column of a designed table: the row's place in the design."""
_MAKE_ONE: Final = "Make one with: eiann analyze design STUDY --out design.csv"
_SAME: Final = 1e-6
"""Difference in unit coordinates that a value may take on its way through a table of text."""


def global_sensitivity(
    trials: pd.DataFrame,
    parameters: Sequence[Parameter],
    target: str,
    *,
    method: Method = "delta",
    resamples: int = 100,
    seed: int = 0,
) -> pd.DataFrame:
    """How much a target depends on each parameter over the whole space, from given trials.

    ``delta`` asks how far knowing the parameter shifts the distribution of the target, ``pawn`` how much its
    cumulative distribution changes, ``rbd-fast`` which part of the variance the parameter explains alone. They assume
    that parameters were drawn independently; trials of a sampler that learns are not, and are dense where it is good. A
    study of ``--sampler qmc`` or ``random`` keeps the assumption.

    Columns: ``parameter, sensitivity, low, high`` (95 %; for ``pawn`` the range over slices), and for ``delta`` also
    ``first_order``, the part of the variance. Strongest first.

    Literature: Borgonovo (2007), "A new uncertainty importance measure"; Pianosi and Wagener (2015), "A simple and
    efficient method for global sensitivity analysis based on cumulative distribution functions"; Tarantola, Gatelli and
    Mara (2006), "Random balance designs for the estimation of first order global sensitivity indices". Computed by
    SALib.

    Raises:
        UserError: fewer than 30 trials have the target, or all have the same.
    """
    done = usable(trials, target, LEAST, "sensitivity")
    points, values = unit_points(done, parameters), done[target].to_numpy(dtype=np.float64)
    if np.ptp(values) == 0:
        raise UserError(f"sensitivity: found {target} = {values[0]:g} in every trial; nothing varies")
    with _undisturbed():
        measured = _ESTIMATORS[method](problem(parameters), points, values, resamples, seed + 1)
    table = pd.DataFrame({"parameter": [parameter.name for parameter in parameters], **measured})
    return table.sort_values(["sensitivity", "parameter"], ascending=[False, True]).reset_index(drop=True)


def sobol_design(parameters: Sequence[Parameter], samples: int, *, seed: int = 0) -> pd.DataFrame:
    """Points to try for ``sobol_indices``: a table with columns ``params.*``, as ``eiann optimize --points`` reads it.

    ``samples * (parameters + 2)`` rows, in Saltelli's order. Every whole number and every choice has an equal part of
    its dimension, as in a study of ``--sampler design``: rounding would give those at the ends half as many points.

    Literature: Saltelli et al. (2010), "Variance based sensitivity analysis of model output".

    Args:
        parameters: searched ones; none may depend on another's choice.
        samples: a power of two.
        seed: of the scrambled Sobol sequence.

    Raises:
        UserError: the number of samples is no power of two, or a parameter exists for some choices only.
    """
    from SALib.sample import sobol

    from optimize.samplers.qmc import place
    from optimize.study.suggest import distribution

    if samples < 2 or samples & (samples - 1):
        raise UserError(f"found {samples} samples; a Sobol design has a power of two, such as 64 or 128")
    for parameter in parameters:
        if parameter.when:
            raise UserError(f"sobol: {parameter.name!r} exists for some choices only; a designed table needs all")
    rows = sobol.sample(problem(parameters), samples, calc_second_order=False, seed=seed)
    space = {parameter.name: distribution(parameter) for parameter in parameters}
    points = [place(row, space) for row in rows]
    columns = {f"params.{name}": [point[name] for point in points] for name in space}
    return pd.DataFrame({DESIGN: range(len(rows)), **columns})


def sobol_indices(
    trials: pd.DataFrame, parameters: Sequence[Parameter], target: str, *, resamples: int = 200, seed: int = 0
) -> pd.DataFrame:
    """First-order and total Sobol indices, from a study that tried a whole ``sobol_design`` in its order.

    A trial that failed has no target; it stands in for the mean of the others, which draws indices towards 0, and
    ``missing`` says how many there were.

    Columns: ``parameter, first_order, first_low, first_high, total, total_low, total_high, missing``; highest total
    first. The interval is 95 % of a bootstrap.

    Raises:
        UserError: the trials are no such design in its order, or more than a tenth has no target.
    """
    from SALib.analyze import sobol

    size = len(parameters) + 2
    ordered = trials.sort_values("number")
    samples = len(ordered) // size
    if not samples or len(ordered) % size or samples & (samples - 1):
        raise UserError(
            f"sobol: found {len(ordered)} trials of {len(parameters)} parameters; a design has {size} times a power of "
            f"two. {_MAKE_ONE}"
        )
    _check_design(ordered, parameters)
    values = ordered[target].to_numpy(dtype=np.float64)
    known = np.isfinite(values) & (ordered["state"] == "COMPLETE").to_numpy()
    if known.mean() < 0.9:
        raise UserError(
            f"sobol: {int((~known).sum())} of {len(values)} trials have no {target}; a tenth may be missing"
        )
    if np.ptp(values[known]) == 0:
        raise UserError(f"sobol: found {target} = {values[known][0]:g} in every trial; nothing varies")
    values = np.where(known, values, values[known].mean())
    with _undisturbed():
        found = sobol.analyze(
            problem(parameters), values, calc_second_order=False, num_resamples=resamples, seed=seed + 1
        )
    table = pd.DataFrame(
        {
            "parameter": [parameter.name for parameter in parameters],
            "first_order": found["S1"],
            "first_low": found["S1"] - found["S1_conf"],
            "first_high": found["S1"] + found["S1_conf"],
            "total": found["ST"],
            "total_low": found["ST"] - found["ST_conf"],
            "total_high": found["ST"] + found["ST_conf"],
            "missing": int((~known).sum()),
        }
    )
    return table.sort_values(["total", "parameter"], ascending=[False, True]).reset_index(drop=True)


def _check_design(ordered: pd.DataFrame, parameters: Sequence[Parameter]) -> None:
    """Refuse trials that only happen to be as many as a design: their indices would look like indices.

    A design repeats one point, then that point with one parameter after the other taken from a second one, then the
    second point.
    """
    count = len(parameters)
    blocks = unit_points(ordered, parameters).reshape(-1, count + 2, count)
    expected = np.repeat(blocks[:, :1], count, axis=1)
    each = np.arange(count)
    expected[:, each, each] = blocks[:, -1]
    wrong = (np.abs(blocks[:, 1:-1] - expected) > _SAME).any(2)
    if wrong.any():
        block, j = (int(place[0]) for place in np.nonzero(wrong))
        numbers = ordered["number"].to_numpy().reshape(-1, count + 2)[block]
        raise UserError(
            f"sobol: the trials are no design in its order: trial {numbers[j + 1]} is not trial {numbers[0]} with "
            f"{parameters[j].name!r} of trial {numbers[-1]}. {_MAKE_ONE}"
        )


def problem(parameters: Sequence[Parameter]) -> dict[str, Any]:
    """What SALib calls a problem, in unit coordinates. Names are positions: SALib refuses some endings of names."""
    count = len(parameters)
    return {"num_vars": count, "names": [f"x{i}" for i in range(count)], "bounds": [[0.0, 1.0]] * count}


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """SALib prints advice, reformats everybody's warnings and draws from numpy's shared stream; none of it gets out.

    A seed of 0 would count as none there, so seeds are handed over plus one.
    """
    stream = np.random.get_state()  # noqa: NPY002
    looks = warnings.formatwarning
    try:
        # Recorded and dropped: SALib sets filters of its own, so that ignoring them would not hold.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings(record=True):
            yield
    finally:
        warnings.formatwarning = looks
        np.random.set_state(stream)  # noqa: NPY002


def _delta(space: dict[str, Any], points: Floats, values: Floats, resamples: int, seed: int) -> dict[str, Any]:
    from SALib.analyze import delta

    found = delta.analyze(space, points, values, num_resamples=resamples, seed=seed)
    return {**_around(found["delta_raw"], found["delta_raw_conf"]), "first_order": np.asarray(found["S1"])}


def _pawn(space: dict[str, Any], points: Floats, values: Floats, _: int, seed: int) -> dict[str, Any]:
    from SALib.analyze import pawn

    found = pawn.analyze(space, points, values, S=10, seed=seed)
    return {"sensitivity": found["median"], "low": found["minimum"], "high": found["maximum"]}


def _rbd_fast(space: dict[str, Any], points: Floats, values: Floats, resamples: int, seed: int) -> dict[str, Any]:
    from SALib.analyze import rbd_fast

    found = rbd_fast.analyze(space, points, values, M=_harmonics(len(values)), num_resamples=resamples, seed=seed)
    return _around(found["S1"], found["S1_conf"])


def _harmonics(samples: int) -> int:
    """SALib takes 10; it needs more than twice as many samples."""
    return min(10, max(1, (samples - 1) // 2 - 1))


def _around(values: Any, half: Any) -> dict[str, Any]:
    middle, width = np.asarray(values, dtype=np.float64), np.asarray(half, dtype=np.float64)
    return {"sensitivity": middle, "low": middle - width, "high": middle + width}


_Estimator = Callable[[dict[str, Any], Floats, Floats, int, int], dict[str, Any]]
_ESTIMATORS: Final[dict[Method, _Estimator]] = {"delta": _delta, "pawn": _pawn, "rbd-fast": _rbd_fast}
