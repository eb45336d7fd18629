"""Accuracy and confusion as scikit-learn counts them, and outputs matched to classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from eiann.errors import UserError
from eiann.metrics import accuracy, assign_outputs, best_assignment, class_accuracy, confusion, reorder_outputs

SAMPLES = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 3), min_size=n, max_size=n), st.integers(0, 2**16).map(np.random.default_rng)
    )
)


@settings(deadline=None)
@given(SAMPLES)
def test_counts_agree_with_scikit_learn(sample: tuple[list[int], np.random.Generator]) -> None:
    labels, numbers = sample
    outputs = numbers.random((len(labels), 4))
    found = outputs.argmax(1)
    assert float(accuracy(outputs, labels)) == pytest.approx(100 * accuracy_score(labels, found))
    np.testing.assert_array_equal(confusion(outputs, labels), confusion_matrix(labels, found, labels=range(4)))
    recall = 100 * recall_score(labels, found, labels=range(4), average=None, zero_division=np.nan)
    np.testing.assert_allclose(class_accuracy(outputs, labels), recall)


def test_replicas_and_steps_keep_their_axes() -> None:
    outputs = np.random.default_rng(0).random((2, 3, 10, 4))
    labels = np.arange(10) % 4
    assert accuracy(outputs, labels).shape == (2, 3)
    assert class_accuracy(outputs, labels).shape == (2, 3, 4)
    np.testing.assert_array_equal(confusion(outputs, labels)[1, 2], confusion(outputs[1, 2], labels))


def test_a_class_without_samples_has_no_accuracy() -> None:
    np.testing.assert_array_equal(class_accuracy([[1.0, 0, 0], [0, 0, 1]], [0, 1]), [100, 0, np.nan])


@settings(deadline=None)
@given(st.permutations(range(5)), st.integers(0, 1000))
def test_shuffled_outputs_find_their_classes_again(shuffled: list[int], seed: int) -> None:
    labels = np.arange(40) % 5
    numbers = np.random.default_rng(seed)
    clean = np.eye(5)[labels] + 0.05 * numbers.random((40, 5))
    outputs = np.empty_like(clean)
    outputs[:, shuffled] = clean
    assigned = assign_outputs(outputs, labels)
    assert assigned.tolist() == list(shuffled)
    np.testing.assert_array_equal(reorder_outputs(outputs, assigned), clean)


@settings(deadline=None)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_every_class_gets_its_own_unit(classes: int, seed: int) -> None:
    numbers = np.random.default_rng(seed)
    outputs = np.maximum(numbers.normal(size=(4 * classes, classes)), 0) * (numbers.random(classes) > 0.3)
    assert sorted(assign_outputs(outputs, np.arange(4 * classes) % classes)) == list(range(classes))


def test_the_more_selective_unit_chooses_first() -> None:
    # Means by class (rows) and unit. Max / mean: unit 0: 4 / 3 -> 1; unit 1: 3 / 1 -> 3; unit 2: 2 / 1 -> 2.
    means = np.array([[4.0, 3.0, 0.5], [3.0, 0.0, 2.0], [2.0, 0.0, 0.5]])
    # Unit 1 takes class 0. Free classes 1 and 2: unit 0: 3 / 2.5 -> 1, unit 2: 2 / 1.25 -> 1; the first takes class 1.
    assert assign_outputs(means, [0, 1, 2]).tolist() == [1, 0, 2]


def test_only_the_integer_part_counts() -> None:
    # 1.2 / 1.05 and 1.9 / 1.05 have the same integer part, so unit 0 goes first although unit 1 is more selective.
    assert assign_outputs([[1.2, 1.9], [0.9, 0.2]], [0, 1]).tolist() == [0, 1]


def test_a_silent_unit_gets_what_is_left() -> None:
    assert assign_outputs([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]], [0, 1, 2]).tolist() == [2, 1, 0]


def test_the_best_step_is_the_one_with_the_lowest_loss_after_matching() -> None:
    labels = np.array([0, 1])
    swapped, right, poor = np.eye(2)[::-1], 0.9 * np.eye(2), np.full((2, 2), 0.5)

    def loss(outputs: np.ndarray) -> float:
        return float(((outputs - np.eye(2)) ** 2).mean())

    assigned, step = best_assignment(np.stack((poor, right, swapped)), labels, loss)
    assert (assigned.tolist(), step) == ([1, 0], 2)
    assigned, step = best_assignment(np.stack((swapped, right)), labels, lambda x: np.nan if x[0, 0] == 1 else 1.0)
    assert step == 1
    with pytest.raises(UserError, match="NaN at every step"):
        best_assignment(swapped[None], labels, lambda x: float("nan"))


@pytest.mark.parametrize(
    ("outputs", "labels", "message"),
    [
        (np.ones((2, 2)), [0, 0], "no sample of class 1"),
        (np.ones((2, 2)), [0, 2], "found 0 to 2; there are outputs 0 to 1"),
        (np.ones((2, 2, 2)), [0, 1], "of one replica"),
    ],
)
def test_wrong_labels_are_refused(outputs: np.ndarray, labels: list[int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        assign_outputs(outputs, labels)
