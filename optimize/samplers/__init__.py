"""What proposes trials: Optuna's samplers by name, and our own."""

from optimize.samplers.qmc import SobolSampler
from optimize.samplers.registry import DEFAULT, POINTS, build, canonical, names, options

__all__ = ["DEFAULT", "POINTS", "SobolSampler", "build", "canonical", "names", "options"]
