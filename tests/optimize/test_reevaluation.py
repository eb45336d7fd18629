"""Which trials are measured again: what is asked for twice or not at all is refused before anything is trained."""

from __future__ import annotations

from typing import Any

import pytest

from eiann.errors import UserError
from optimize.reevaluation import reevaluate
from optimize.space import SearchSpace
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy, toy_document


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"top": 0}, "found 0 as the number of best trials"),
        ({"top": -1, "by": "loss"}, "found -1 as the number of best trials"),
        ({"trials": [3], "top": 2}, "found the best 2 and trials by number"),
        ({"trials": [3], "by": "loss"}, "found the best by loss and trials by number"),
    ],
)
def test_questions_for_no_trials_or_for_two_kinds_of_them(
    make_study: MakeStudy, asked: dict[str, Any], words: str
) -> None:
    study = make_study(trials=8)
    run_inline(study)
    with pytest.raises(UserError, match=words):
        reevaluate(study, fresh_seeds=2, **asked)


def test_a_study_of_which_no_trial_satisfies_the_constraints_says_which(make_study: MakeStudy) -> None:
    study = make_study(SearchSpace.from_dict(toy_document(constraints=["loss < 0"])), trials=8)
    run_inline(study)
    with pytest.raises(UserError, match="complete trials none satisfies the constraints loss < 0"):
        reevaluate(study, fresh_seeds=2)
