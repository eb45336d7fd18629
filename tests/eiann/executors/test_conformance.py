"""Every executor gives the numbers of the torch executor, for random networks and for published ones.

The golden traces of ``tests/test_parity.py`` are the other half of the suite: they too run on every executor.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings

from eiann import Network
from optimize.space import SearchSpace
from search_spaces import catalogue
from tests.eiann.executors.random_networks import config_of, image_networks, networks, orders, samples
from tests.eiann.executors.subjects import (
    REFERENCE,
    Subject,
    assert_close,
    assert_same,
    covers,
    evaluated,
    is_close,
    nudge_weights,
    run,
    spread,
    subjects,
)

OTHERS = pytest.mark.parametrize("subject", subjects(with_torch=False))
ALL = pytest.mark.parametrize("subject", subjects(with_torch=True))
SAMPLES = 6
#: One of each kind of rule; the long test takes all of them.
SOME = (
    "spiral/dendritic_target_propagation",
    "spiral/dale_backprop",
    "mnist/btsp",
    "mnist/temporal_contrast",
    "mnist/supervised_bcm",
)


def built(subject: Subject, tree: dict[str, Any], seeds: list[int], dtype: torch.dtype) -> Network:
    return subject.network(config_of(tree), seeds, dtype)


def check_random(subject: Subject, dtype: torch.dtype, tree: dict[str, Any]) -> None:
    network = built(subject, tree, [3, 4], dtype)
    assume(covers(subject, network))
    steps = 4 if dtype == torch.float64 else 2
    reference = built(REFERENCE, tree, [3, 4], dtype)
    data, order = samples(reference, SAMPLES), orders(2, steps, SAMPLES)
    expected, found = run(REFERENCE, reference, data, order), run(subject, network, data, order)
    assume(expected.finite)
    for replica in range(2):
        assert_close(expected.replica(replica), found.replica(replica), dtype)
    inputs = samples(reference, 7, seed=8).inputs
    assert_close(evaluated(REFERENCE, reference, inputs), evaluated(subject, network, inputs), dtype)


@OTHERS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@settings(max_examples=30)
@given(tree=networks())
def test_a_random_network_learns_what_it_learns_in_torch(
    subject: Subject, dtype: torch.dtype, tree: dict[str, Any]
) -> None:
    check_random(subject, dtype, tree)


@OTHERS
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@settings(max_examples=12)
@given(tree=image_networks())
def test_a_random_network_of_images_learns_what_it_learns_in_torch(
    subject: Subject, dtype: torch.dtype, tree: dict[str, Any]
) -> None:
    check_random(subject, dtype, tree)


@ALL
@settings(max_examples=8)
@given(tree=networks())
def test_a_replica_in_a_batch_is_the_same_as_alone(subject: Subject, tree: dict[str, Any]) -> None:
    together = built(subject, tree, [3, 4, 5], torch.float32)
    assume(covers(subject, together) and subject.same_bits)
    data, order = samples(together, SAMPLES), orders(3, 5, SAMPLES)
    batched = run(subject, together, data, order)
    for replica, seed in enumerate([3, 4, 5]):
        alone = run(subject, built(subject, tree, [seed], torch.float32), data, order[replica : replica + 1])
        assert_same(alone.replica(0), batched.replica(replica))


@ALL
@settings(max_examples=8)
@given(tree=networks())
def test_blocks_do_not_change_a_run(subject: Subject, tree: dict[str, Any]) -> None:
    first, second = (built(subject, tree, [3, 4], torch.float32) for _ in range(2))
    assume(covers(subject, first))
    data, order = samples(first, SAMPLES), orders(2, 7, SAMPLES)
    whole, cut = run(subject, first, data, order), run(subject, second, data, order, blocks=(1, 4))
    for replica in range(2):
        assert_same(whole.replica(replica), cut.replica(replica))


@ALL
@settings(max_examples=8)
@given(tree=networks())
def test_a_replica_among_larger_ones_keeps_its_numbers(subject: Subject, tree: dict[str, Any]) -> None:
    sizes = [tree["layer_config"]["H1"]["E"]["size"] + more for more in (0, 5)]
    layers = tree["layer_config"]
    trees = [
        {**tree, "layer_config": {**layers, "H1": {**layers["H1"], "E": {**layers["H1"]["E"], "size": n}}}}
        for n in sizes
    ]
    configs = [config_of(each) for each in trees]
    ragged = subject.network(configs, [3, 4], torch.float64)
    assume(covers(subject, ragged))
    data, order = samples(ragged, SAMPLES), orders(2, 3, SAMPLES)
    batched = run(subject, ragged, data, order)
    for replica in range(2):
        alone = run(
            subject, built(subject, trees[replica], [3 + replica], torch.float64), data, order[replica : replica + 1]
        )
        assume(alone.finite)
        own = {
            name: value[tuple(slice(0, n) for n in alone.replica(0)[name].shape)]
            for name, value in batched.replica(replica).items()
        }
        assert_close(alone.replica(0), own, torch.float64)


def check_published(subject: Subject, name: str) -> None:
    space = SearchSpace.load(name)
    point = space.starting_points.get("optimized") or space.starting_points["x0"]
    config = space.apply(dict(point.params))
    if not covers(subject, subject.network(config, [66049], torch.float32)):
        pytest.skip(f"{subject.executor} leaves it to torch")

    def trained(who: Subject, dtype: torch.dtype, nudge: int | None = None) -> dict[str, torch.Tensor]:
        network = who.network(config, [66049], dtype)
        if nudge is not None:
            nudge_weights(network, nudge)
        return run(who, network, samples(network, SAMPLES), orders(1, 3, SAMPLES)).replica(0)

    assert_close(trained(REFERENCE, torch.float64), trained(subject, torch.float64), torch.float64)
    expected, found = trained(REFERENCE, torch.float32), trained(subject, torch.float32)
    if not is_close(expected, found, torch.float32):
        # Some of these networks amplify what a weight is rounded by, whoever rounds.
        others = [trained(REFERENCE, torch.float32, nudge) for nudge in range(6)]
        assert_close(expected, found, torch.float32, rounding=spread(expected, others, times=8))


@OTHERS
@pytest.mark.parametrize("name", SOME)
def test_a_published_network_learns_what_it_learns_in_torch(subject: Subject, name: str) -> None:
    check_published(subject, name)


@OTHERS
@pytest.mark.long
@pytest.mark.parametrize("name", [entry.name for entry in catalogue()])
def test_every_published_network_learns_what_it_learns_in_torch(subject: Subject, name: str) -> None:
    check_published(subject, name)
