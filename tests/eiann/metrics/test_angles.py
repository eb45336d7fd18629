"""Angles between changes of weights, and between forward and feedback weights."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import cosine

from eiann.errors import UserError
from eiann.metrics import angle, feedback_angles, update_angles

VECTOR = hnp.arrays(np.float64, 4, elements=st.integers(-9, 9).map(float)).filter(lambda v: v.any())


@settings(deadline=None)
@given(VECTOR, VECTOR)
def test_the_angle_is_the_arc_cosine_of_scipys_similarity(first: np.ndarray, second: np.ndarray) -> None:
    expected = np.degrees(np.arccos(np.clip(1 - cosine(first, second), -1, 1)))
    assert float(angle(first, second)) == pytest.approx(expected, abs=1e-5)


@settings(deadline=None)
@given(VECTOR)
def test_a_vector_is_at_0_with_itself_and_at_180_with_its_opposite(vector: np.ndarray) -> None:
    assert float(angle(vector, 2 * vector)) == pytest.approx(0, abs=1e-5)
    assert float(angle(vector, -vector)) == pytest.approx(180, abs=1e-5)


def test_nothing_has_no_direction() -> None:
    assert np.isnan(angle([0.0, 0.0], [1.0, 0.0]))


def state(**weights: list[list[float]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([rows]) for name, rows in weights.items()}


BEFORE = state(a=[[1.0, 1.0], [1.0, 1.0]], b=[[0.0, 0.0]])


def test_the_angle_is_between_the_changes_not_the_weights() -> None:
    after = state(a=[[2.0, 1.0], [1.0, 1.0]], b=[[0.0, 5.0]])
    reference = state(a=[[1.5, 1.5], [1.0, 1.0]], b=[[0.0, 0.1]])
    found = update_angles(BEFORE, after, reference, ["a", "b"])
    assert found["a"].tolist() == pytest.approx([45.0])
    assert found["b"].tolist() == pytest.approx([0.0], abs=1e-5)
    # Joined vectors have length sqrt(2): cosine = (cos 45 + cos 0) / 2, however large the changes were.
    assert found["all_params"].tolist() == pytest.approx([np.degrees(np.arccos((np.sqrt(0.5) + 1) / 2))])


def test_signs_only() -> None:
    after = state(a=[[1.1, 9.0], [0.0, 1.0]], b=[[0.0, 0.0]])
    reference = state(a=[[5.0, 1.2], [0.9, 1.0]], b=[[0.0, 0.0]])
    assert update_angles(BEFORE, after, reference, ["a"], signs=True)["a"].tolist() == pytest.approx([0], abs=1e-5)


def test_changed_entries_only() -> None:
    after = state(a=[[2.0, 1.0], [1.0, 1.0]], b=[[0.0, 0.0]])
    reference = state(a=[[2.0, 2.0], [1.0, 1.0]], b=[[0.0, 0.0]])
    assert update_angles(BEFORE, after, reference, ["a"])["a"].tolist() == pytest.approx([45.0])
    found = update_angles(BEFORE, after, reference, ["a"], changed_only=True)
    assert found["a"].tolist() == pytest.approx([0], abs=1e-5)


def test_a_weight_without_change_has_no_angle_and_does_not_spoil_the_others() -> None:
    after = state(a=[[2.0, 1.0], [1.0, 1.0]], b=[[0.0, 0.0]])
    reference = state(a=[[2.0, 1.0], [1.0, 1.0]], b=[[0.0, 0.0]])
    found = update_angles(BEFORE, after, reference, ["a", "b"])
    assert np.isnan(found["b"]).all()
    assert found["all_params"].tolist() == pytest.approx([0], abs=1e-5)


def test_each_replica_has_its_own_angle() -> None:
    generator = torch.Generator().manual_seed(1)
    states = [{"w": torch.randn(4, 3, 2, generator=generator)} for _ in range(3)]
    together = update_angles(*states, ["w"])["w"]
    for replica in range(4):
        alone = update_angles(*[{"w": one["w"][replica : replica + 1]} for one in states], ["w"])["w"]
        assert together[replica] == pytest.approx(float(alone[0]))


def test_tiny_changes_are_measured_in_float64() -> None:
    before = {"w": torch.ones(1, 1, 2, dtype=torch.float64)}
    after = {"w": before["w"] + torch.tensor([1e-9, 0.0], dtype=torch.float64)}
    reference = {"w": before["w"] + torch.tensor([0.0, 1e-9], dtype=torch.float64)}
    assert update_angles(before, after, reference, ["w"])["w"].tolist() == pytest.approx([90.0], abs=1e-4)


def test_feedback_is_compared_with_the_transpose() -> None:
    forward = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    weights = {"up": forward, "down": 0.5 * forward.transpose(1, 2), "crossed": torch.zeros(1, 3, 2)}
    weights["crossed"][0, 0, 0] = 1.0
    found = feedback_angles(weights, [("up", "down")])
    assert found["up"].tolist() == pytest.approx([0], abs=1e-5)
    one = np.degrees(np.arccos(1 / np.sqrt(91)))
    assert feedback_angles(weights, [("up", "crossed")])["up"].tolist() == pytest.approx([one])


def test_feedback_changes_are_compared_when_a_state_before_is_given() -> None:
    before = {"up": torch.ones(1, 2, 2), "down": torch.zeros(1, 2, 2)}
    change = torch.tensor([[[0.0, 1.0], [0.0, 0.0]]])
    after = {"up": before["up"] + change, "down": 3 * change.transpose(1, 2)}
    assert feedback_angles(after, [("up", "down")], before=before)["up"].tolist() == pytest.approx([0], abs=1e-5)


def test_without_names_there_is_nothing() -> None:
    assert feedback_angles({}, []) == {}
    assert update_angles({}, {}, {}, []) == {}


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UserError, match="no parameter 'c'; there are: a, b"):
        update_angles(BEFORE, BEFORE, BEFORE, ["c"])
    with pytest.raises(UserError, match=r"found a \(1, 2, 2\) and the transpose of b \(1, 2, 1\)"):
        feedback_angles(BEFORE, [("a", "b")])
    with pytest.raises(UserError, match="must be the same"):
        angle([1.0, 2.0], [1.0])
