"""Which executor runs: the fastest that covers the network, or the one asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eiann.errors import UserError
from eiann.executors.base import Executor
from eiann.executors.cuda.executor import CudaExecutor
from eiann.executors.native.executor import NativeExecutor
from eiann.executors.torch.executor import TorchExecutor

if TYPE_CHECKING:
    from eiann.network.network import Network

#: Of networks on the CPU, in order of preference; torch runs on any device.
EXECUTORS: Mapping[str, Executor] = {"native": NativeExecutor(), "torch": TorchExecutor()}
#: Of networks on a CUDA device, preferred there.
DEVICE_EXECUTORS: Mapping[str, Executor] = {"cuda": CudaExecutor()}


def choose_executor(name: str, network: Network, batch_size: int = 1) -> tuple[Executor, str]:
    """The executor and, in one line, why it was chosen.

    Args:
        name: ``auto`` or the name of an executor.
        network: what is to be trained. On a CUDA device ``auto`` means cuda, or torch for what that does not cover.
        batch_size: samples per training step.

    Raises:
        UserError: an unknown name, or an executor that does not cover the network.
    """
    if name != "auto":
        known = {**EXECUTORS, **DEVICE_EXECUTORS}
        if name not in known:
            raise UserError(f"executor: found {name!r}; there are: auto, {', '.join(known)}")
        reason = known[name].refusal(network, batch_size)
        if reason is not None:
            raise UserError(f"executor: found {name!r}, which cannot run this: {reason}; use auto or torch")
        return known[name], f"{name}: asked for"
    reasons: list[str] = []
    for candidate in _candidates(network):
        reason = candidate.refusal(network, batch_size)
        if reason is None:
            size = f"{network.R} replica(s) on {network.device}, {batch_size} sample(s) a step"
            return candidate, "; ".join([f"{candidate.name}: the fastest that covers {size}", *reasons])
        reasons.append(f"not {candidate.name}: {reason}")
    raise UserError(f"executor: none can run this network: {'; '.join(reasons)}")


def _candidates(network: Network) -> list[Executor]:
    if network.device.type == "cpu":
        return list(EXECUTORS.values())
    return [*DEVICE_EXECUTORS.values(), EXECUTORS["torch"]]
