"""What proposes trials: Optuna's samplers by name, and our own."""

from optimize.samplers.annealing import PopulationAnnealingSampler
from optimize.samplers.design import DesignSampler
from optimize.samplers.memory import done_with
from optimize.samplers.qmc import SobolSampler
from optimize.samplers.registry import (
    DEFAULT,
    DESIGN,
    POINTS,
    build,
    canonical,
    draws_choices,
    is_genetic,
    is_sequence,
    knows_constraints,
    names,
    options,
    tries,
)

__all__ = [
    "DEFAULT",
    "DESIGN",
    "POINTS",
    "DesignSampler",
    "PopulationAnnealingSampler",
    "SobolSampler",
    "build",
    "canonical",
    "done_with",
    "draws_choices",
    "is_genetic",
    "is_sequence",
    "knows_constraints",
    "names",
    "options",
    "tries",
]
