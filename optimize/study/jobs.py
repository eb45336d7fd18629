"""What a trainer is given to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from optimize.early import Yardstick
from optimize.objective import Seeds
from optimize.space.document import Value


@dataclass(frozen=True)
class TrialJob:
    """One trial to be computed.

    Attributes:
        number: of the trial.
        attempt: 1 for the first.
        params: the searched parameters.
        seeds: (network seed, data seed) of every instance.
        yardstick: what it is measured by, where trials are stopped early.
        deaths: drivers that ended without a word while it was being computed; it may have taken them down.
    """

    number: int
    attempt: int
    params: Mapping[str, Value]
    seeds: tuple[Seeds, ...]
    yardstick: Yardstick = field(default=Yardstick(), repr=False)
    deaths: int = 0
