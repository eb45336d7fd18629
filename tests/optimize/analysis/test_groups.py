"""Degeneracy, failures, rankings and comparisons, with planted answers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from eiann.errors import UserError
from optimize.analysis import (
    compare_studies,
    contours,
    degenerate_group,
    distance_and_error,
    failure_reasons,
    failure_report,
    from_unit,
    parallel_coordinates,
    ranking_confidence,
    slices,
    to_unit,
    unit_columns,
)
from optimize.analysis.degeneracy import clusters, distances, local_minima, summary
from optimize.space import Parameter
from optimize.space.formula import Condition
from tests.optimize.analysis.points import cube, instance_table, sampled, table

RNG = np.random.default_rng


def two_basins(count: int = 300) -> pd.DataFrame:
    """Two equally deep basins far apart in six dimensions, and a shallow third one."""
    rng = RNG(1)
    centres = np.array([[0.15] * 6, [0.85] * 6, [0.15, 0.85] * 3])
    near = np.vstack([centre + rng.normal(0, 0.03, (count // 6, 6)) for centre in centres])
    points = np.clip(np.vstack([near, rng.random((count // 2, 6))]), 0, 1)
    depths = np.array([0.0, 0.0, 0.6])
    away = ((points[:, None, :] - centres[None]) ** 2).mean(2)
    return table(points, (depths + 8 * away).min(1))


def test_planted_clusters_are_the_degenerate_group() -> None:
    group = degenerate_group(two_basins(), cube(6), "objectives.y", tolerance=0.1)
    assert set(group["cluster"]) == {0, 1}
    assert group["cluster"].iloc[0] == 0
    assert group["distance"].max() == pytest.approx(0.7, abs=0.1)
    far = group[group["cluster"] == 1]
    assert (far["distance"] > 0.5).all()
    assert (group["nearest"] < 0.1).mean() > 0.9
    assert "2 clusters" in summary(group)


def test_one_basin_is_one_cluster() -> None:
    points = np.clip(RNG(0).normal(0.5, 0.05, (60, 5)), 0, 1)
    group = degenerate_group(table(points, ((points - 0.5) ** 2).sum(1)), cube(5), "objectives.y", tolerance=1.0)
    assert set(group["cluster"]) == {0}
    assert len(group) == 60


def test_local_minima_are_the_bottoms_of_basins() -> None:
    grid = np.linspace(0, 1, 101)[:, None]
    values = np.cos(6 * np.pi * grid[:, 0]) + grid[:, 0]
    found = np.flatnonzero(local_minima(grid, values, neighbours=6))
    # An inner minimum of cos(6 pi x) + x lies a little before 1/6, 3/6 and 5/6.
    assert grid[found, 0].tolist() == pytest.approx([0.16, 0.5, 0.83], abs=0.011)


def test_distances_are_root_mean_squares_whatever_the_dimension() -> None:
    for dimensions in (2, 40):
        random = RNG(0).random((400, dimensions))
        squares = distances(random)[np.triu_indices(400, 1)] ** 2
        assert squares.mean() == pytest.approx(1 / 6, abs=0.01)
    assert clusters(np.zeros((5, 5))).tolist() == [0] * 5


def test_distance_from_the_best_goes_with_error_in_a_funnel() -> None:
    points = RNG(2).random((200, 3))
    found = distance_and_error(table(points, ((points - 0.3) ** 2).sum(1)), cube(3), "objectives.y")
    assert found["distance"].iloc[0] == 0
    assert found["distance"].corr(found["objectives.y"], method="spearman") > 0.8


def test_the_best_of_what_is_maximized_are_its_highest() -> None:
    trials = two_basins()
    trials["features.y"] = 100 - trials["features.y"]
    best = degenerate_group(trials, cube(6), "objectives.y", tolerance=0.1)
    found = degenerate_group(trials, cube(6), "features.y", tolerance=0.1, maximize=True)
    assert found["number"].tolist() == best["number"].tolist()
    assert found["features.y"].iloc[0] == trials["features.y"].max()
    assert found["excess"].tolist() == pytest.approx(best["excess"].tolist(), abs=1e-9)
    assert found["minimum"].tolist() == best["minimum"].tolist()
    lines = parallel_coordinates(trials, cube(6), "features.y", maximize=True)
    assert lines["features.y"].is_monotonic_decreasing
    assert lines["quantile"].iloc[0] == 0


def test_local_minima_are_those_among_all_pairs() -> None:
    rng = RNG(3)
    for count, dimensions in ((1, 2), (3, 2), (30, 3), (1500, 8)):
        # Few different coordinates: neighbours that are equally near are told apart by their place.
        points, values = rng.integers(0, 4, (count, dimensions)) / 4, rng.random(count)
        near = min(max(5, dimensions + 1), max(1, count // 4))
        apart = distances(points) ** 2 + np.diag(np.full(count, np.inf))
        order = np.argsort(apart.round(9), axis=1, kind="stable")[:, :near]
        assert local_minima(points, values).tolist() == (values[:, None] < values[order]).all(1).tolist()


def peak_of(question: object, *arguments: object, **options: object) -> float:
    """Megabytes held at most while a question is answered, of what was not held before."""
    assert callable(question)
    tracemalloc.start()
    try:
        question(*arguments, **options)
        return tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()


def test_the_funnel_of_many_trials_never_holds_all_pairs() -> None:
    trials = sampled(lambda x: x[:, 0], cube(5), 4000)
    # All pairs of 4000 trials are 128 MB.
    assert peak_of(distance_and_error, trials, cube(5), "objectives.y") < 64


def planted_failures(where: float = 0.7) -> tuple[pd.DataFrame, pd.DataFrame]:
    points = RNG(3).random((90, 4))
    dying = points[:, 2] > where
    failed = RNG(4).random((90, 3)) < np.where(dying, 0.9, 0.03)[:, None]
    trials = table(points)
    trials.loc[failed.any(1), "state"] = "FAIL"
    return trials, instance_table(np.full((90, 3), 80.0), failed=failed)


def test_a_planted_region_of_failures_is_found() -> None:
    trials, instances = planted_failures()
    found = failure_report(trials, instances, cube(4))
    first = found.iloc[0]
    assert first["parameter"] == "x3"
    assert first["where"].startswith("> ")
    assert float(first["where"].removeprefix("> ")) == pytest.approx(0.7, abs=0.06)
    assert first["inside"] > 0.8
    assert first["outside"] < 0.1
    assert first["p"] < 0.01
    assert (found["p"].iloc[1:] > 0.05).all()


def test_failures_everywhere_alike_are_chance() -> None:
    points = RNG(5).random((80, 6))
    failed = RNG(6).random((80, 3)) < 0.3
    found = failure_report(table(points), instance_table(np.ones((80, 3)), failed=failed), cube(6))
    assert found["p"].min() > 0.05


def test_a_choice_that_kills_is_named() -> None:
    kinds = np.array(["relu", "tanh", "softplus"])[np.arange(60) % 3]
    trials = table(RNG(0).random((60, 1)))
    trials["params.kind"] = kinds
    failed = np.repeat((kinds == "softplus")[:, None], 2, axis=1)
    parameters = (*cube(1), Parameter("kind", "categorical", choices=("relu", "tanh", "softplus")))
    found = failure_report(trials, instance_table(np.ones((60, 2)), failed=failed), parameters)
    assert found.iloc[0][["parameter", "where", "inside", "outside"]].tolist() == ["kind", "is softplus", 1.0, 0.0]


def test_instances_that_learned_nothing_can_count_as_dead() -> None:
    points = RNG(3).random((50, 2))
    accuracy = np.where(points[:, :1] < 0.4, 25.0, 90.0) * np.ones((1, 2))
    instances = instance_table(accuracy)
    with pytest.raises(UserError, match="no instance died"):
        failure_report(table(points), instances, cube(2))
    first = failure_report(table(points), instances, cube(2), below=30).iloc[0]
    assert first["parameter"] == "x1"
    assert first["where"].startswith("< 0.")
    assert (first["inside"], first["outside"]) == (1.0, 0.0)


def test_reasons_are_counted_without_their_numbers() -> None:
    trials, instances = planted_failures()
    instances.loc[instances["failure"].notna(), "failure"] = [
        f"loss is not finite (nan, from step {i})" for i in range(int(instances["failure"].notna().sum()))
    ]
    torn = pd.DataFrame({"number": [990], "state": ["FAIL"], "failure": ["the pack was killed 3 times"]})
    found = failure_reasons(pd.concat([trials, torn]), instances)
    assert found["reason"].tolist() == ["loss is not finite", "the pack was killed … times"]
    assert found["instances"].tolist() == [int(instances["failure"].notna().sum()), 0]
    assert found["example"].iloc[1] == 990


def test_a_clear_winner_is_certain_and_twins_are_not() -> None:
    accuracy = np.array([[90.0, 91.0, 92.0, 90.5], [80.0, 99.0, 85.0, 96.0], [96.0, 85.0, 99.0, 80.0], [50.0] * 4])
    sure = ranking_confidence(instance_table(accuracy[[0, 3]]), "features.accuracy", maximize=True)
    assert sure["chance_of_best"].tolist() == [1.0, 0.0]
    twins = ranking_confidence(instance_table(accuracy[1:3]), "features.accuracy", maximize=True)
    assert twins["chance_of_best"].tolist() == pytest.approx([0.5, 0.5], abs=0.05)
    assert twins["rank_high"].tolist() == [2, 2]
    assert twins["chance_of_best"].sum() == pytest.approx(1)


def test_the_order_is_by_what_the_study_makes_of_instances() -> None:
    frail, solid = [99.0, 99.0, 99.0, 99.0, 60.0], [90.0, 91.0, 90.0, 91.0, 90.5]
    instances = instance_table(np.array([frail, solid]))
    by_mean = ranking_confidence(instances, "features.accuracy", maximize=True)
    by_median = ranking_confidence(instances, "features.accuracy", maximize=True, aggregate="median")
    by_worst = ranking_confidence(instances, "features.accuracy", maximize=True, aggregate="worst")
    assert [found["number"].tolist() for found in (by_mean, by_median, by_worst)] == [[0, 1], [0, 1], [1, 0]]
    assert by_worst["worst"].tolist() == [90.0, 60.0]
    assert by_median["median"].tolist() == [99.0, 90.5]
    # The bad seed is missing from (4/5)^5 of the resamples, a third.
    assert by_worst["chance_of_best"].iloc[0] == pytest.approx(1 - 0.8**5, abs=0.03)
    losses = instances.assign(**{"features.loss": 100 - instances["features.accuracy"]})
    lowest = ranking_confidence(losses, "features.loss", maximize=False, aggregate="worst")
    assert lowest["worst"].tolist() == [10.0, 40.0]


def test_what_a_seed_does_to_every_trial_does_not_blur_their_order() -> None:
    luck = np.array([0.0, 10.0, 20.0, 30.0])
    found = ranking_confidence(
        instance_table(np.vstack([50 + luck, 51 + luck])), "features.accuracy", maximize=True, top=2
    )
    assert found["number"].tolist() == [1, 0]
    assert found["chance_of_best"].tolist() == [1.0, 0.0]


def test_a_ranking_of_many_trials_never_holds_all_pairs() -> None:
    instances = instance_table(RNG(0).random((1000, 3)))
    options = {"maximize": True, "top": 1000, "resamples": 400}
    # All pairs of 1000 trials in 400 resamples are 400 MB.
    assert peak_of(ranking_confidence, instances, "features.accuracy", **options) < 64


def test_ranks_of_a_ranking_count_what_is_better_in_each_resample() -> None:
    accuracy = RNG(1).integers(80, 90, (30, 4)).astype(float)
    found = ranking_confidence(instance_table(accuracy), "features.accuracy", maximize=True, top=30, resamples=300)
    means = accuracy[found["number"]][:, RNG(0).integers(4, size=(300, 4))].mean(2)
    ranks = 1 + (means[None, :, :] > means[:, None, :]).sum(1)
    low, high = np.percentile(ranks, [2.5, 97.5], axis=1)
    assert found["rank_low"].tolist() == np.floor(low).tolist()
    assert found["rank_high"].tolist() == np.ceil(high).tolist()


def test_a_trial_beyond_a_constraint_of_its_study_is_tried_and_never_the_best() -> None:
    values = np.arange(20.0)
    trials, limit = table(RNG(0).random((20, 2)), values), Condition.parse("y >= 5")
    (row,) = compare_studies({"bound": trials}, ["y"], constraints={"bound": [limit]}).to_dict("records")
    assert (row["trials"], row["complete"], row["feasible"], row["budget"]) == (20, 20, 15, 20)
    assert (row["best"], row["median"]) == (5, 12)
    assert row["best_low"] >= 5
    free = compare_studies({"free": trials}, ["y"])
    assert free["best"].iloc[0] == 0
    with pytest.raises(UserError, match="of 20 complete trials none satisfies the constraints y > 99"):
        compare_studies({"bound": trials}, ["y"], constraints={"bound": [Condition.parse("y > 99")]})


def test_studies_are_compared_at_the_same_budget() -> None:
    rng = RNG(0)
    values = rng.random(400)
    large, small = table(rng.random((400, 2)), values), table(rng.random((40, 2)), values[:40])
    found = compare_studies({"large": large, "small": small}, ["y"]).set_index("study")
    assert set(found["budget"]) == {40}
    # Both draw from the same distribution: more trials of it are no merit.
    assert found.loc["large", "best"] < found.loc["small", "best"] or found.loc["large", "best"] == values.min()
    assert 0.2 < found.loc["large", "chance_of_best"] < 0.8
    better = compare_studies({"low": table(rng.random((40, 2)), values[:40] - 5), "high": small}, ["y"])
    assert better[["study", "chance_of_best"]].to_numpy().tolist() == [["low", 1.0], ["high", 0.0]]
    assert better["hypervolume"].iloc[0] > better["hypervolume"].iloc[1]


def test_unit_coordinates_go_there_and_back() -> None:
    for parameter, value in (
        (Parameter("rate", "float", low=1e-4, high=1.0, scale="log"), 0.003),
        (Parameter("size", "int", low=10, high=500), 128),
        (Parameter("kind", "categorical", choices=("a", "b", "c")), "c"),
        (Parameter("flag", "categorical", choices=(False, True)), True),
    ):
        assert from_unit(to_unit(value, parameter), parameter) == pytest.approx(value)
    both = pd.DataFrame({"params.size": [10.0, np.nan]})
    places = unit_columns(both, [Parameter("size", "int", low=10, high=20)])["size"]
    assert places.iloc[0] == 0
    assert np.isnan(places.iloc[1])


def test_slices_contours_and_lines_hold_every_trial() -> None:
    trials = sampled(lambda x: (x[:, 0] - 0.2) ** 2 + (x[:, 1] - 0.8) ** 2, cube(3), 150)
    assert len(slices(trials, cube(3), "objectives.y")) == 450
    lines = parallel_coordinates(trials, cube(3), "objectives.y")
    assert lines["quantile"].iloc[0] == 0
    assert lines["objectives.y"].is_monotonic_increasing
    parameters = cube(3)
    expected = contours(trials, (parameters[0], parameters[1]), parameters, "objectives.y", cells=10)
    assert expected["trials"].sum() == 150
    lowest = expected.sort_values("expected").iloc[0]
    assert (lowest["x1"], lowest["x2"]) == pytest.approx((0.2, 0.8), abs=0.16)
    with pytest.raises(UserError, match="two different parameters"):
        contours(trials, (parameters[0], parameters[0]), parameters, "objectives.y")
