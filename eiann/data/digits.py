"""Small handwritten digits that come with scikit-learn: a real image task without any download."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field

from eiann.data.dataset import Dataset, DataSets, one_hot
from eiann.data.registry import register

_VALIDATION = 300
_TEST = 300


@register("digits")
def digits(*, flatten: bool = True, seed: Annotated[int, Field(ge=0)] = 0) -> DataSets:
    """Handwritten digits of 8 x 8 pixels (Alpaydin and Kaynak 1998), 1,797 in all: 1,197 / 300 / 300.

    The samples are shuffled once with ``seed``, then cut in this order: the original order goes by writer, so that
    parts cut from it would come from different people.

    Args:
        flatten: inputs ``(n, 64)``; otherwise ``(n, 1, 8, 8)``. Pixels go from 0 to 1 in steps of 1/16.
        seed: of the split, not of training.
    """
    from sklearn.datasets import load_digits

    pixels, numbers = load_digits(return_X_y=True)
    shuffled = torch.randperm(len(pixels), generator=torch.Generator().manual_seed(seed))
    inputs = torch.from_numpy(pixels).to(torch.float32).div_(16.0)[shuffled]
    targets = one_hot(torch.from_numpy(numbers).to(torch.int64)[shuffled], classes=10)
    if not flatten:
        inputs = inputs.reshape(-1, 1, 8, 8)
    end = len(inputs) - _TEST
    start = end - _VALIDATION
    return DataSets(
        Dataset(inputs[:start], targets[:start], "digits/train"),
        Dataset(inputs[start:end], targets[start:end], "digits/validation"),
        Dataset(inputs[end:], targets[end:], "digits/test"),
    )
