"""The interface between a search and what computes its trials."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eiann.errors import UserError
from optimize.objective import InstanceOutcome
from optimize.study import StudySpec, TrialJob


@dataclass(frozen=True)
class PackMeasurement:
    """What a trainer found out.

    Attributes:
        outcomes: for each trial, in the order given, one outcome for each of its seeds.
        executor: name of what computed it.
        device: where.
    """

    outcomes: tuple[tuple[InstanceOutcome, ...], ...]
    executor: str
    device: str


class PackTrainer(Protocol):
    """Trains the replicas of several trials together.

    A trainer is named in the study's specification as ``module:class`` and made from the specification wherever it is
    needed; it holds nothing that must survive. The outcome of a trial depends on the specification, its parameters and
    its seeds only: not on the trials beside it, nor on what the trainer did before.

    A trial that cannot be computed has outcomes with a ``failure``. An exception means that the pack could not be
    computed; its trials are then tried again, each alone.
    """

    def __init__(self, spec: StudySpec) -> None:
        """Prepare for packs of this study."""
        ...

    def train(self, jobs: Sequence[TrialJob]) -> PackMeasurement:
        """Compute a pack of trials."""
        ...


def load_trainer(reference: str, spec: StudySpec) -> PackTrainer:
    """Make the trainer that a specification names.

    Raises:
        UserError: there is no such module or class.

    Example:
        >>> load_trainer("optimize.tune.stub:StubTrain", spec=None)
        Traceback (most recent call last):
        ...
        eiann.errors.UserError: found the trainer 'optimize.tune.stub:StubTrain'; it is module:class, ...
    """
    module, _, name = reference.partition(":")
    try:
        trainer: type[PackTrainer] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"found the trainer {reference!r}; it is module:class, and {error}") from error
    return trainer(spec)
