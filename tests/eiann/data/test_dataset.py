"""A data set holds samples that a network can be trained on, or says at once why it cannot."""

import pytest
import torch

from eiann.data import Dataset, DataSets, one_hot
from eiann.errors import UserError


def tiny(n: int = 6, features: int = 2, classes: int = 3, name: str = "tiny") -> Dataset:
    return Dataset(torch.rand(n, features), one_hot(torch.arange(n) % classes, classes), name)


def test_labels_are_the_classes_of_the_targets() -> None:
    data = tiny()
    assert data.labels.tolist() == [0, 1, 2, 0, 1, 2]
    assert (len(data), data.classes) == (6, 3)
    assert data.targets.dtype == torch.float32


def test_first_keeps_samples_and_targets_together() -> None:
    data = tiny()
    part = data.first(4)
    assert torch.equal(part.inputs, data.inputs[:4])
    assert torch.equal(part.targets, data.targets[:4])


@pytest.mark.parametrize("count", [0, -1, 7])
def test_first_refuses_a_count_that_is_not_there(count: int) -> None:
    with pytest.raises(UserError, match=r"samples 1 to 6"):
        tiny().first(count)


@pytest.mark.parametrize(
    ("inputs", "targets", "found"),
    [
        (torch.zeros(3, 2), torch.eye(2), r"inputs \(3, 2\) and targets \(2, 2\)"),
        (torch.zeros(3), torch.eye(3), r"inputs \(3,\)"),
        (torch.zeros(2, 2), torch.zeros(2), r"targets \(2,\)"),
        (torch.zeros(0, 2), torch.zeros(0, 2), "no samples"),
        (torch.zeros(2, 2, dtype=torch.float64), torch.eye(2), r"torch\.float64"),
        (torch.zeros(2, 2), torch.eye(2, dtype=torch.int64), r"torch\.int64"),
        (torch.tensor([[0.0], [float("nan")]]), torch.eye(2), "NaN or infinite"),
        (torch.zeros(2, 2), torch.ones(2, 2), "not one-hot"),
        (torch.zeros(2, 2), torch.zeros(2, 2), "not one-hot"),
        (torch.zeros(2, 2), torch.full((2, 2), 0.5), "not one-hot"),
    ],
)
def test_wrong_tensors_are_refused_with_what_was_found(inputs: torch.Tensor, targets: torch.Tensor, found: str) -> None:
    with pytest.raises(UserError, match=found) as error:
        Dataset(inputs, targets, "wrong")
    assert "\n" not in str(error.value)
    assert "'wrong'" in str(error.value)


def test_parts_must_have_the_same_kind_of_samples() -> None:
    with pytest.raises(UserError, match=r"'b': found samples \(4,\) in 3 classes; 'a' has \(2,\) in 3"):
        DataSets(tiny(name="a"), tiny(features=4, name="b"), tiny())
    with pytest.raises(UserError, match="in 2 classes"):
        DataSets(tiny(), tiny(), tiny(classes=2))


def test_parts_are_iterated_in_the_order_of_use() -> None:
    parts = [tiny(name=name) for name in "abc"]
    assert [part.name for part in DataSets(*parts)] == ["a", "b", "c"]


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
def test_one_hot_refuses_a_class_that_is_not_there(labels: list[int]) -> None:
    with pytest.raises(UserError, match="they go from 0 to 2"):
        one_hot(torch.tensor(labels), 3)
