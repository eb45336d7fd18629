"""What the conformance suite is about: executors, the devices they run on, and how far they may be from torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import pytest
import torch
from torch import Tensor

from eiann import Network, NetworkConfig
from eiann.executors.base import TrainingData
from eiann.executors.choose import DEVICE_EXECUTORS, EXECUTORS
from eiann.training.evaluation import activities

#: Executors that run elsewhere than on the CPU.
DEVICES: Final[Mapping[str, str]] = {"cuda": "cuda"}

#: Relative and absolute distance from the torch executor on the CPU after a few training steps. In float64 it is that
#: of the golden traces; in float32 sums are taken in another order, and what rounds differently grows with each step.
TOLERANCE: Final[Mapping[torch.dtype, tuple[float, float]]] = {
    torch.float64: (1e-9, 1e-11),
    torch.float32: (1e-3, 1e-5),
}


@dataclass(frozen=True)
class Subject:
    """An executor and its device.

    Attributes:
        same_bits: whether a replica's numbers are the same alone and in a batch, bit for bit.
    """

    executor: str
    device: str
    same_bits: bool = True

    def network(
        self, configs: NetworkConfig | Sequence[NetworkConfig], seeds: Sequence[int], dtype: torch.dtype
    ) -> Network:
        """Replicas where this executor runs them."""
        return Network(configs, seeds=seeds, dtype=dtype, device=self.device)


REFERENCE: Final = Subject("torch", "cpu")


def subjects(*, with_torch: bool) -> list[Any]:
    """All executors as parameters of a test; one whose device is absent here is skipped."""
    found = []
    for name in (*EXECUTORS, *DEVICE_EXECUTORS):
        device = DEVICES.get(name, "cpu")
        absent = device == "cuda" and not torch.cuda.is_available()
        marks = [pytest.mark.skip(reason="this machine has no CUDA device")] if absent else []
        if with_torch or name != REFERENCE.executor:
            found.append(pytest.param(Subject(name, device, same_bits=device == "cpu"), id=name, marks=marks))
    return found


@dataclass(frozen=True)
class Trained:
    """What a training run left: loss per step, parameters, states of rules and watched values, all on the CPU."""

    loss: Tensor
    parameters: Mapping[str, Tensor]
    watched: Mapping[str, Tensor]

    def replica(self, index: int) -> dict[str, Tensor]:
        """Everything of one replica."""
        everything = {"loss": self.loss, **self.parameters, **self.watched}
        return {name: value[index] for name, value in everything.items()}

    @property
    def finite(self) -> bool:
        """Whether nothing diverged."""
        return all(bool(value.isfinite().all()) for value in (self.loss, *self.parameters.values()))


def run(subject: Subject, network: Network, data: TrainingData, order: Tensor, blocks: Sequence[int] = ()) -> Trained:
    """Train on all samples of the order, in blocks that end after the given steps."""
    watch = [
        f"{kind}:{p.index}" for kind in ("activity", "backward_activity") for p in network.architecture.populations
    ]
    session = EXECUTORS[subject.executor].begin(network, data, watch)
    edges = [0, *blocks, order.shape[1]]
    losses = [session.run(order[:, a:b]) for a, b in pairwise(edges) if b > a]
    session.store()
    parameters = {name: value.cpu().clone() for name, value in network.state_dict().items()}
    parameters.update({name: value.cpu().clone() for name, value in network.states.items()})
    watched = {name: session.named(name).cpu().clone() for name in watch}
    return Trained(torch.cat(losses, dim=1), parameters, watched)


def evaluated(subject: Subject, network: Network, inputs: Tensor) -> dict[str, Tensor]:
    """Activities of all populations, (R, samples, units), on the CPU."""
    names = [f"activity:{p.index}" for p in network.architecture.populations]
    chunks = [values for _, values in activities(network, inputs, names, subject.executor)]
    return {name: torch.cat([chunk[name].cpu() for chunk in chunks], dim=1) for name in names}


def covers(subject: Subject, network: Network) -> bool:
    """Whether the executor runs the network."""
    return EXECUTORS[subject.executor].refusal(network) is None


def assert_close(
    expected: Mapping[str, Tensor],
    found: Mapping[str, Tensor],
    dtype: torch.dtype,
    rounding: Mapping[str, float] | None = None,
) -> None:
    """Equal up to the stated tolerance; absolute distances count in units of the largest entry.

    ``rounding`` is allowed on top: how far rounding alone moves an entry of each name.
    """
    relative, absolute = TOLERANCE[dtype]
    for name, value in expected.items():
        scale = max(1.0, float(value.abs().max())) if value.numel() else 1.0
        allowed = absolute * scale + (rounding or {}).get(name, 0.0)
        torch.testing.assert_close(found[name], value, rtol=relative, atol=allowed, msg=lambda m, n=name: f"{n}: {m}")


def is_close(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], dtype: torch.dtype) -> bool:
    """Whether ``assert_close`` would pass."""
    try:
        assert_close(expected, found, dtype)
    except AssertionError:
        return False
    return True


def nudge_weights(network: Network, seed: int) -> None:
    """Move every weight to a neighbouring number, or leave it, by chance."""
    generator = torch.Generator().manual_seed(seed)
    for weight in network.weights.values():
        step = torch.randint(-1, 2, weight.shape, generator=generator).to(weight.dtype)
        weight.mul_(1 + step * torch.finfo(weight.dtype).eps)


def spread(expected: Mapping[str, Tensor], others: Sequence[Mapping[str, Tensor]], times: float) -> dict[str, float]:
    """The largest distance of an entry from those of other runs, name by name, times a factor."""
    return {
        name: times * max(float((other[name] - value).abs().max()) for other in others) if value.numel() else 0.0
        for name, value in expected.items()
    }


def assert_same(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    """Equal bit for bit; what is not a number in both is equal."""
    for name, value in expected.items():
        assert torch.equal(value.nan_to_num(7.0), found[name].nan_to_num(7.0)), name
