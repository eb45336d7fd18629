"""Sparsity, selectivity and discriminability have the values of their definitions and their known limits."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.distance import pdist, squareform

from eiann.errors import UserError
from eiann.metrics import discriminability, selectivity, sparsity

ACTIVITY = hnp.arrays(
    np.float64, st.tuples(st.integers(2, 6), st.integers(2, 6)), elements=st.floats(0, 10).map(lambda x: round(x, 3))
)


def test_sparsity_of_one_pattern_by_hand() -> None:
    # N = 4: sum 6, squares 14: (1 - 2.25 / 3.5) / 0.75
    assert sparsity([[1.0, 2.0, 3.0, 0.0]])[0] == pytest.approx((1 - 2.25 / 3.5) / 0.75, abs=1e-9)


def test_selectivity_of_one_unit_by_hand() -> None:
    assert selectivity([[1.0], [3.0]])[0] == pytest.approx((1 - 4 / 5) / 0.5)


@settings(deadline=None)
@given(ACTIVITY)
def test_values_lie_between_0_and_1_for_rates(activity: np.ndarray) -> None:
    for values, shape in ((sparsity(activity), (len(activity),)), (selectivity(activity), (activity.shape[1],))):
        assert values.shape == shape
        assert (values > -1e-9).all()
        assert (values < 1 + 1e-3).all()  # the small number lifts the sparsity of a faint pattern


@settings(deadline=None)
@given(ACTIVITY, st.floats(0.1, 50), st.randoms())
def test_scale_and_order_do_not_matter(activity: np.ndarray, scale: float, random) -> None:
    units = list(range(activity.shape[1]))
    random.shuffle(units)
    np.testing.assert_allclose(selectivity(scale * activity[:, units]), selectivity(activity)[units], atol=1e-9)
    # The small number in the denominator of sparsity is felt by tiny activities only.
    strong = activity + (activity > 0)
    np.testing.assert_allclose(sparsity(scale * strong[:, units]), sparsity(strong), atol=1e-6)


def test_selectivity_is_sparsity_of_the_transpose_but_for_the_small_number() -> None:
    activity = np.random.default_rng(1).random((5, 7))
    np.testing.assert_allclose(selectivity(activity), sparsity(activity.T), atol=1e-8)


def test_limits_equal_alone_and_silent() -> None:
    activity = np.zeros((3, 4))
    activity[0] = 0.7
    activity[1, 2] = 5.0
    np.testing.assert_allclose(sparsity(activity), [0, 1, 0], atol=1e-9)
    assert selectivity([[0.0, 2.0, 0.0], [0.0, 2.0, 3.0]]).tolist() == [0, 0, 1]


@settings(deadline=None)
@given(ACTIVITY)
def test_discriminability_is_the_cosine_distance_of_scipy(activity: np.ndarray) -> None:
    rows, columns = np.tril_indices(len(activity), -1)
    active = activity.any(axis=1)
    expected = squareform(pdist(activity[active], "cosine")) if active.sum() > 1 else np.zeros((1, 1))
    full = np.zeros((len(activity), len(activity)))
    full[np.ix_(active, active)] = expected
    np.testing.assert_allclose(discriminability(activity), full[rows, columns], atol=1e-7)


def test_a_silent_pattern_cannot_be_told_from_any_other() -> None:
    assert discriminability([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]).tolist() == [0, 1, 0]


def test_replicas_are_measured_one_by_one() -> None:
    activity = torch.rand(3, 5, 4)
    for measure in (sparsity, selectivity, discriminability):
        together = measure(activity)
        for replica in range(3):
            np.testing.assert_allclose(together[replica], measure(activity[replica]), atol=1e-12)


def test_a_tensor_that_carries_a_gradient_is_taken() -> None:
    assert sparsity(torch.ones(2, 3, requires_grad=True)).tolist() == pytest.approx([0, 0], abs=1e-9)


def test_too_small_input_is_refused() -> None:
    with pytest.raises(UserError, match="1 units; at least 2"):
        sparsity([[1.0], [2.0]])
    with pytest.raises(UserError, match="1 patterns; at least 2"):
        selectivity([[1.0, 2.0]])
    with pytest.raises(UserError, match=r"activity: found shape \(3,\)"):
        sparsity([1.0, 2.0, 3.0])
