"""Checkpoints: a training call that was cut off goes on where its last one was written, to bit-identical results.

A checkpoint is one safetensors file. It holds all that the rest of the training depends on: parameters, masks,
thresholds, traces, what optimizers remember, the random generators, the number of steps done (the order of samples is a
function of the seeds), the curves so far, and what recorders keep in memory. It also holds what was being trained, in
short: a checkpoint of another run is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from eiann.data import Dataset
from eiann.errors import UserError
from eiann.executors.base import Session
from eiann.io.state import network_tensors, restore_network
from eiann.io.tensors import dtype_name, read_tensors, write_tensors
from eiann.training.curves import Curves

if TYPE_CHECKING:
    from eiann.network.network import Network
    from eiann.training.callbacks import Callback

KIND = "training checkpoint"
_NETWORK, _CURVES, _CALLBACK = "network/", "curves/", "callback"


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often training writes a checkpoint.

    A training call that is given one goes on from the file if it is there, and writes it anew after every ``every``
    training steps and at the end: the same call, made again after a crash, does only what is missing.

    Attributes:
        path: of the file, which is always whole: the old checkpoint or the new one.
        every: training steps between two checkpoints.

    Example:
        >>> eiann.train(network, data.train, [257], checkpoint=Checkpoint("run.checkpoint", 500))  # doctest: +SKIP
    """

    path: str | Path
    every: int = 1000

    def __post_init__(self) -> None:
        if self.every < 1:
            raise UserError(f"checkpoint: found {self.every} as steps between two; it is at least 1")

    def steps(self, total: int) -> set[int]:
        """Training steps after which it is written."""
        return {*range(self.every - 1, total, self.every), total - 1}


@dataclass(frozen=True)
class Run:
    """What is being trained, for the decision whether a checkpoint belongs to it."""

    facts: Mapping[str, Any]

    @classmethod
    def of(
        cls,
        network: Network,
        dataset: Dataset,
        validation: Dataset | None,
        order: Tensor,
        val_steps: Sequence[int],
        executor: str,
        batch: tuple[int, str],
        callbacks: Sequence[Callback],
    ) -> Run:
        """Collect it; data and configurations by their fingerprints."""
        return cls(
            {
                "network": _fingerprint(*(repr(config.resolved()).encode() for config in network.configs)),
                "network seeds": list(network.seeds),
                "dtype": dtype_name(network.dtype),
                "device": network.device.type,
                "executor": executor,
                "training data": _data_fingerprint(dataset),
                "order of samples": _fingerprint(_bytes(order)),
                "validation data": None if validation is None else _data_fingerprint(validation),
                "validation steps": list(val_steps),
                "batch": list(batch),
                "recorders": [{"kind": type(callback).__name__, **callback.facts()} for callback in callbacks],
            }
        )

    def check(self, found: Mapping[str, Any], path: Path) -> None:
        """Refuse a checkpoint of another run."""
        for name, value in self.facts.items():
            if found.get(name) != value:
                raise UserError(
                    f"{path}: found a checkpoint of another run: {name} {_short(found.get(name))} there, "
                    f"{_short(value)} here; give another file, or remove this one to begin anew"
                )


def write_checkpoint(
    checkpoint: Checkpoint, run: Run, network: Network, session: Session, curves: Curves, callbacks: Sequence[Callback]
) -> None:
    """Write a checkpoint after the steps that ``curves`` has done; the session has stored its state."""
    kept = {
        f"{_CALLBACK}{number}/{name}": value
        for number, callback in enumerate(callbacks)
        for name, value in callback.state().items()
    }
    tensors = {
        **{_NETWORK + name: value for name, value in network_tensors(network).items()},
        **{_CURVES + name: value for name, value in curves.tensors().items()},
        **kept,
    }
    write_tensors(
        Path(checkpoint.path), KIND, tensors, {"done": curves.done, "run": dict(run.facts), "session": session.facts()}
    )


@dataclass(frozen=True)
class Point:
    """Where training stands.

    Attributes:
        curves: what was found so far.
        facts: of the session, see ``Session.facts``.
        recorded: what each callback keeps; None at the beginning.
    """

    curves: Curves
    facts: Mapping[str, bool]
    recorded: Sequence[Mapping[str, Tensor] | None]


def resume(checkpoint: Checkpoint, run: Run, network: Network, callbacks: Sequence[Callback]) -> Point | None:
    """Put the network into the state of a checkpoint; None if there is none yet.

    Raises:
        UserError: the file is damaged, or of another run.
    """
    path = Path(checkpoint.path)
    if not path.exists():
        return None
    tensors, facts = read_tensors(path, KIND)
    if not {"done", "run", "session"} <= set(facts):
        raise UserError(f"{path}: found a damaged header; a {KIND} is needed")
    run.check(facts["run"], path)
    try:
        restore_network(network, _below(tensors, _NETWORK))
    except UserError as error:
        raise UserError(f"{path}: {error}") from None
    recorded = [_below(tensors, f"{_CALLBACK}{number}/") for number in range(len(callbacks))]
    return Point(Curves.from_tensors(facts["done"], _below(tensors, _CURVES)), facts["session"], recorded)


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _fingerprint(*parts: Any) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def _bytes(values: Tensor) -> Any:
    return values.detach().cpu().contiguous().numpy()


def _data_fingerprint(dataset: Dataset) -> list[Any]:
    return [dataset.name, len(dataset), _fingerprint(_bytes(dataset.inputs), _bytes(dataset.targets))]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
