"""Receptive fields: Moran's I as the sum over pixels and neighbours, and the mean gradient of a unit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.signal import convolve2d

from eiann.errors import UserError
from eiann.metrics import activation_maximization, field_structure, morans_i

KERNEL = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])


@settings(deadline=None)
@given(hnp.arrays(np.float64, (3, 4, 5), elements=st.integers(-5, 5).map(float)))
def test_morans_i_is_its_sum_over_pixels_and_neighbours(images: np.ndarray) -> None:
    found = morans_i(images.reshape(3, 20), (4, 5))
    for value, image in zip(found, images, strict=True):
        z = image - image.mean()
        if np.ptp(image) == 0:
            assert np.isnan(value)
        else:
            expected = 20 / (8 * 20) * (z * convolve2d(z, KERNEL, mode="same")).sum() / (z**2).sum()
            assert value == pytest.approx(expected, abs=1e-12)


def test_smooth_fields_have_structure_and_noise_has_none() -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 28), np.linspace(-2, 2, 28))
    patch = np.exp(-(x**2) - y**2).reshape(-1)
    noise = np.random.default_rng(0).normal(size=784)
    found = field_structure(np.stack((patch, noise)))
    assert found[0] > 0.9
    assert found[1] < 0.1


def test_a_checkerboard_is_negative_and_its_structure_positive() -> None:
    stripes = np.tile([1.0, -1.0], (6, 3)).reshape(-1)
    board = stripes.reshape(6, 6) * np.where(np.arange(6) % 2, -1, 1)[:, None]
    value = float(morans_i(board.reshape(-1), (6, 6)))
    assert value < 0
    assert float(field_structure(board.reshape(-1), (6, 6))) == -value


def test_a_silent_or_constant_field_has_no_value() -> None:
    assert np.isnan(morans_i(np.zeros((2, 784)))).all()
    assert np.isnan(morans_i(np.full(784, 0.1)))


def test_pixels_must_fill_the_image() -> None:
    with pytest.raises(UserError, match="found 100 pixels; an image of 28 x 28 has 784"):
        morans_i(np.zeros(100))


def test_the_field_is_the_mean_of_gradients_and_one_faint_image() -> None:
    inputs = torch.arange(10.0)[:, None].expand(10, 3).contiguous()
    seen = []

    def gradient(images: torch.Tensor) -> torch.Tensor:
        seen.extend(images[:, 0].tolist())
        return torch.stack((images, -images), dim=1)

    fields = activation_maximization(gradient, inputs, samples=7, batch=3, seed=1)
    assert fields.shape == (2, 3)
    assert len(seen) == 7
    first = fields * 8 - torch.tensor([[1.0], [-1.0]]) * sum(seen)
    assert float(first.abs().max()) <= 0.01 + 1e-5
    assert float(first.std()) > 1e-4


def test_fields_do_not_depend_on_the_batch_but_on_the_seed() -> None:
    inputs = torch.rand(20, 4)

    def gradient(images: torch.Tensor) -> torch.Tensor:
        return images[:, None].double() ** 2

    first, second = (activation_maximization(gradient, inputs, samples=30, batch=size) for size in (4, 30))
    torch.testing.assert_close(first, second)
    assert not torch.allclose(first, activation_maximization(gradient, inputs, samples=30, seed=1))


def test_the_field_of_a_relu_unit_points_along_its_weights() -> None:
    weights = torch.tensor([[3.0, 0.0], [0.0, -1.0]])

    def gradient(images: torch.Tensor) -> torch.Tensor:
        images = images.clone().requires_grad_()
        active = torch.relu(images @ weights.T)
        return torch.stack([torch.autograd.grad(active[:, u].sum(), images, retain_graph=True)[0] for u in (0, 1)], 1)

    fields = activation_maximization(gradient, torch.rand(50, 2), samples=400)
    torch.testing.assert_close(fields, torch.tensor([[3.0, 0.0], [0.0, 0.0]]), atol=0.01, rtol=0)


def test_replicas_keep_their_axis() -> None:
    fields = activation_maximization(lambda images: images[:, None, None].expand(-1, 2, 5, -1), torch.rand(6, 4))
    assert fields.shape == (2, 5, 4)


@pytest.mark.parametrize(("inputs", "samples"), [(torch.rand(3, 1, 2, 2), 5), (torch.rand(3, 4), 0)])
def test_wrong_input_is_refused(inputs: torch.Tensor, samples: int) -> None:
    with pytest.raises(UserError, match=r"\(n, features\) and positive counts are needed"):
        activation_maximization(lambda images: images, inputs, samples=samples)
    with pytest.raises(UserError, match=r"found gradients \(3,\)|found gradients"):
        activation_maximization(lambda images: images[:, :2], torch.rand(3, 4), samples=3)
