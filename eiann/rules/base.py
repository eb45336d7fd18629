"""What a learning rule is: a frozen, typed declaration; its kernel is written in the vocabulary of ``RuleKernel``.

A rule says (1) which backward phase it needs, if any, (2) how a step changes the weight of its projection, (3) what it
keeps for the next sample. A kernel describes one step once, for all replicas and every executor: it is run when the
network is compiled to a program, not when the network is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict

from eiann.errors import ConfigError
from eiann.program.kernel import BiasKernel, RuleKernel
from eiann.registry import Registry
from eiann.validation import Finite, Fraction, parse_declaration


@dataclass(frozen=True)
class BackwardPhase:
    """How errors reach the populations before the weights change.

    Attributes:
        name: ``gradient`` (backpropagation of the loss), ``dendritic_gradient`` (of the dendritic state of a source
            population), ``nudge`` (error signals nudge the somata, from the top layer down).
        group: rules of one group run it once, together.
        equilibrate: whether nudged populations run through their dynamics again, for all forward steps; otherwise
            their activity is recomputed once from the unchanged somatic state.
        output_layer_only: whether layers below the output keep the activity of the forward phase.
    """

    name: str
    group: str
    equilibrate: bool = True
    output_layer_only: bool = False


GRADIENT = BackwardPhase("gradient", "Backprop")
DENDRITIC_GRADIENT = BackwardPhase("dendritic_gradient", "Backprop_DendriticLoss")


class LearningRule(BaseModel):
    """Base of the learning rules of projections.

    ``learning_rate`` is the change of weight per unit of the rule's product, and the network's where it is not given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    backward: ClassVar[BackwardPhase | None] = None
    #: Whether samples may be trained in mini-batches (the changes of a batch are summed or averaged).
    batches: ClassVar[bool] = True
    learning_rate: Finite | None = None

    def step(self, kernel: RuleKernel) -> None:
        """Describe the change of the weight by one sample."""

    def update(self, kernel: RuleKernel) -> None:
        """Describe what is kept for the next sample, after all weights have changed and constraints hold."""


class Nudging(LearningRule):
    """Base of the rules whose backward phase selects units by their dendritic error and nudges them.

    Attributes:
        max_pop_fraction: at most this fraction of a population is selected for each sign of the error.
        stochastic: units are drawn with the size of their error as probability, instead of the largest errors.
        relu_gate: units that were silent in the forward phase get no error.
    """

    max_pop_fraction: Fraction = 1.0
    stochastic: bool = False
    relu_gate: bool = False

    @property
    def negative_rate_threshold(self) -> float | None:
        """Activity up to which a unit gets no error (None: no threshold)."""
        return None


class BiasRule(BaseModel):
    """Base of the learning rules of biases."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: ClassVar[str]
    backward: ClassVar[BackwardPhase | None] = None
    learning_rate: Finite | None = None

    def step(self, kernel: BiasKernel) -> None:
        """Describe the change of the bias by one sample."""


RULES: Registry[type[LearningRule]] = Registry("learning rule")
BIAS_RULES: Registry[type[BiasRule]] = Registry("bias learning rule")

RuleType = TypeVar("RuleType", bound=type[LearningRule])


def register(*names: str) -> Callable[[RuleType], RuleType]:
    """Decorator that makes a rule available to configurations, under its ``name`` and further ones.

    Example:
        >>> @register()  # doctest: +SKIP
        ... class Covariance(LearningRule):
        ...     name = "covariance"
        ...     def step(self, kernel):
        ...         kernel.outer(kernel.post, kernel.pre)
    """

    def add(rule: RuleType) -> RuleType:
        RULES.register(rule.name, *names)(rule)
        return rule

    return add


BiasRuleType = TypeVar("BiasRuleType", bound=type[BiasRule])


def register_bias(*names: str) -> Callable[[BiasRuleType], BiasRuleType]:
    """Decorator that makes a bias rule available to configurations, under its ``name`` and further ones."""

    def add(rule: BiasRuleType) -> BiasRuleType:
        BIAS_RULES.register(rule.name, *names)(rule)
        return rule

    return add


def parse_rule(name: str, kwargs: Mapping[str, Any]) -> LearningRule:
    """The rule of that name with its parameters; a fault is a ConfigError relative to the projection.

    Example:
        >>> parse_rule("BP_like_2E", {"learning_rate": 0.1, "relu_gate": True}).relu_gate
        True
    """
    try:
        rule = RULES.find(name)
    except ConfigError as error:
        raise ConfigError(error.message, ("learning_rule",)) from error
    return parse_declaration(rule, kwargs, ("learning_rule_kwargs",))


def parse_bias_rule(name: str, kwargs: Mapping[str, Any]) -> BiasRule:
    """The bias rule of that name with its parameters; a fault is a ConfigError relative to the population."""
    try:
        rule = BIAS_RULES.find(name)
    except ConfigError as error:
        raise ConfigError(error.message, ("bias_learning_rule",)) from error
    return parse_declaration(rule, kwargs, ("bias_learning_rule_kwargs",))
