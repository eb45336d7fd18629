"""The resolved architecture of one network: every default filled in, every name looked up, all numbers in place.

Populations and projections are numbered in their order of processing. ``structure()`` is what replicas of one batch
must have in common; numbers that a search may set (sizes, rates, scales, bounds, parameters of rules) may differ
between them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from eiann.activations import Activation
from eiann.constraints import CloneWeight, Constraint, NormalizeWeight, ReceptiveFieldMask
from eiann.program.criteria import Criterion
from eiann.program.optimizers import OptimizerSettings
from eiann.rules.base import BiasRule, LearningRule, Nudging

PopulationKind = Literal["input", "dense", "conv", "pool", "flatten"]


@dataclass(frozen=True)
class Population:
    """A population of rate units.

    Attributes:
        index: position in the order of processing.
        layer_index: 0 for the first layer.
        shape: of its activity for one sample: (units,) or (channels, rows, columns).
        tau: time constant in time steps.
        bias_low, bias_high: bounds of the bias, infinite where open.
        bias_learning_rate: change of bias per unit of the rule's signal.
        source: index of the population that a pooling or flattening population copies from, or a convolution's image
            comes from.
    """

    index: int
    layer: str
    name: str
    layer_index: int
    kind: PopulationKind
    shape: tuple[int, ...]
    activation: Activation
    activation_parameters: tuple[float, ...]
    tau: float
    has_bias: bool
    bias_init: str | None
    bias_init_args: tuple[float, ...]
    bias_low: float
    bias_high: float
    bias_rule: BiasRule | None
    bias_learning_rate: float
    source: int | None = None
    kernel_size: int | None = None

    @property
    def full_name(self) -> str:
        """Layer and population joined, ``H1E``: how parameters are named."""
        return self.layer + self.name

    @property
    def label(self) -> str:
        """Layer and population as users write them, ``H1.E``."""
        return f"{self.layer}.{self.name}"

    @property
    def parameter_name(self) -> str:
        """Name of its bias in saved states."""
        return f"parameter_dict.{self.full_name}_bias"

    @property
    def size(self) -> int:
        """Units (channels of an image population)."""
        return self.shape[0]

    @property
    def units(self) -> int:
        """Numbers in its activity for one sample."""
        count = 1
        for edge in self.shape:
            count *= edge
        return count

    @property
    def is_image(self) -> bool:
        """Whether its activity has rows and columns."""
        return len(self.shape) == 3

    @property
    def copies(self) -> bool:
        """Whether it copies from its source instead of integrating input: pooling and flattening populations."""
        return self.kind in ("pool", "flatten")

    @property
    def inverse_tau(self) -> float:
        """1 / tau."""
        return 1.0 / self.tau

    @property
    def decay(self) -> float:
        """Share of the somatic state that is left after one time step: 1 - 1 / tau."""
        return 1.0 - 1.0 / self.tau


@dataclass(frozen=True)
class Convolution:
    """Settings of a convolutional projection, as ``torch.nn.Conv2d`` names them."""

    kernel_size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1


@dataclass(frozen=True)
class Projection:
    """A projection from population ``pre`` to population ``post``; its weight has the shape (post, pre).

    Attributes:
        recurrent: whether it transmits the presynaptic activity of the previous time step.
        in_forward: whether it takes part in the forward phase.
        in_backward: whether its update phase is ``backward`` or ``all``; marks the postsynaptic population.
        dendritic: whether it feeds the dendrite rather than the soma.
        low, high: weight bounds, infinite where open.
    """

    index: int
    post: int
    pre: int
    name: str
    weight_init: str | None
    weight_init_args: tuple[float, ...]
    initial_clone: CloneWeight | None
    constraint: Constraint | None
    low: float
    high: float
    recurrent: bool
    in_forward: bool
    in_backward: bool
    dendritic: bool
    rule: LearningRule | None
    learning_rate: float
    fan_in: int
    convolution: Convolution | None = None

    @property
    def parameter_name(self) -> str:
        """Name of its weight in saved states, ``module_dict.H1E_InputE.weight``."""
        return f"module_dict.{self.name}.weight"

    @property
    def signed_learning_rate(self) -> float:
        """Learning rate times the sign that the rule declares."""
        return self.learning_rate * float(getattr(self.rule, "sign", 1.0))

    @property
    def saturation(self) -> float:
        """Largest weight that plasticity approaches: the upper bound, or 2 without one."""
        return 2.0 if self.high == float("inf") else self.high

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """Bounds with None for an open end."""
        return (None if self.low == float("-inf") else self.low, None if self.high == float("inf") else self.high)

    @property
    def rescaled_beyond_bounds(self) -> bool:
        """Whether normalization can take weights out of their bounds, as it can unless these are 0 or open."""
        constraint = self.constraint
        masked = isinstance(constraint, ReceptiveFieldMask) and constraint.apply_weight_norm
        normalized = masked or isinstance(constraint, NormalizeWeight)
        return normalized and any(end not in (None, 0.0) for end in self.bounds)


@dataclass(frozen=True)
class Architecture:
    """A whole network, resolved.

    Attributes:
        populations: in the order of processing (layers, populations within the layer).
        projections: in the order of construction.
        layers: indices of the populations of each layer.
        forward_steps, backward_steps: time steps of the forward phase, and how many of the last carry gradients.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    layers: tuple[tuple[int, ...], ...]
    forward_steps: int
    backward_steps: int
    criterion: Criterion
    optimizer: OptimizerSettings | None

    @property
    def input(self) -> Population:
        """The first population of the first layer."""
        return self.populations[0]

    @property
    def output(self) -> Population:
        """The first population of the last layer."""
        return self.populations[self.layers[-1][0]]

    @cached_property
    def incoming(self) -> tuple[tuple[Projection, ...], ...]:
        """Projections onto each population, by order of first appearance of the pre-layer."""
        return tuple(tuple(j for j in self.projections if j.post == p.index) for p in self.populations)

    def somatic(self, post: int, *, forward_only: bool) -> Iterator[Projection]:
        """Projections that feed the soma of a population, in the forward phase or in any."""
        return (j for j in self.incoming[post] if not j.dendritic and (j.in_forward or not forward_only))

    def dendritic(self, post: int) -> tuple[Projection, ...]:
        """Projections that feed the dendrite of a population."""
        return tuple(j for j in self.incoming[post] if j.dendritic)

    def takes_part_in_backward(self, post: int) -> bool:
        """Whether any projection onto the population has the update phase ``backward`` or ``all``."""
        return any(j.in_backward for j in self.incoming[post])

    def projection(self, name: str) -> Projection | None:
        """Projection by name, ``Output.E.H2.E`` or ``OutputE_H2E``."""
        for j in self.projections:
            post, pre = self.populations[j.post], self.populations[j.pre]
            if name in (j.name, f"{post.label}.{pre.label}"):
                return j
        return None

    @cached_property
    def structure(self) -> tuple[object, ...]:
        """What replicas of one batch must share: equal for architectures that differ in numbers only."""
        return (
            tuple(_population_structure(p) for p in self.populations),
            tuple(_projection_structure(j) for j in self.projections),
            self.forward_steps,
            self.backward_steps,
            self.criterion,
            self.optimizer,
        )


def sizes_of(architecture: Architecture) -> tuple[int, ...]:
    """Units of each population: what replicas may differ in and still share a batch."""
    return tuple(p.units for p in architecture.populations)


def _population_structure(p: Population) -> tuple[object, ...]:
    rule = type(p.bias_rule).__name__
    bounded = (p.bias_low > float("-inf"), p.bias_high < float("inf"))
    unit_tau = p.tau == 1.0
    shape = p.shape if p.is_image else None
    return (
        p.layer,
        p.name,
        p.kind,
        p.activation.name,
        p.has_bias,
        rule,
        bounded,
        unit_tau,
        p.source,
        p.kernel_size,
        shape,
    )


def _projection_structure(j: Projection) -> tuple[object, ...]:
    rule = None
    if j.rule is not None:
        rule = (j.rule.name, *(_discrete(name, value) for name, value in j.rule if name != "learning_rate"))
    constraint = None
    if j.constraint is not None:
        constraint = (j.constraint.name, *(_discrete(name, value) for name, value in j.constraint))
    selects_all = not isinstance(j.rule, Nudging) or j.rule.max_pop_fraction == 1.0
    bounded = (*(end is not None for end in j.bounds), j.rescaled_beyond_bounds)
    start = None if j.initial_clone is None else tuple(_discrete(name, value) for name, value in j.initial_clone)
    flags = (j.recurrent, j.in_forward, j.in_backward, j.dendritic)
    return (j.name, *flags, rule, selects_all, constraint, bounded, j.weight_init, start, j.convolution)


def _discrete(name: str, value: object) -> tuple[str, object]:
    """A parameter as structure: a number counts only as being one, but for the sign."""
    if isinstance(value, float) and name != "sign":
        return (name, "number")
    return (name, value)
