"""Designs for sensitivity: trial i is point i, in the order that SALib analyses them in."""

from __future__ import annotations

import numpy as np
import pytest

from eiann.errors import ConfigError
from optimize import samplers
from optimize.plan import Plan
from optimize.samplers import DesignSampler
from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Suggester
from tests.optimize.conftest import toy_document


@pytest.mark.parametrize(
    ("kind", "n", "second_order", "size"),
    [("saltelli", 8, False, 32), ("saltelli", 8, True, 48), ("morris", 4, False, 12), ("latin", 7, False, 7),
     ("grid", 3, False, 9)],
)  # fmt: skip
def test_size_of_a_design_is_the_number_of_its_points(kind: str, n: int, second_order: bool, size: int) -> None:
    sampler = DesignSampler(kind=kind, n=n, second_order=second_order, seed=1)
    points = sampler.points(2)
    assert points.shape == (sampler.size(2), 2) == (size, 2)
    assert ((points >= 0) & (points <= 1)).all()


def test_a_study_of_a_design_has_its_points_in_order_and_sensitivity_comes_out() -> None:
    from SALib.analyze import sobol

    space = SearchSpace.from_dict(toy_document(objectives=["loss"]))
    plan = Plan.make(space, sampler=NamedWithOptions(name="design", options={"n": 128}))
    assert plan.trials == 128 * 4
    made = Suggester(space, plan.sampler, 7)
    params = [made.propose().trial.params for _ in range(plan.trials)]
    # The unit places of the two parameters: 4 a + b, so that indices are 16/17 and 1/17.
    a = np.array([(np.log10(point["rate"]) + 4) / 4 for point in params])
    b = np.array([(point["scale"] - 0.01) / 9.99 for point in params])
    problem = {"num_vars": 2, "names": ["rate", "scale"], "bounds": [[0, 1]] * 2}
    found = sobol.analyze(problem, 4 * a + b, calc_second_order=False, seed=1)
    assert found["S1"] == pytest.approx([16 / 17, 1 / 17], abs=0.03)


@pytest.mark.parametrize(
    ("options", "words"), [({"kind": "sobol"}, "saltelli"), ({"n": 1}, "n is"), ({"n": 100}, "power of 2")]
)
def test_designs_that_do_not_exist(options: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        samplers.canonical(NamedWithOptions(name="design", options=options), 1)


def test_more_trials_than_points_are_refused() -> None:
    space = SearchSpace.from_dict(toy_document())
    with pytest.raises(ConfigError, match="9 points"):
        Plan.make(space, trials=10, sampler=NamedWithOptions(name="design", options={"kind": "grid", "n": 3}))
