"""Trials that need not be computed to the end: rungs, what others had there, and the rules of comparison."""

from optimize.early.rules import hopeless, is_contender
from optimize.early.rungs import RungValues, Yardstick, Yardsticks

__all__ = ["RungValues", "Yardstick", "Yardsticks", "hopeless", "is_contender"]
