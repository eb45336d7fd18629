"""What is recorded never waits for the device, and no shape in it depends on data.

The steps run on the device ``meta``, whose tensors have shapes but no numbers: whatever would have to look at a number
fails there. Beside that, every operation is written down and held against a list, and so is the device of what it reads
and makes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import eiann
from eiann.executors.cuda.evaluation import RecordedEvaluation
from eiann.executors.cuda.recording import Repeater
from eiann.executors.cuda.session import RecordedSession
from tests.eiann import tiny
from tests.eiann.executors.cuda.cases import NETWORKS, built, samples, shortened, watched

#: Operations that hand a number to the host, or whose result has as many entries as the data say.
WAITING = (
    "_local_scalar_dense", "item", "nonzero", "masked_select", "unique", "_unique2", "is_nonzero", "equal",
    "bernoulli", "multinomial", "repeat_interleave.Tensor", "bincount", "masked_scatter",
)  # fmt: skip


class Written(TorchDispatchMode):
    """Writes down each operation with the shapes of its results; refuses those that wait."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device
        self.operations: list[tuple[str, tuple[tuple[int, ...], ...]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.__name__
        assert name.split(".")[0] not in WAITING, f"{name} waits for the device"
        assert name not in WAITING, f"{name} waits for the device"
        if name.startswith(("index.", "index_put")):
            masks = [i for i in args[1] if isinstance(i, Tensor) and i.dtype == torch.bool]
            assert not masks, f"{name} with a mask waits for the device"
        for given in tree_leaves((args, kwargs)):
            if isinstance(given, Tensor):
                assert given.device.type == self.device, f"{name} brings something from {given.device}"
        results = func(*args, **(kwargs or {}))
        found = [r for r in tree_leaves(results) if isinstance(r, Tensor)]
        for result in found:
            assert result.device.type == self.device, f"{name} brings something to {result.device}"
        self.operations.append((name, tuple(tuple(r.shape) for r in found)))
        return results


def without_numbers(network: eiann.Network) -> eiann.Network:
    """The network with shapes only."""
    network.device = torch.device("meta")
    for kind in (network.weights, network.biases, network.masks, network.states):
        for key, tensor in kind.items():
            kind[key] = tensor.to("meta")  # type: ignore[index]
    return network


def session_on(network: eiann.Network, batch_size: int = 1) -> RecordedSession:
    # Whether constraints hold is looked up in the parameters, before anything is recorded; here there are none.
    data = replace(samples(batch_size), facts={"constraints_hold": True})
    return RecordedSession(network, data, watched(network), Repeater())


def written(run: Callable[[], None]) -> list[tuple[str, tuple[tuple[int, ...], ...]]]:
    with Written("meta") as mode:
        run()
    return mode.operations


@pytest.mark.parametrize("name", list(NETWORKS))
def test_training_steps_do_not_wait_and_have_fixed_shapes(name: str) -> None:
    session = session_on(without_numbers(built(name, [1, 2])))
    first = written(lambda: session.steps(1))
    assert len(first) > 50
    assert written(lambda: session.steps(1)) == first
    assert len(written(lambda: session.steps(3))) > 2 * len(first)


@pytest.mark.parametrize("name", ["Backprop with biases", "BP_like_2E with biases", "Ojas_rule", "Adam"])
def test_nor_do_mini_batches(name: str) -> None:
    session = session_on(without_numbers(built(name, [1, 2])), 3)
    assert written(lambda: session.steps(1))


def test_nor_do_replicas_of_different_sizes() -> None:
    config = built("BP_like_2E of some units", [1]).configs[0].to_dict()
    larger = {**config["layer_config"]["H1"], "E": {**config["layer_config"]["H1"]["E"], "size": 9}}
    other = {**config, "layer_config": {**config["layer_config"], "H1": larger}}
    both = [eiann.NetworkConfig.from_dict(plain) for plain in (config, other)]
    session = session_on(without_numbers(eiann.Network(both, [1, 2])))
    assert written(lambda: session.steps(1))


@pytest.mark.parametrize("name", ["BP_like_2L", "softmax"])
def test_nor_does_an_evaluation(name: str) -> None:
    network = without_numbers(built(name, [1, 2]))
    evaluation = RecordedEvaluation(network, ["activity:5", "activity:1@2"], 7, Repeater())
    with torch.no_grad():
        assert written(evaluation.run)


def test_new_numbers_do_not_move_a_tensor() -> None:
    """Refreshing happens between recordings and may wait; what the recordings read must stay where it is."""
    network = built("BP_like_2E of some units", [1, 2])
    session = RecordedSession(network, samples(), (), Repeater())
    machine = session._machine
    places = [tensor.data_ptr() for tensor, _ in machine._constants]
    machine.refresh()
    assert [tensor.data_ptr() for tensor, _ in machine._constants] == places
    assert len(places) > 10


def test_what_waits_is_found() -> None:
    rule = tiny.rule("BP_like_2L", stochastic=True)
    config = eiann.NetworkConfig.from_dict(shortened(tiny.tiny_config(rule, rule)))
    session = session_on(without_numbers(eiann.Network(config, [1, 2])))
    with pytest.raises(AssertionError, match=r"waits for the device|brings something"):
        written(lambda: session.steps(1))


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: float(x.sum()),
        lambda x: x[x > 0],
        torch.nonzero,
        lambda x: bool((x > 0).any()),
        lambda x: x.to("meta"),
    ],
)
def test_each_way_of_waiting_is_found(wait: Callable[[Tensor], Any]) -> None:
    with Written("cpu"), pytest.raises(AssertionError, match=r"waits for the device|brings something to meta"):
        wait(torch.ones(3))
