"""Participation ratios count directions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from eiann.errors import UserError
from eiann.metrics import (
    cosine_similarity,
    covariance_dimensionality,
    participation_ratio,
    similarity_dimensionality,
)


@settings(deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=8))
def test_a_ratio_lies_between_1_and_the_number_of_values(values: list[float]) -> None:
    ratio = float(participation_ratio(values))
    assert 1 - 1e-9 <= ratio <= len(values) + 1e-9
    assert float(participation_ratio([3 * value for value in values])) == pytest.approx(ratio)


@pytest.mark.parametrize("directions", [1, 3, 5])
def test_equal_independent_directions_are_counted(directions: int) -> None:
    assert float(similarity_dimensionality(np.eye(directions))) == pytest.approx(directions)
    activity = np.vstack((np.eye(directions), -np.eye(directions)))
    assert float(covariance_dimensionality(activity)) == pytest.approx(directions)


@pytest.mark.parametrize("shape", [(30, 6), (6, 30)])
def test_covariance_variant_agrees_with_pca(shape: tuple[int, int]) -> None:
    activity = np.random.default_rng(2).normal(size=shape) @ np.diag(np.linspace(0.2, 2, shape[1]))
    variance = PCA().fit(activity).explained_variance_
    assert float(covariance_dimensionality(activity)) == pytest.approx(float(participation_ratio(variance)), rel=1e-9)


def test_similarity_variant_takes_the_symmetric_part_and_positive_values_only() -> None:
    assert float(similarity_dimensionality([[1.0, 2.0], [0.0, 1.0]])) == pytest.approx(1.0)  # eigenvalues 2 and 0
    assert float(similarity_dimensionality([[1.0, 0.0], [0.0, -4.0]])) == pytest.approx(1.0)


def test_silent_and_constant_activity_has_no_dimension() -> None:
    assert float(similarity_dimensionality(cosine_similarity(np.zeros((4, 3))))) == 0
    assert float(covariance_dimensionality(np.full((7, 3), 0.1))) == 0


def test_replicas_are_measured_one_by_one() -> None:
    activity = np.random.default_rng(1).random((2, 5, 4))
    np.testing.assert_allclose(
        covariance_dimensionality(activity), [float(covariance_dimensionality(one)) for one in activity]
    )


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UserError, match="square"):
        similarity_dimensionality(np.ones((2, 3)))
    with pytest.raises(UserError, match="1 patterns"):
        covariance_dimensionality(np.ones((1, 3)))
