"""Who is given up and who stays in the race, as tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from optimize.early import RungValues, Yardstick, Yardsticks, hopeless, is_contender
from optimize.early.rungs import WINDOW
from optimize.space import Race, Stopping


def rung(*instances: Sequence[float], kind: str = "instances") -> RungValues:
    rows = tuple(tuple(float(value) for value in row) for row in instances)
    costs = tuple(float(value) for value in np.mean(rows, axis=0))
    return RungValues(kind=kind, at=len(rows), costs=costs, instances=rows)


def stick(*rungs: RungValues) -> Yardstick:
    return Yardstick(tuple((one,) for one in rungs), rungs)


TEN = stick(*(rung((float(i),)) for i in range(10)))
# Three fronts of three trials each, one behind the other.
FRONTS = stick(*(rung((f + i, f + 2 - i)) for f in range(3) for i in range(3)))


@pytest.mark.parametrize(
    ("costs", "yardstick", "rule", "stopped"),
    [
        ([(4.5,)], TEN, {"keep": 0.5}, True),
        ([(4.0,)], TEN, {"keep": 0.5}, False),
        ([(8.5,)], TEN, {"keep": 0.95}, False),
        ([(8.5,)], TEN, {"warmup": 11}, False),
        ([(8.5,)], Yardstick(), {}, False),
        ([(1.0, 1.5)], FRONTS, {"keep": 0.5, "warmup": 9}, False),
        ([(3.0, 3.0)], FRONTS, {"keep": 0.5, "warmup": 9}, True),
        ([(3.0, 3.0)], FRONTS, {"keep": 0.9, "warmup": 9}, False),
        ([(100.0, -1.0)], FRONTS, {"keep": 0.1, "warmup": 9}, False),
    ],
)
def test_a_trial_behind_too_many_is_given_up(
    costs: Sequence[Sequence[float]], yardstick: Yardstick, rule: dict[str, float], stopped: bool
) -> None:
    found = hopeless(rung(*costs), yardstick, Stopping(instances=(1,), margin=0, **{"warmup": 5, **rule}))
    assert (found is not None) == stopped


def test_the_margin_is_in_standard_errors_over_the_instances() -> None:
    others = stick(*(rung((float(i),), (float(i),)) for i in range(10)))
    mine = rung((4.0,), (8.0,))  # mean 6, standard deviation 2.83, standard error 2
    rules = [Stopping(instances=(2,), margin=margin, warmup=5) for margin in (0, 0.4, 1.1)]
    assert [hopeless(mine, others, rule) is not None for rule in rules] == [True, True, False]


def test_the_scatter_of_a_single_instance_is_that_of_earlier_trials() -> None:
    later = tuple((rung((float(i),)), rung((float(i) - 2,), (float(i) + 2,))) for i in range(10))
    mine, rule = rung((6.0,)), {"instances": (1,), "warmup": 5}
    assert hopeless(mine, Yardstick(later), Stopping(**rule, margin=0.1)) is not None
    assert hopeless(mine, Yardstick(later), Stopping(**rule, margin=1)) is None


@pytest.mark.parametrize(
    ("mine", "best", "contends"),
    [
        ([(1.0,), (1.1,), (0.9,)], [(0.0,), (0.1,), (0.0,)], False),
        # The same means, but not worse on each: one more instance is wanted.
        ([(3.0,), (0.0,), (0.0,)], [(0.0,), (0.1,), (0.0,)], True),
        ([(1.0, 0.0), (1.1, 0.0)], [(0.0, 0.0), (0.1, 0.0)], False),
        ([(1.0, -1.0), (1.1, -1.1)], [(0.0, 0.0), (0.1, 0.0)], True),
        ([(0.5,), (0.5,)], [(0.5,), (0.5,)], True),
    ],
)
def test_who_is_surely_worse_leaves_the_race(
    mine: Sequence[Sequence[float]], best: Sequence[Sequence[float]], contends: bool
) -> None:
    assert is_contender(rung(*mine), stick(rung(*best)), Race()) == contends


def test_a_race_without_anybody_else_goes_on() -> None:
    assert is_contender(rung((9.0,), (9.0,)), Yardstick(), Race())


def test_yardsticks_are_a_function_of_the_order_of_events() -> None:
    one, other = Yardsticks(), Yardsticks()
    events = [(i + 1, (rung((float(-i),)),), i % 3 != 0) for i in range(WINDOW + 50)]
    for position, rungs, complete in events:
        one.add(position, rungs, complete=complete)
    for position, rungs, complete in reversed(events):
        other.add(position, rungs, complete=complete)
    for ended in (0, 1, 17, WINDOW + 40):
        assert one.after(ended) == other.after(ended)
        assert len(one.after(ended).recent) == min(ended, WINDOW)
    assert one.after(17).front[0].costs == (-16.0,)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "no rung"),
        ({"samples": [0.5, 0.25]}, "go up"),
        ({"samples": [1.5]}, "less than 1"),
        ({"instances": 0}, "greater than 0"),
    ],
)
def test_wrong_rules(rule: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Stopping(**rule)
