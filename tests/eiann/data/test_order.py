"""The order of samples is the one of the published runs, number by number."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader, TensorDataset

from eiann.data import sample_order
from eiann.errors import UserError


@pytest.mark.parametrize(
    ("n", "start"),
    [
        (5600, [4214, 4053, 4509, 5022, 2851, 1596]),
        (50000, [11814, 30217, 3279, 40689, 27463, 9486]),
        (12, [6, 5, 1, 9, 11, 7, 0, 8, 4, 2, 10, 3]),
    ],
)
def test_recorded_orders_of_seed_257(n: int, start: list[int]) -> None:
    assert sample_order(n, 257)[: len(start)].tolist() == start


def order_of_a_loader(n: int, seed: int, steps_per_epoch: int, epochs: int) -> list[int]:
    """What a training loop over a shuffling loader sees; it stops *after* it was handed one sample too many."""
    generator = torch.Generator()
    loader = DataLoader(TensorDataset(torch.arange(n)), batch_size=1, shuffle=True, generator=generator)
    generator.manual_seed(seed)
    seen = []
    for _ in range(epochs):
        for step, (index,) in enumerate(loader):
            if step >= steps_per_epoch:
                break
            seen.append(int(index))
    return seen


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 12), seed=st.integers(0, 2**31 - 1), steps=st.integers(1, 15), epochs=st.integers(1, 4))
def test_the_order_is_that_of_a_shuffling_loader(n: int, seed: int, steps: int, epochs: int) -> None:
    assert sample_order(n, seed, steps, epochs).tolist() == order_of_a_loader(n, seed, steps, epochs)


def test_a_pass_that_was_cut_short_changes_the_next_one() -> None:
    whole, cut = sample_order(10, 3, 10, 2), sample_order(10, 3, 9, 2)
    assert whole[:9].tolist() == cut[:9].tolist()
    assert whole[10:19].tolist() != cut[9:].tolist()


def test_each_pass_has_every_sample_once() -> None:
    order = sample_order(7, 1, epochs=3)
    for epoch in order.reshape(3, 7):
        assert sorted(epoch.tolist()) == list(range(7))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.get_rng_state()
    sample_order(100, 5, 50, 3)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("arguments", "found"), [((0, 1), "0 samples"), ((4, 1, 0), "0 steps"), ((4, 1, 2, 0), "0 ep")]
)
def test_nothing_to_train_on_is_an_error(arguments: tuple[int, ...], found: str) -> None:
    with pytest.raises(UserError, match=found):
        sample_order(*arguments)
