"""Importance and sensitivity of functions whose answers are known."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest

from eiann.errors import UserError
from optimize.analysis import (
    design_slopes,
    global_sensitivity,
    local_design,
    local_slopes,
    parameter_importance,
    sobol_design,
    sobol_indices,
)
from optimize.samplers import DesignSampler
from optimize.samplers.qmc import place
from optimize.space import Parameter
from optimize.study.suggest import distribution
from tests.optimize.analysis.points import Floats, cube, ishigami, sampled, table

CIRCLE = cube(3, -math.pi, math.pi)


def by_parameter(found: pd.DataFrame, column: str) -> list[float]:
    return found.set_index("parameter")[column].loc[["x1", "x2", "x3"]].tolist()


def test_sobol_indices_of_the_ishigami_function() -> None:
    design = sobol_design(CIRCLE, 1024)
    points = design[[f"params.x{i}" for i in (1, 2, 3)]].to_numpy()
    found = sobol_indices(table(points, ishigami(points)), CIRCLE, "objectives.y")
    assert by_parameter(found, "first_order") == pytest.approx([0.314, 0.442, 0.0], abs=0.03)
    assert by_parameter(found, "total") == pytest.approx([0.558, 0.442, 0.244], abs=0.03)
    assert ((found["total_low"] < found["total"]) & (found["total"] < found["total_high"])).all()


def test_a_design_with_lost_trials_says_how_many() -> None:
    design = sobol_design(CIRCLE, 64)
    points = design[[f"params.x{i}" for i in (1, 2, 3)]].to_numpy()
    trials = table(points, ishigami(points))
    trials.loc[::20, "objectives.y"] = np.nan
    assert set(sobol_indices(trials, CIRCLE, "objectives.y")["missing"]) == {16}
    trials.loc[::3, "objectives.y"] = np.nan
    with pytest.raises(UserError, match="a tenth may be missing"):
        sobol_indices(trials, CIRCLE, "objectives.y")


def test_trials_that_are_no_design_are_refused() -> None:
    with pytest.raises(UserError, match="5 times a power of two"):
        sobol_indices(sampled(ishigami, CIRCLE, 32), CIRCLE, "objectives.y")
    with pytest.raises(UserError, match="power of two, such as"):
        sobol_design(CIRCLE, 100)


def test_as_many_trials_as_a_design_has_are_no_design() -> None:
    with pytest.raises(UserError, match=r"no design in its order: trial 1 is not trial 0 with 'x1'.*analyze design"):
        sobol_indices(sampled(ishigami, CIRCLE, 40), CIRCLE, "objectives.y")
    points = sobol_design(CIRCLE, 8)[[f"params.x{i}" for i in (1, 2, 3)]].to_numpy()
    swapped = points.copy()
    swapped[[11, 12]] = swapped[[12, 11]]
    with pytest.raises(UserError, match="trial 11 is not trial 10 with 'x1' of trial 14"):
        sobol_indices(table(swapped, ishigami(swapped)), CIRCLE, "objectives.y")
    rounded = points * (1 + 1e-9)
    assert len(sobol_indices(table(rounded, ishigami(points)), CIRCLE, "objectives.y")) == 3


def test_whole_numbers_and_choices_have_equal_parts_of_a_design() -> None:
    parameters = (
        Parameter("size", "int", low=1, high=3),
        Parameter("wide", "int", low=1, high=100, scale="log"),
        Parameter("kind", "categorical", choices=("a", "b", "c")),
        Parameter("rate", "float", low=1e-4, high=1.0, scale="log"),
    )
    design = sobol_design(parameters, 256)
    for name in ("size", "kind"):
        shares = design[f"params.{name}"].value_counts(normalize=True)
        assert shares.to_numpy() == pytest.approx([1 / 3] * 3, abs=0.01)
    unit = DesignSampler(n=256, seed=0).points(4)
    space = {parameter.name: distribution(parameter) for parameter in parameters}
    rows = design.drop(columns="design").rename(columns=lambda name: name.removeprefix("params."))
    assert rows.to_dict("records") == [place(point, space) for point in unit]


def test_rbd_fast_finds_the_first_order_indices_of_the_ishigami_function() -> None:
    trials = sampled(ishigami, CIRCLE, 600)
    found = global_sensitivity(trials, CIRCLE, "objectives.y", method="rbd-fast", resamples=5)
    assert by_parameter(found, "sensitivity") == pytest.approx([0.314, 0.442, 0.0], abs=0.08)


@pytest.mark.parametrize("method", ["delta", "pawn"])
def test_distributions_tell_what_has_no_influence(method: str) -> None:
    def only_first(x: Floats) -> Floats:
        return np.asarray(np.exp(3 * x[:, 0]))

    trials = sampled(only_first, cube(3), 400)
    found = global_sensitivity(trials, cube(3), "objectives.y", method=method, resamples=5)  # type: ignore[arg-type]
    first, second, third = by_parameter(found, "sensitivity")
    assert first > 0.4
    assert max(second, third) < 0.2


def test_sensitivity_leaves_shared_random_numbers_and_warnings_alone(capfd: pytest.CaptureFixture[str]) -> None:
    trials = sampled(ishigami, CIRCLE, 100)
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    looks = warnings.formatwarning
    global_sensitivity(trials, CIRCLE, "objectives.y", resamples=2)
    assert np.random.random() == expected  # noqa: NPY002
    assert warnings.formatwarning is looks
    assert capfd.readouterr() == ("", "")


def test_nothing_that_varies_is_an_error() -> None:
    with pytest.raises(UserError, match="nothing varies"):
        global_sensitivity(table(np.random.default_rng(0).random((40, 2)), np.ones(40)), cube(2), "objectives.y")


def quadratic(x: Floats) -> Floats:
    return np.asarray(16 * (x[:, 0] - 0.5) ** 2 + (x[:, 1] - 0.2) ** 2)


@pytest.mark.parametrize("method", ["fanova", "pedanova"])
def test_importance_finds_what_matters_and_what_is_noise(method: str) -> None:
    trials = sampled(quadratic, cube(4), 80)
    found = parameter_importance(trials, cube(4), "objectives.y", method=method, resamples=2)  # type: ignore[arg-type]
    assert found["importance"].sum() == pytest.approx(1)
    assert found["parameter"].iloc[0] == "x1"
    assert (found["low"] <= found["importance"]).all()
    assert (found["importance"] <= found["high"]).all()
    rest = found[found["parameter"].isin(["x3", "x4"])]
    assert (rest["importance"] < 0.15).all()
    first = found.iloc[0]
    assert first["low"] > first["noise"]


def test_the_best_tenth_of_what_is_maximized_is_its_highest() -> None:
    # Low values are a matter of x1, high ones of x2.
    trials = sampled(lambda x: np.where(x[:, 0] < 0.15, -1.0, 0.0) + np.where(x[:, 1] > 0.85, 1.0, 0.0), cube(2), 400)
    lowest, highest = (
        parameter_importance(trials, cube(2), "features.y", method="pedanova", maximize=up, resamples=2)
        for up in (False, True)
    )
    assert lowest["parameter"].iloc[0] == "x1"
    assert highest["parameter"].iloc[0] == "x2"


def test_importance_is_the_same_for_the_same_seed() -> None:
    trials = sampled(quadratic, cube(2), 15)
    one, again = (parameter_importance(trials, cube(2), "objectives.y", resamples=2, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(one, again)


def test_importance_of_few_trials_is_refused() -> None:
    with pytest.raises(UserError, match=r"found 4 complete trials with objectives\.y; at least 10"):
        parameter_importance(sampled(quadratic, cube(2), 4), cube(2), "objectives.y")


def plane(x: Floats) -> Floats:
    return np.asarray(3 * x[:, 0] - 2 * x[:, 1] + 7)


def test_local_slopes_of_a_plane() -> None:
    trials = sampled(plane, cube(3), 80)
    found = local_slopes(trials, cube(3), 11, ["objectives.y"]).set_index("parameter")
    assert found["slope"].to_dict() == pytest.approx({"x1": 3.0, "x2": -2.0, "x3": 0.0}, abs=0.02)
    assert found.index[0] == "x1"


def test_local_slopes_are_those_around_the_trial() -> None:
    trials = sampled(quadratic, cube(2), 400)
    near = trials.iloc[((trials["params.x1"] - 0.9) ** 2 + (trials["params.x2"] - 0.2) ** 2).argmin()]
    found = local_slopes(trials, cube(2), int(near["number"]), ["objectives.y"]).set_index("parameter")
    assert found.loc["x1", "slope"] == pytest.approx(32 * (near["params.x1"] - 0.5), rel=0.15)
    assert abs(found.loc["x2", "slope"]) < 1


PARAMETERS = (
    Parameter("rate", "float", low=1e-4, high=1.0, scale="log"),
    Parameter("size", "int", low=1, high=9),
    Parameter("kind", "categorical", choices=("a", "b", "c")),
)


def test_a_local_design_moves_one_parameter_at_a_time() -> None:
    design = local_design({"rate": 0.01, "size": 9, "kind": "b"}, PARAMETERS, step=0.1)
    assert design["moved"].tolist() == ["", "rate", "rate", "size", "kind", "kind"]
    assert design["params.size"].tolist() == [9, 9, 9, 8, 9, 9]
    assert design["params.kind"].tolist() == ["b", "b", "b", "b", "a", "c"]
    assert design["shift"].tolist() == pytest.approx([0, -0.1, 0.1, -0.125, -0.5, 0.5])
    assert design["params.rate"].iloc[2] == pytest.approx(0.01 * 10**0.4)


def test_slopes_of_a_measured_design_have_the_spread_over_instances() -> None:
    parameters = cube(2)
    design = local_design({"x1": 0.5, "x2": 1.0}, parameters, step=0.1)
    points = design[["params.x1", "params.x2"]].to_numpy()
    rows = [
        {"row": i, "instance": k, "y": float(plane(points[i : i + 1])[0]) + 10 * k + 0.1 * k * points[i, 0]}
        for i in range(len(points))
        for k in range(3)
    ]
    found = design_slopes(design, pd.DataFrame(rows), ["y"]).set_index("parameter")
    assert found.loc["x1", "slope"] == pytest.approx(3.1)
    assert found.loc["x1", "high"] == pytest.approx(3.1 + 1.96 * 0.1 / math.sqrt(3))
    assert found.loc["x2", "slope"] == pytest.approx(-2.0)
    assert found.loc["x2", "low"] == pytest.approx(-2.0)
    assert found["lost"].tolist() == [0, 0]
