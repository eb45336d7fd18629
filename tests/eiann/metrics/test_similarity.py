"""Representational similarity: cosines as scikit-learn has them, in the order of classes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.metrics.pairwise import cosine_similarity as cosine_of_sklearn

from eiann.errors import UserError
from eiann.metrics import cosine_similarity, pattern_similarity, unit_similarity

MATRIX = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 6), st.integers(1, 5)), elements=st.sampled_from([0.0, 1.0, -2.0, 0.3, 7.0])
)

# Patterns of classes 1 0 1 0. Unit 0 prefers pattern 2 (class 1), 1 is silent, 2 and 3 prefer class 0.
ACTIVITY = np.array([[1.0, 0, 0, 1], [0, 0, 3, 0], [2, 0, 0, 0], [0, 0, 1, 2]])
LABELS = [1, 0, 1, 0]


@settings(deadline=None)
@given(MATRIX)
def test_cosines_are_those_of_scikit_learn(vectors: np.ndarray) -> None:
    np.testing.assert_allclose(cosine_similarity(vectors), cosine_of_sklearn(vectors), atol=1e-12)


@settings(deadline=None)
@given(MATRIX)
def test_a_similarity_matrix_is_symmetric_with_ones_on_the_diagonal(vectors: np.ndarray) -> None:
    matrix = cosine_similarity(vectors)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-15)
    np.testing.assert_allclose(np.diag(matrix), vectors.any(axis=1).astype(float), atol=1e-12)


def test_patterns_are_sorted_by_class_and_keep_their_order_inside() -> None:
    found = pattern_similarity(ACTIVITY, LABELS)
    assert found.order.tolist() == [1, 3, 0, 2]
    assert found.labels.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(found.matrix, cosine_of_sklearn(ACTIVITY[[1, 3, 0, 2]]))


def test_units_are_sorted_by_preferred_class_and_silent_ones_stand_last() -> None:
    found = unit_similarity(ACTIVITY, LABELS)
    assert found.order.tolist() == [2, 3, 0, 1]
    assert found.labels[:3].tolist() == [0, 0, 1]
    assert np.isnan(found.labels[3])
    np.testing.assert_allclose(found.matrix, cosine_of_sklearn(ACTIVITY.T[[2, 3, 0, 1]]))
    assert found.matrix[3].tolist() == [0, 0, 0, 0]


def test_output_units_keep_their_order() -> None:
    found = unit_similarity(ACTIVITY, LABELS, sort=False)
    assert found.order.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(found.labels, [1, np.nan, 0, 0])


def test_within_is_the_lower_triangle_of_a_class_and_between_all_others_by_its_columns() -> None:
    found = pattern_similarity(ACTIVITY, LABELS)
    m = found.matrix
    assert {label: values.tolist() for label, values in found.within().items()} == {0: [m[1, 0]], 1: [m[3, 2]]}
    between = found.between()
    assert between[0].tolist() == [m[2, 0], m[2, 1], m[3, 0], m[3, 1]]
    assert sorted(between[1]) == sorted(between[0])


def test_silent_units_are_others_to_every_class() -> None:
    found = unit_similarity(ACTIVITY, LABELS)
    assert {label: len(values) for label, values in found.within().items()} == {0: 1, 1: 0}
    assert {label: len(values) for label, values in found.between().items()} == {0: 4, 1: 3}


@pytest.mark.parametrize(
    ("activity", "labels", "message"),
    [
        (np.ones((2, 3, 4)), [0, 1], r"\(patterns, units\) of one replica"),
        (np.ones((2, 3)), [0, 1, 1], r"labels: found shape \(3,\); \(2,\) is needed"),
        (np.ones((2, 3)), [0, 0.5], "not whole"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(activity: np.ndarray, labels: list[float], message: str) -> None:
    with pytest.raises(UserError, match=message):
        pattern_similarity(activity, labels)
