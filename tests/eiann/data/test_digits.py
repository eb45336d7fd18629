"""Digits: the 1,797 samples of scikit-learn, each in exactly one part."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from eiann.data import load


def test_every_sample_is_in_one_part_with_its_own_label() -> None:
    data = load("digits")
    assert [len(part) for part in data] == [1197, 300, 300]
    pixels, labels = load_digits(return_X_y=True)
    rows = np.concatenate([np.column_stack((part.inputs.numpy() * 16, part.labels.numpy())) for part in data])
    expected = np.column_stack((pixels, labels))
    assert np.array_equal(rows[np.lexsort(rows.T)], expected[np.lexsort(expected.T)])


def test_pixels_go_from_0_to_1_and_all_classes_are_in_all_parts() -> None:
    for part in load("digits"):
        assert (float(part.inputs.min()), float(part.inputs.max())) == (0.0, 1.0)
        assert part.labels.bincount().min() >= 15


@pytest.mark.parametrize("seed", [0, 1])
def test_the_split_depends_on_its_seed_only(seed: int) -> None:
    first = load("digits", seed=seed)
    torch.manual_seed(1)
    assert torch.equal(first.test.inputs, load("digits", seed=seed).test.inputs)
    assert not torch.equal(first.test.inputs, load("digits", seed=seed + 1).test.inputs)


def test_images_are_the_same_pixels_unflattened() -> None:
    flat, images = load("digits").train, load("digits", flatten=False).train
    assert images.inputs.shape == (1197, 1, 8, 8)
    assert torch.equal(images.inputs.flatten(1), flat.inputs)
