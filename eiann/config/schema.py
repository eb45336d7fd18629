"""Typed network configuration: the keys that a network description may have, and nothing else.

The three mappings ``layer_config``, ``projection_config`` and ``training_kwargs`` are the canonical (nested) form.
Orders are insertion orders: they fix the order of updates and of random draws. A value that was not given stays unset,
so that a configuration is written back as it was read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, PrivateAttr, model_validator

from eiann.config.places import Origins
from eiann.config.values import (
    Arguments,
    ArgumentsOrKwargs,
    Bounds,
    Count,
    Device,
    Flag,
    Kwargs,
    KwargsOrNull,
    Name,
    Number,
    PositiveCount,
    PositiveNumber,
    wrong,
)
from eiann.errors import ConfigError, KeyPath

Direction = Literal["forward", "F", "recurrent", "R"]
UpdatePhase = Literal["forward", "F", "backward", "B", "all", "A"]
PopulationType = Literal[
    "default", "Conv2D", "conv2D", "conv2d", "MaxPool2D", "maxpool2D", "maxpool2d", "Flatten", "flatten"
]
FileForm = Literal["compact", "nested"]


def _alias_of_dend(value: object) -> object:
    # The reference also accepts this word, and then leaves the compartment without any input.
    return "dend" if value == "dendrite" else value


def _no_seed(_value: object) -> object:
    raise wrong("a network has no seed; leave it out and give seeds to eiann.Network(seeds=[...]) or to --seeds")


def _no_effect(value: object) -> object:
    if value is not None:
        raise wrong("this key has no effect; leave it out")
    return value


Compartment = Annotated[Literal["soma", "dend"], BeforeValidator(_alias_of_dend)]
NoEffect = Annotated[None, BeforeValidator(_no_effect)]
NoSeed = Annotated[None, BeforeValidator(_no_seed)]


class Section(BaseModel):
    """Base of all parts of a configuration: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PopulationConfig(Section):
    """One population: ``layer_config[layer][population]``."""

    size: PositiveCount | None = None
    """Number of units."""
    activation: Name | None = None
    """Activation function; linear where none is named."""
    activation_kwargs: KwargsOrNull | None = None
    """Parameters of the activation function."""
    tau: PositiveNumber | None = None
    """Time constant in steps of the dynamics; that of the network where it is left out."""
    include_bias: Flag | None = None
    """Whether units have a bias. A bias that learns is included in any case."""
    bias_init: Name | None = None
    """Initializer of the bias; null draws from U(-1, 1) / sqrt(fan-in)."""
    bias_init_args: Arguments | None = None
    """Numbers handed to the initializer of the bias."""
    bias_bounds: Bounds | None = None
    """Limits of the bias, null for an open side."""
    bias_learning_rule: Name | None = None
    """Learning rule of the bias; null keeps it constant."""
    bias_learning_rule_kwargs: KwargsOrNull | None = None
    """Parameters of that rule; its learning_rate is that of the network where it is left out."""
    output_pop: Flag | None = None
    """Marks the output. The output is always the first population of the last layer."""
    custom_update: NoEffect = None
    """Accepted as null only: it has no effect."""
    custom_update_kwargs: NoEffect = None
    """Accepted as null only: it has no effect."""
    population_type: PopulationType | None = None
    """Image populations: Conv2D, MaxPool2D, Flatten. Left out for ordinary ones."""
    channels: PositiveCount | None = None
    """Number of channels of an image population."""
    kernel_size: PositiveCount | None = None
    """Edge of the kernel of a convolution or pooling, in pixels."""
    image_dim: PositiveCount | None = None
    """Edge of the square image, in pixels."""
    image_source: Name | None = None
    """Layer.Population whose image a convolution reads."""
    source: Name | None = None
    """Layer.Population that is pooled or flattened."""

    @model_validator(mode="before")
    @classmethod
    def _bias_of_the_dotted_form(cls, data: object) -> object:
        if isinstance(data, Mapping) and "bias" in data:
            message = "the nested form has no key 'bias'; write include_bias, bias_init and bias_init_args"
            raise wrong(message, ("bias",))
        return data


class ProjectionConfig(Section):
    """One projection: ``projection_config[post_layer][post_population][pre_layer][pre_population]``.

    ``learning_rule`` left out means ``Backprop``; given as null the weights are fixed.
    """

    weight_init: Name | None = None
    """Initializer of the weights; null keeps U(-1, 1) / sqrt(fan-in)."""
    weight_init_args: ArgumentsOrKwargs | None = None
    """Numbers handed to the initializer, such as the scale; named parameters for a clone."""
    weight_constraint: Name | None = None
    """Constraint applied to the weights after every update."""
    weight_constraint_kwargs: Kwargs | None = None
    """Parameters of the constraint."""
    weight_bounds: Bounds | None = None
    """Limits of the weights, null for an open side: [0, null] is excitatory, [null, 0] inhibitory."""
    direction: Direction = "forward"
    """Which activity is sent: the present one (forward, F) or that of the step before (recurrent, R)."""
    update_phase: UpdatePhase = "forward"
    """When the projection is used: in the forward phase (F), the backward phase (B), or in all (A)."""
    compartment: Compartment | None = None
    """Where it ends: soma, or dend (the dendrite). Soma where it is left out."""
    learning_rule: Name | None = "Backprop"
    """How the weights learn; null keeps them fixed."""
    learning_rule_kwargs: KwargsOrNull | None = None
    """Parameters of the rule; its learning_rate is that of the network where it is left out."""
    kernel_size: PositiveCount | None = None
    """Convolution: edge of the kernel in pixels; that of the postsynaptic population where it is left out."""
    stride: PositiveCount | None = None
    """Convolution: step of the kernel in pixels; 1 where it is left out."""
    padding: Count | None = None
    """Convolution: pixels added at each edge; 0 where it is left out."""
    dilation: PositiveCount | None = None
    """Convolution: distance of the kernel's points in pixels; 1 where it is left out."""
    groups: PositiveCount | None = None
    """Convolution: number of groups of channels; 1 where it is left out."""
    padding_mode: Name | None = None
    """Convolution: what is added at the edges; zeros where it is left out."""

    @model_validator(mode="after")
    def _keys_that_need_each_other(self) -> ProjectionConfig:
        if self.weight_init is None and self.weight_init_args:
            message = "these are arguments of an initializer, but there is no weight_init; name one, or leave them out"
            raise wrong(message, ("weight_init_args",))
        if isinstance(self.weight_init_args, dict) and self.weight_init not in {"clone", "clone_weight"}:
            message = f"found a mapping; {self.weight_init} takes a list of numbers (only a clone takes named ones)"
            raise wrong(message, ("weight_init_args",))
        given_as_null = "weight_constraint_kwargs" in self.model_fields_set and self.weight_constraint_kwargs is None
        if self.weight_constraint is not None and given_as_null:
            message = "found null; the parameters of the constraint would be right, or leave the key out"
            raise wrong(message, ("weight_constraint_kwargs",))
        return self


class TrainingConfig(Section):
    """Settings of dynamics and training: ``training_kwargs``."""

    learning_rate: Number | None = None
    """Learning rate of all weights and biases that have none of their own."""
    optimizer: Name | None = "SGD"
    """Optimizer of the gradient rules."""
    optimizer_kwargs: KwargsOrNull = {}
    """Parameters of the optimizer, such as momentum."""
    criterion: Name = "MSELoss"
    """Loss function."""
    criterion_kwargs: KwargsOrNull = {}
    """Parameters of the loss function."""
    device: Device = "cpu"
    """Device on which the network is built where no other is named: cpu, cuda or cuda:N."""
    tau: PositiveNumber = 1
    """Time constant in steps of the dynamics, of populations that have none of their own."""
    forward_steps: PositiveCount = 1
    """Steps of the forward phase."""
    backward_steps: Count = 1
    """How many of the last steps of the forward phase gradient rules look back on."""
    verbose: Flag = False
    """Accepted for the files of others, without effect; ``eiann train -v`` says what is built."""
    seed: NoSeed = None
    """Not part of a network: an error."""


LayerMap = dict[str, dict[str, PopulationConfig]]
ProjectionMap = dict[str, dict[str, dict[str, dict[str, ProjectionConfig]]]]


class NetworkConfig(Section):
    """A whole network in its canonical nested form.

    Example:
        >>> config = NetworkConfig.from_dict({"layers": {"Input": {"E": 2}, "Output": {"E": 4}},
        ...                                   "projections": {"E <- below.E": "rule Backprop"}})
        >>> config.to_dict()["projection_config"]["Output"]["E"]["Input"]["E"]
        {'direction': 'forward', 'learning_rule': 'Backprop'}
    """

    layer_config: LayerMap
    """Layers in order, from the input to the output; in each its populations."""
    projection_config: ProjectionMap
    """Projections by postsynaptic layer and population, then presynaptic layer and population."""
    training_kwargs: TrainingConfig = TrainingConfig()
    """Settings of dynamics and training."""

    _origins: Origins = PrivateAttr(default_factory=Origins)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> NetworkConfig:
        """Build from plain data in any of the three forms (docs/network_format.md).

        Raises:
            ConfigError: one line that names the key, what was found and what would be right.
        """
        from eiann.config.reading import read_data

        return read_data(data, cls)

    @classmethod
    def from_yaml(cls, path: str | Path) -> NetworkConfig:
        """Read a file in any of the three forms (docs/network_format.md).

        Raises:
            ConfigError: one line that names the file, line and key, what was found and what would be right.
        """
        from eiann.config.reading import read_file

        return read_file(Path(path), cls)

    def to_dict(self) -> dict[str, Any]:
        """Plain data in the nested form: only what was given, lists for sequences."""
        return self.model_dump(mode="json", exclude_unset=True)

    def to_yaml(self, path: str | Path, form: FileForm = "compact") -> None:
        """Write a file that reads back as an equal network; it appears whole or not at all."""
        from eiann.config.writing import write_file

        write_file(self, Path(path), form)

    def resolved(self) -> dict[str, Any]:
        """Every default filled in, aliases replaced, orders listed: equal networks have equal resolved data.

        Besides the three mappings of the nested form there is ``order`` with the lists ``populations`` and
        ``projections``, which fix the random draws and the order of updates.
        """
        from eiann.config.resolving import resolve

        return resolve(self)

    def locate(self, path: KeyPath) -> str | None:
        """``file.yaml:12`` where this key path of the nested form was written; None if it came from Python."""
        return self._origins.locate(path)

    def placed(self, error: ConfigError) -> ConfigError:
        """The same error with the key path as the user wrote it and its place in the file.

        Args:
            error: one whose key path is of the nested form.
        """
        place = self._origins.place(error.path)
        return error if error.location else ConfigError(error.message, place.path, place.location)

    def __eq__(self, other: object) -> bool:
        """Equal content; where it was read from does not matter."""
        return isinstance(other, NetworkConfig) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]
