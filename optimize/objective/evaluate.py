"""Train replicas as a study does, and measure them: the one path that searches, replays and ``eiann train`` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch

import eiann
from eiann.data import Dataset, DataSets
from eiann.errors import ConfigError
from eiann.training import interval_steps
from optimize.objective.features import InstanceOutcome, Seeds, instance_outcomes
from optimize.objective.settings import EvaluationSettings
from optimize.space.document import NamedWithOptions, RunSettings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReplicaRun:
    """A batch of replicas after training.

    Attributes:
        network: trained, R replicas.
        history: of the training.
        outcomes: what was measured, replica by replica.
        device: where it ran.
    """

    network: eiann.Network
    history: eiann.History
    outcomes: tuple[InstanceOutcome, ...]
    device: str


def evaluate_replicas(
    configs: Sequence[eiann.NetworkConfig],
    seeds: Sequence[Seeds],
    settings: EvaluationSettings,
    progress: Progress | None = None,
) -> ReplicaRun:
    """Build, train and measure one replica for each configuration and pair of seeds.

    Args:
        configs: one per replica, of one architecture.
        seeds: (network seed, data seed) per replica.
        settings: data, run, objectives and arithmetic.
        progress: told (steps done, steps in all).

    Raises:
        UserError: the network, the data and the settings do not fit together, or the device is absent.
    """
    data = load_data(settings.data)
    network = eiann.Network(
        list(configs),
        seeds=[network_seed for network_seed, _ in seeds],
        dtype=getattr(torch, settings.dtype),
        device=settings.device,
    )
    run = settings.run
    history = eiann.train(
        network,
        data.train,
        data_seeds=[data_seed for _, data_seed in seeds],
        steps=run.steps,
        epochs=run.epochs,
        validation=data.validation,
        val_interval=run.val_interval,
        executor=settings.executor,
        progress=progress,
    )
    residuals = None
    if "dynamics_residuals" in settings.measured:
        residuals = eiann.equilibration_residual(
            network, data.test, tolerance=run.equilibration_tolerance, executor=settings.executor
        )
    return ReplicaRun(network, history, instance_outcomes(history, residuals, seeds, settings), settings.device)


def held_out_data(data: NamedWithOptions) -> Dataset:
    """Points that no trial was selected on.

    The test part of the data set; where the protocol makes that the same as the validation part, as the published
    spiral does, the test part of the protocol that keeps them apart.
    """
    sets = load_data(data)
    if sets.caution is not None and "protocol" in eiann.data.option_names(data.name):
        separate = {**data.options, "protocol": "separate"}
        sets = load_data(NamedWithOptions(name=data.name, options=separate))
    return sets.test


def load_data(data: NamedWithOptions) -> DataSets:
    """A data set by name and options, loaded once in a process."""
    return _loaded(data.model_dump_json())


def check_steps(run: RunSettings, data: NamedWithOptions) -> None:
    """Whether a data set is large enough for a run, and the run long enough for its validations.

    Raises:
        UserError: it is not.
    """
    samples = len(load_data(data).train)
    if run.steps > samples:
        raise ConfigError(f"found {run.steps}; {data.name} has {samples} training samples", ("run", "steps"))
    interval_steps(run.val_interval, run.steps * run.epochs)


@lru_cache(maxsize=4)
def _loaded(text: str) -> DataSets:
    data = NamedWithOptions.model_validate_json(text)
    return eiann.data.load(data.name, **data.options)
