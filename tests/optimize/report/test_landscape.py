"""What moves what, the map of two parameters, and the lines of seeds: planted answers come out."""

from __future__ import annotations

import numpy as np
import pytest

from optimize.report.charts import _seed_lines
from optimize.report.landscape import contour, moves
from optimize.report.material import Material
from optimize.report.page import render
from optimize.space import SearchSpace
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document


def planted(make_study: MakeStudy) -> Material:
    """Accuracy rises with ``rate`` by 40 points over its range and loss falls by 0.4; ``scale`` does nothing."""
    study = make_study(trials=60)
    run_inline(study)
    whole = Material.of(study, resamples=0)
    rng = np.random.default_rng(0)
    place = rng.random(60)
    rate, scale = (parameter for parameter in whole.parameters if parameter.name in ("rate", "scale"))
    assert rate.scale == "log"
    assert (rate.low, rate.high) == (1e-4, 1.0)
    trials = whole.trials.assign(
        **{
            "params.rate": 10 ** (4 * place - 4),
            "params.scale": rng.uniform(float(scale.low or 0), float(scale.high or 1), 60),
            "features.accuracy": 50 + 40 * place + rng.normal(0, 0.5, 60),
            "features.loss": 0.5 - 0.4 * place + rng.normal(0, 0.01, 60),
            "objectives.accuracy": 50 - 40 * place,
        }
    )
    return Material.of(Fixed(study, trials, whole.instances), resamples=4)  # type: ignore[arg-type]


class Fixed:
    """A study whose tables were replaced."""

    def __init__(self, study: object, trials: object, instances: object) -> None:
        self._study, self._trials, self._instances = study, trials, instances

    def __getattr__(self, name: str) -> object:
        return getattr(self._study, name)

    def trials(self) -> object:
        return self._trials

    def instances(self) -> object:
        return self._instances


def test_the_parameter_that_moves_a_feature_is_named_with_its_slope(make_study: MakeStudy) -> None:
    material = planted(make_study)
    found = moves(material)
    assert found is not None
    at = found["columns"].index("accuracy")
    cells = {row["name"]: row["cells"][at] for row in found["rows"]}
    assert cells["rate"]["slope"] == pytest.approx(40, abs=4)
    assert cells["rate"]["wash"] == 60  # two standard deviations and more are the strongest colour
    assert cells["scale"]["wash"] == 0
    assert found["rows"][0]["name"] == "rate"
    text = render(material)
    assert f"Which parameter moves which feature, around trial {material.best['number']}" in text
    assert 'class="up" style="--wash: 60%"' in text


def test_the_map_falls_along_the_parameter_that_matters(make_study: MakeStudy) -> None:
    material = planted(make_study)
    (chart,) = contour(material)
    assert material.map is not None
    (first, _), table = material.map
    assert first.name == "rate"
    assert chart.layout["xaxis"] == {"title": "rate", "type": "log", "showgrid": False, "dtick": 1}
    expected = table.groupby("rate")["expected"].mean()
    assert expected.iloc[0] - expected.iloc[-1] > 25
    assert [len(row) for row in chart.data[0]["z"]] == [25] * 25
    assert chart.data[0]["z"][0][0] > chart.data[0]["z"][0][-1] + 25


def test_few_trials_have_no_map_and_no_moves(make_study: MakeStudy) -> None:
    study = make_study(trials=4)
    run_inline(study)
    material = Material.of(study)
    assert moves(material) is None
    assert list(contour(material)) == []


@pytest.mark.parametrize(("count", "names"), [(2, ["seed 0", "seed 1"]), (7, ["one seed"] * 7 + ["median"])])
def test_many_seeds_are_thin_lines_and_their_median(count: int, names: list[str]) -> None:
    lines: list[tuple[list[int], list[float | None]]] = [([1, 2], [float(i), None]) for i in range(count)]
    traces = _seed_lines(lines, list(range(count)))
    assert [trace["name"] for trace in traces] == names
    if count == 7:
        assert traces[-1]["y"] == [3.0, None]
        assert [trace.get("showlegend") for trace in traces[:3]] == [True, False, False]


def test_a_trial_beyond_a_constraint_is_never_first_on_the_page(make_study: MakeStudy) -> None:
    free = make_study(name="free", trials=12)
    run_inline(free)
    first = Material.of(free, resamples=0)
    limit = float(first.trials.set_index("number")["features.loss"][first.best["number"]])
    document = {**toy_document(), "constraints": [f"loss > {limit!r}"]}
    study = make_study(SearchSpace.from_dict(document), name="bound", trials=12)
    run_inline(study)
    material = Material.of(study, resamples=0)
    banned = set(material.complete["number"]) - set(material.feasible["number"])
    assert first.best["number"] in banned
    assert material.ranking is not None
    for numbers in (material.ranking["number"], material.front["number"], material.champions["number"]):
        assert not banned & set(numbers)
    assert material.places.index[0] == material.complete.index[material.complete["number"] == material.best["number"]]
