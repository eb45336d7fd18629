"""From bytes of images and class numbers to the three parts of a data set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from eiann.data.dataset import Dataset, DataSets, one_hot
from eiann.errors import UserError

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Images:
    """Images as they are published: pixels ``(n, channels, height, width)`` and class numbers ``(n,)``, all bytes."""

    pixels: Bytes
    labels: Bytes
    source: str

    def __post_init__(self) -> None:
        if len(self.pixels) != len(self.labels):
            raise UserError(f"{self.source}: found {len(self.pixels)} images and {len(self.labels)} labels")


def split_images(
    name: str,
    training: Images,
    test: Images,
    *,
    classes: int,
    train_size: int,
    validation_size: int,
    flatten: bool,
    validation_inside_training: bool = False,
) -> DataSets:
    """Train on the first ``train_size`` of the training file, validate on its last ``validation_size``.

    Pixels are divided by 255. ``flatten`` gives inputs ``(n, channels * height * width)``, channel first, else
    ``(n, channels, height, width)``.

    Args:
        validation_inside_training: validate on the last ``validation_size`` of the *training samples* instead, as one
            helper of the published work did.

    Raises:
        UserError: if the training file has too few images for both parts.
    """
    found = len(training.labels)
    needed = train_size if validation_inside_training else train_size + validation_size
    if found < needed or validation_size > found:
        raise UserError(
            f"data set {name!r}: found {found} images in {training.source}; train_size {train_size} and "
            f"validation_size {validation_size} need {needed}"
        )

    def part(images: Images, which: slice, label: str) -> Dataset:
        pixels = torch.from_numpy(images.pixels[which].astype(np.float32)).div_(255.0)
        labels = torch.from_numpy(images.labels[which].astype(np.int64))
        return Dataset(pixels.flatten(1) if flatten else pixels, one_hot(labels, classes), f"{name}/{label}")

    end = train_size if validation_inside_training else found
    return DataSets(
        part(training, slice(0, train_size), "train"),
        part(training, slice(end - validation_size, end), "validation"),
        part(test, slice(None), "test"),
        "validation samples are among the training samples" if validation_inside_training else None,
    )
