"""The spiral is the one of the published runs, point by point; with separate sets it is also a fair test."""

import math

import pytest
import torch

from eiann.data import load, spiral, spiral_points
from eiann.data.spiral import POSITIVE_OFFSET


def sums(inputs: torch.Tensor) -> list[float]:
    return inputs.double().sum(0).tolist()


def test_training_points_of_the_reference() -> None:
    train = load("spiral").train
    assert train.inputs.shape == (5600, 2)
    assert train.inputs[0].tolist() == [0.0, 0.0]
    assert train.inputs[1].tolist() == [-0.00013018731260672212, 0.0007115866173990071]
    assert train.inputs[2].tolist() == [-5.0895483582280576e-05, 0.0015136833535507321]
    assert train.inputs[1401].tolist() == pytest.approx([0.00095912040, -0.00025254965], rel=1e-7)
    assert train.inputs[-1].tolist() == [1.0417444705963135, -0.07307082414627075]
    assert sum(sums(train.inputs)) == pytest.approx(-15.644807867, abs=1e-8)
    assert train.labels.tolist() == [arm for arm in range(4) for _ in range(1400)]


def test_reference_validation_and_test_are_the_same_points_and_it_says_so() -> None:
    data = load("spiral")
    assert data.validation.inputs.shape == (1200, 2)
    assert torch.equal(data.validation.inputs, data.test.inputs)
    assert sums(data.validation.inputs) == pytest.approx([1.0984850625827676, 2.686803537488231], abs=1e-9)
    assert data.caution is not None
    assert "identical" in data.caution


def test_separate_sets_share_no_point_beside_the_centre() -> None:
    data = load("spiral", protocol="separate")
    assert sums(data.validation.inputs) == pytest.approx([5.456154870043974, 0.9274096082517644], abs=1e-9)
    assert sums(data.test.inputs) == pytest.approx([2.7056230112939375, 5.284445777673682], abs=1e-9)
    points = [{tuple(point) for point in part.inputs.tolist()} for part in data]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert points[one] & points[other] == {(0.0, 0.0)}
    assert data.caution is None


def test_training_points_are_the_same_in_both_protocols() -> None:
    assert torch.equal(load("spiral").train.inputs, load("spiral", protocol="separate").train.inputs)


def test_positive_inputs_are_positive_and_only_shifted() -> None:
    shifted, plain = load("spiral", positive_inputs=True).train, load("spiral").train
    assert float(shifted.inputs.min()) > 0
    torch.testing.assert_close(shifted.inputs - POSITIVE_OFFSET, plain.inputs, atol=1e-6, rtol=0)


def test_without_noise_the_points_lie_on_the_arms() -> None:
    points = spiral_points(11, arms=3, noise=0.0)
    u = torch.linspace(0, 1, 11)
    for arm in range(3):
        x, y = points.inputs[points.labels == arm].T
        torch.testing.assert_close(torch.hypot(x, y), u, atol=1e-6, rtol=0)
        angle = torch.atan2(x, y)[1:]
        expected = 2 * math.pi / 3 * (2 * u[1:] + arm)
        torch.testing.assert_close(torch.cos(angle), torch.cos(expected), atol=1e-6, rtol=0)


def test_noise_grows_outwards_with_the_given_deviation() -> None:
    noisy, clean = spiral_points(4000, noise=0.5, seed=4), spiral_points(4000, noise=0.0)
    off = (noisy.inputs - clean.inputs).reshape(4, 4000, 2)
    u = torch.linspace(0, 1, 4000)
    scaled = off[:, 1:] / u[1:, None]
    assert float(scaled.std()) == pytest.approx(0.5, rel=0.02)
    assert float(off[:, :400].std()) < 0.15 * float(off[:, -400:].std())


@pytest.mark.parametrize(("points", "parts"), [(2000, [1400, 300, 300]), (90, [62, 13, 13]), (7, [4, 1, 1])])
def test_parts_are_cut_as_published_ones_were(points: int, parts: list[int]) -> None:
    data = spiral(points_per_arm=points, arms=2)
    assert [len(part) for part in data] == [2 * part for part in parts]


def test_seed_moves_all_parts() -> None:
    data = load("spiral", protocol="separate", seed=1)
    assert torch.equal(data.train.inputs[:1], torch.zeros(1, 2))
    assert torch.equal(data.validation.inputs, load("spiral", protocol="separate").test.inputs)


def test_the_global_generator_is_neither_used_nor_moved() -> None:
    before = torch.get_rng_state()
    first = load("spiral").train.inputs
    torch.manual_seed(1)
    assert torch.equal(first, load("spiral").train.inputs)
    torch.set_rng_state(before)
    load("spiral")
    assert torch.equal(before, torch.get_rng_state())
