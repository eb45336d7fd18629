"""Which executor runs: the fastest that covers the network, or the one asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eiann.errors import UserError
from eiann.executors.base import Executor
from eiann.executors.native.executor import NativeExecutor
from eiann.executors.torch.executor import TorchExecutor

if TYPE_CHECKING:
    from eiann.network.network import Network

#: In order of preference.
EXECUTORS: Mapping[str, Executor] = {"native": NativeExecutor(), "torch": TorchExecutor()}


def choose_executor(name: str, network: Network, batch_size: int = 1) -> tuple[Executor, str]:
    """The executor and, in one line, why it was chosen.

    Args:
        name: ``auto`` or the name of an executor.
        network: what is to be trained.
        batch_size: samples per training step.

    Raises:
        UserError: an unknown name, or an executor that does not cover the network.
    """
    if name != "auto":
        if name not in EXECUTORS:
            raise UserError(f"executor: found {name!r}; there are: auto, {', '.join(EXECUTORS)}")
        reason = EXECUTORS[name].refusal(network, batch_size)
        if reason is not None:
            raise UserError(f"executor: found {name!r}, which cannot run this: {reason}; use auto or torch")
        return EXECUTORS[name], f"{name}: asked for"
    reasons: list[str] = []
    for candidate in EXECUTORS.values():
        reason = candidate.refusal(network, batch_size)
        if reason is None:
            size = f"{network.R} replica(s) on {network.device}, {batch_size} sample(s) a step"
            return candidate, "; ".join([f"{candidate.name}: the fastest that covers {size}", *reasons])
        reasons.append(f"not {candidate.name}: {reason}")
    raise UserError(f"executor: none can run this network: {'; '.join(reasons)}")
