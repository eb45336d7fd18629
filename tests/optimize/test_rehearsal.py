"""What cannot work is found before a study exists, by `eiann check` too: no trial is spent on it."""

from __future__ import annotations

from typing import Any

import pytest

from eiann.errors import UserError
from optimize import rehearsal
from optimize.plan import Plan
from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions
from tests.optimize.conftest import STUB, toy_document


def space(parameter: dict[str, Any] | None = None, **changes: Any) -> SearchSpace:
    document = toy_document(points={}, **changes)
    if parameter is not None:
        document["parameters"]["extra"] = parameter
    return SearchSpace.from_dict(document)


def check(made: SearchSpace, **keys: Any) -> None:
    Plan.make(made, **keys).check(local=False)


def test_the_toy_space_is_well() -> None:
    check(SearchSpace.from_dict(toy_document()))


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        ({"choices": ["relu", "rleu"], "sets": {"Output.E": "activation"}}, "parameters.extra: at 'rleu' .* 'relu'"),
        ({"range": [0.1, 5.0], "sets": {"training": "tau"}}, None),
        ({"range": [1, 5, "int"], "sets": {"training": "forward_steps"}}, None),
    ],
)
def test_a_network_is_made_at_the_ends_of_every_range_and_with_every_choice(
    parameter: dict[str, Any], words: str | None
) -> None:
    made = space(parameter)
    if words is None:
        rehearsal.check_ends(made, rehearsal.any_point(made))
        return
    with pytest.raises(UserError, match=words):
        check(made)


def test_choices_that_bring_parameters_of_their_own_are_tried_with_these() -> None:
    document = toy_document(points={})
    document["parameters"]["kind"] = {"choices": ["relu", "linear"], "sets": {"Output.E": "activation"}}
    document["parameters"]["tau"] = {"range": [-3.0, 4.0], "when": {"kind": "linear"}, "sets": {"training": "tau"}}
    made = SearchSpace.from_dict(document)
    with pytest.raises(UserError, match=r"parameters\.(tau|kind): at .* the network is refused: .*tau: found -3"):
        check(made)


def test_conditions_that_no_trial_could_satisfy_are_refused() -> None:
    made = space(require=["rate > 2"])
    with pytest.raises(UserError, match=r"require: found 'rate > 2'; of a thousand random points none satisfies it"):
        check(made, trainer=STUB)


def test_ends_that_a_condition_rules_out_are_not_tried() -> None:
    """Otherwise a space could not keep its trials from what the network refuses."""
    made = space({"range": [-1.0, 4.0], "sets": {"training": "tau"}}, require=["extra > 0.5"])
    check(made, sampler=NamedWithOptions(name="random"))


def test_given_points_need_no_other() -> None:
    made = SearchSpace.from_dict(toy_document(require=["rate > 0.04999999", "rate < 0.05000001"]))
    check(made, sampler=NamedWithOptions(name="points"), points=["x0"], trainer=STUB)
