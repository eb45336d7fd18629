"""What every data set is: inputs, one-hot targets, and three parts of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eiann.errors import UserError


@dataclass(frozen=True, eq=False)
class Dataset:
    """Samples with their classes.

    Args:
        inputs: ``(n, ...)`` float32; ``(n, features)`` for vectors, ``(n, channels, height, width)`` for images.
        targets: ``(n, classes)`` float32, one-hot.
        name: what the samples are, for messages and plots, e.g. ``"spiral/train"``.

    Raises:
        UserError: shapes that do not fit, a type other than float32, values that are not finite, targets not one-hot.

    Example:
        >>> data = Dataset(torch.zeros(3, 2), one_hot(torch.tensor([0, 1, 1]), classes=2), "tiny")
        >>> len(data), data.classes, data.labels.tolist()
        (3, 2, [0, 1, 1])
    """

    inputs: Tensor
    targets: Tensor
    name: str = ""

    def __post_init__(self) -> None:
        inputs, targets = self.inputs, self.targets
        label = f"data set {self.name!r}: "
        if inputs.ndim < 2 or targets.ndim != 2 or len(inputs) != len(targets):
            raise UserError(
                f"{label}found inputs {tuple(inputs.shape)} and targets {tuple(targets.shape)}; "
                "inputs are (n, ...) and targets (n, classes) with the same n"
            )
        if not len(inputs):
            raise UserError(f"{label}found no samples; at least one is needed")
        if inputs.dtype != torch.float32 or targets.dtype != torch.float32:
            raise UserError(f"{label}found inputs {inputs.dtype} and targets {targets.dtype}; both are torch.float32")
        if not bool(torch.isfinite(inputs).all()):
            raise UserError(f"{label}found inputs that are NaN or infinite; all inputs are finite numbers")
        binary = bool(((targets == 0) | (targets == 1)).all())
        if not binary or not bool((targets.sum(1) == 1).all()):
            raise UserError(f"{label}found targets that are not one-hot; each row has a single 1 and else 0")

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def classes(self) -> int:
        """Number of classes, counted from the targets' columns."""
        return self.targets.shape[1]

    @property
    def labels(self) -> Tensor:
        """Class of each sample, ``(n,)`` int64."""
        return self.targets.argmax(1)

    def first(self, count: int) -> Dataset:
        """The first ``count`` samples, as a view.

        Raises:
            UserError: if there are fewer than ``count``, or ``count`` is not positive.
        """
        if not 0 < count <= len(self):
            raise UserError(f"data set {self.name!r}: found a limit of {count}; it has samples 1 to {len(self)}")
        return replace(self, inputs=self.inputs[:count], targets=self.targets[:count])


@dataclass(frozen=True, eq=False)
class DataSets:
    """The three parts of a task: trained on, selected on, reported on.

    ``caution`` is what a reader of results must know about these parts, such as "validation and test are the same
    points"; None if there is nothing. It is printed with results, never raised.

    Raises:
        UserError: if the parts differ in the shape of a sample or in the number of classes.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    caution: str | None = None

    def __post_init__(self) -> None:
        for part in (self.validation, self.test):
            if part.inputs.shape[1:] != self.train.inputs.shape[1:] or part.classes != self.train.classes:
                raise UserError(
                    f"data set {part.name!r}: found samples {tuple(part.inputs.shape[1:])} in {part.classes} classes; "
                    f"{self.train.name!r} has {tuple(self.train.inputs.shape[1:])} in {self.train.classes}"
                )

    def __iter__(self) -> Iterator[Dataset]:
        return iter((self.train, self.validation, self.test))


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """One-hot targets ``(n, classes)`` float32 of the class numbers ``labels``, ``(n,)`` int64.

    Raises:
        UserError: if a class number is not in 0 .. classes-1.
    """
    if labels.numel() and not (int(labels.min()) >= 0 and int(labels.max()) < classes):
        raise UserError(
            f"found class numbers from {int(labels.min())} to {int(labels.max())}; they go from 0 to {classes - 1}"
        )
    return torch.nn.functional.one_hot(labels, classes).to(torch.float32)
