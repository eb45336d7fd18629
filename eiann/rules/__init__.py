"""Learning rules: frozen typed declarations, one file per family, found by name in ``RULES`` and ``BIAS_RULES``."""

from eiann.rules import btsp, dendritic, gradient, hebbian
from eiann.rules.base import (
    BIAS_RULES,
    RULES,
    BackwardPhase,
    BiasRule,
    LearningRule,
    Nudging,
    parse_bias_rule,
    parse_rule,
    register,
    register_bias,
)

__all__ = [
    "BIAS_RULES",
    "RULES",
    "BackwardPhase",
    "BiasRule",
    "LearningRule",
    "Nudging",
    "btsp",
    "dendritic",
    "gradient",
    "hebbian",
    "parse_bias_rule",
    "parse_rule",
    "register",
    "register_bias",
]
