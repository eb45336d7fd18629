"""What ``--points`` takes: names, files of several kinds, points of another space."""

from __future__ import annotations

from pathlib import Path

import pytest

from eiann.errors import UserError
from optimize.plan import read_points
from optimize.space import SearchSpace

SPACE = SearchSpace.load("spiral/perceptron")
NAMES = [parameter.name for parameter in SPACE.searched]
POINT = dict.fromkeys(NAMES, 0.5)


def test_a_named_point_of_another_space_is_cut_to_what_is_searched_here() -> None:
    other = SearchSpace.load("spiral/backprop")
    (point,) = read_points("spiral/backprop:optimized", SPACE)
    params = other.starting_points["optimized"].params
    assert point == {name: params[name] for name in NAMES if name in params}


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("{point}", 1),
        ("[{point}, {point}]", 2),
        ("1: {point}", 1),
        ("best: {point}\nsecond: {point}\nthird: {point}", 3),
    ],
    ids=["a point", "a list", "a model by number, as Nested writes it", "models by name"],
)
def test_a_file_holds_a_point_a_list_or_models_by_name(tmp_path: Path, text: str, count: int) -> None:
    flow = "{" + ", ".join(f"{name}: 0.5" for name in NAMES) + "}"
    (tmp_path / "points.yaml").write_text(text.replace("{point}", flow))
    assert read_points(str(tmp_path / "points.yaml"), SPACE) == [POINT] * count


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nothing", "found 'nothing'; it is a file, a study, SPACE:POINT or a point of spiral/perceptron"),
        ("spiral/backprop:optimised", "no point 'optimised' in spiral/backprop; did you mean 'optimized'"),
        ("spiral/backprob:optimized", "spiral/backprob: there is no such search space; did you mean"),
    ],
)
def test_what_is_none_of_these_is_refused(source: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        read_points(source, SPACE)
