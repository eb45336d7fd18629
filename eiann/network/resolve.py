"""From configuration to architecture: look up every name, fill in every default, refuse what could not run.

Every error is a ConfigError with its key path, raised here and not at the first sample. The rules are those of the
reference model; where its behaviour is an accident that nobody can want, this raises and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from eiann.activations import ACTIVATIONS
from eiann.config import NetworkConfig, PopulationConfig, ProjectionConfig
from eiann.constraints import CloneWeight, Constraint, ReceptiveFieldMask, parse_constraint
from eiann.errors import ConfigError
from eiann.initializers import INITIALIZERS
from eiann.network.architecture import Architecture, Convolution, Population, PopulationKind, Projection
from eiann.network.checks import check_architecture
from eiann.program.criteria import parse_criterion
from eiann.program.optimizers import parse_optimizer
from eiann.rules import parse_bias_rule, parse_rule
from eiann.validation import parse_declaration

KINDS: Mapping[str, PopulationKind] = {
    "default": "dense", "Conv2D": "conv", "conv2D": "conv", "conv2d": "conv", "MaxPool2D": "pool", "maxpool2D": "pool",
    "maxpool2d": "pool", "Flatten": "flatten", "flatten": "flatten",
}  # fmt: skip
CLONE_NAMES = ("clone", "clone_weight")


def resolve(config: NetworkConfig) -> Architecture:
    """The architecture that a configuration describes.

    Raises:
        ConfigError: with the key path, and the place in the file where that is known.
    """
    try:
        return _resolve(config)
    except ConfigError as error:
        raise config.placed(error) from error


def _resolve(config: NetworkConfig) -> Architecture:
    training = config.training_kwargs
    if len(config.layer_config) < 2:
        raise ConfigError(
            f"found {len(config.layer_config)} layer(s); a network has an input and at least one more",
            ("layer_config",),
        )
    populations = _populations(config)
    by_label = {p.label: p for p in populations}
    architecture = Architecture(
        populations=tuple(populations),
        projections=tuple(_projections(config, by_label)),
        layers=tuple(
            tuple(by_label[f"{layer}.{name}"].index for name in members)
            for layer, members in config.layer_config.items()
        ),
        forward_steps=training.forward_steps,
        backward_steps=training.backward_steps,
        criterion=_under(("training_kwargs",), parse_criterion, training.criterion, training.criterion_kwargs or {}),
        optimizer=_under(("training_kwargs",), parse_optimizer, training.optimizer, training.optimizer_kwargs or {}),
    )
    check_architecture(architecture, config)
    return architecture


def _under(path: Sequence[str | int], parse: Any, *arguments: Any) -> Any:
    """Call a parser whose errors are relative to ``path``."""
    try:
        return parse(*arguments)
    except ConfigError as error:
        raise ConfigError(error.message, (*path, *error.path)) from error


# ---------------------------------------------------------------------------------------------------------- populations


def _populations(config: NetworkConfig) -> list[Population]:
    populations: list[Population] = []
    for layer_index, (layer, members) in enumerate(config.layer_config.items()):
        if not members:
            raise ConfigError("found a layer without populations; remove it or add one", ("layer_config", layer))
        for name, section in members.items():
            path = ("layer_config", layer, name)
            for part in (layer, name):
                if "_" in part or "." in part:
                    raise ConfigError(f"found {part!r}; names of layers and populations have no '_' and no '.'", path)
            populations.append(_population(config, path, section, len(populations), layer_index, populations))
    full_names = [p.full_name for p in populations]
    for p in populations:
        if full_names.count(p.full_name) > 1:
            raise ConfigError(
                f"found two populations that join to {p.full_name!r}; rename one", ("layer_config", p.layer, p.name)
            )
    return populations


def _population(
    config: NetworkConfig,
    path: tuple[str, str, str],
    section: PopulationConfig,
    index: int,
    layer_index: int,
    before: Sequence[Population],
) -> Population:
    kind = "input" if index == 0 else _kind(section, path)
    source = _source(section, kind, path, before)
    _refuse_unused(section, kind, path)
    activation = (
        ACTIVATIONS["linear"]
        if section.activation is None
        else _under((*path, "activation"), ACTIVATIONS.find, section.activation)
    )
    bias_rule = None
    if section.bias_learning_rule is not None:
        bias_rule = _under(path, parse_bias_rule, section.bias_learning_rule, section.bias_learning_rule_kwargs or {})
    elif section.bias_learning_rule_kwargs and set(section.bias_learning_rule_kwargs) - {"learning_rate"}:
        raise ConfigError("found parameters of a bias rule without a rule", (*path, "bias_learning_rule_kwargs"))
    rate = bias_rule.learning_rate if bias_rule is not None else None
    low, high = _bounds(section.bias_bounds, (*path, "bias_bounds"))
    return Population(
        index=index,
        layer=path[1],
        name=path[2],
        layer_index=layer_index,
        kind=kind,
        shape=_shape(section, kind, source, path),
        activation=activation,
        activation_parameters=_under((*path, "activation_kwargs"), activation.bind, section.activation_kwargs or {}),
        tau=float(section.tau if section.tau is not None else config.training_kwargs.tau),
        has_bias=kind in ("dense", "conv") and bool(section.include_bias or bias_rule is not None),
        bias_init=section.bias_init,
        bias_init_args=tuple(section.bias_init_args or ()),
        bias_low=low,
        bias_high=high,
        bias_rule=bias_rule,
        bias_learning_rate=_rate(rate, config),
        source=None if source is None else source.index,
        kernel_size=section.kernel_size or {"conv": 5, "pool": 2}.get(kind),
    )


def _kind(section: PopulationConfig, path: Sequence[str]) -> PopulationKind:
    if section.population_type is None:
        return "dense"
    if section.population_type not in KINDS:
        raise ConfigError(
            f"found {section.population_type!r}; the types are: {', '.join(KINDS)}", (*path, "population_type")
        )
    return KINDS[section.population_type]


def _source(
    section: PopulationConfig, kind: PopulationKind, path: Sequence[str], before: Sequence[Population]
) -> Population | None:
    key = {"conv": "image_source", "pool": "source", "flatten": "source"}.get(kind)
    label = getattr(section, key) if key else None
    if key is None or (label is None and kind == "conv"):
        return None
    if label is None:
        raise ConfigError("missing; a population of this type names the population that it copies from", (*path, key))
    for population in before:
        if population.label == label:
            if not population.is_image:
                raise ConfigError(f"found {label!r}, which has no image_dim; an image is needed", (*path, key))
            return population
    raise ConfigError(f"found {label!r}; it must be a population that comes earlier", (*path, key))


_IMAGE_KEYS = {"channels", "image_dim", "image_source", "kernel_size", "source"}
_ALLOWED = {
    "input": {"size", "channels", "image_dim", "population_type"},
    "pool": {"population_type", "source", "kernel_size"},
    "flatten": {"population_type", "source"},
}


def _refuse_unused(section: PopulationConfig, kind: PopulationKind, path: Sequence[str]) -> None:
    """A key that would be ignored is an error: the user believes that it does something."""
    given = {key for key in section.model_fields_set if getattr(section, key) not in (None, False)}
    allowed = _ALLOWED.get(kind)
    unused = given - allowed if allowed is not None else given & (_IMAGE_KEYS if kind == "dense" else {"source"})
    for key in sorted(unused):
        raise ConfigError(
            f"found {key}; it has no effect on {'the input' if kind == 'input' else f'a {kind} population'}; remove it",
            (*path, key),
        )


def _shape(
    section: PopulationConfig, kind: PopulationKind, source: Population | None, path: Sequence[str]
) -> tuple[int, ...]:
    if kind == "pool" and source is not None:
        edge = source.shape[1] // (section.kernel_size or 2)
        if edge < 1:
            raise ConfigError(
                f"found {section.kernel_size}; the image of {source.label} is only {source.shape[1]} wide",
                (*path, "kernel_size"),
            )
        return (source.shape[0], edge, edge)
    if kind == "flatten" and source is not None:
        return (source.units,)
    size = section.channels if kind in ("input", "conv") and section.channels is not None else section.size
    if size is None:
        raise ConfigError("missing; a population has a size", (*path, "size"))
    if kind == "input":
        return (size,) if section.image_dim is None else (size, section.image_dim, section.image_dim)
    if kind == "conv":
        kernel = section.kernel_size or 5
        if section.image_dim is None and source is None:
            raise ConfigError(
                "missing; give image_dim, or image_source for the population that the image comes from",
                (*path, "image_source"),
            )
        edge = section.image_dim or (source.shape[1] - (kernel - 1) if source is not None else 0)
        if edge < 1:
            raise ConfigError(f"found kernel_size {kernel}, larger than the image", (*path, "kernel_size"))
        return (size, edge, edge)
    return (size,)


# ---------------------------------------------------------------------------------------------------------- projections


def _projections(config: NetworkConfig, by_label: Mapping[str, Population]) -> list[Projection]:
    projections: list[Projection] = []
    for post_layer, posts in config.projection_config.items():
        for post_name, layers in posts.items():
            for pre_layer, pres in layers.items():
                for pre_name, section in pres.items():
                    path = ("projection_config", post_layer, post_name, pre_layer, pre_name)
                    post = _end(by_label, post_layer, post_name, path[:3])
                    pre = _end(by_label, pre_layer, pre_name, path)
                    projections.append(_projection(config, path, section, len(projections), post, pre))
    return projections


def _end(by_label: Mapping[str, Population], layer: str, name: str, path: Sequence[str]) -> Population:
    label = f"{layer}.{name}"
    if label not in by_label:
        raise ConfigError(
            f"found {label!r}; layer_config has no such population; there are: {', '.join(by_label)}", path
        )
    return by_label[label]


def _projection(
    config: NetworkConfig,
    path: tuple[str, ...],
    section: ProjectionConfig,
    index: int,
    post: Population,
    pre: Population,
) -> Projection:
    if post.kind in ("input", "pool", "flatten"):
        raise ConfigError(f"found a projection onto {post.label}; {post.kind} populations receive none", path)
    convolution = _convolution(section, post, pre, path)
    constraint = None
    if section.weight_constraint is not None:
        constraint = _under(path, parse_constraint, section.weight_constraint, section.weight_constraint_kwargs or {})
    elif section.weight_constraint_kwargs:
        raise ConfigError(
            "found parameters of a constraint without weight_constraint", (*path, "weight_constraint_kwargs")
        )
    rule = None
    if section.learning_rule is not None:
        rule = _under(path, parse_rule, section.learning_rule, section.learning_rule_kwargs or {})
    true_fan_in = pre.size * (convolution.kernel_size**2 if convolution else 1)
    clone, arguments = _initial_values(section, path)
    low, high = _bounds(section.weight_bounds, (*path, "weight_bounds"))
    if section.weight_init == "half_kaiming" and not (low >= 0 or high <= 0):
        raise ConfigError(
            f"found half_kaiming with bounds {_plain(low, high)}; it needs a lower bound >= 0 or an upper bound <= 0",
            (*path, "weight_init"),
        )
    return Projection(
        index=index,
        post=post.index,
        pre=pre.index,
        name=f"{post.full_name}_{pre.full_name}",
        weight_init=section.weight_init,
        weight_init_args=arguments,
        initial_clone=clone,
        constraint=constraint,
        low=low,
        high=high,
        recurrent=section.direction in ("recurrent", "R"),
        in_forward=section.update_phase in ("forward", "F", "all", "A"),
        in_backward=section.update_phase in ("backward", "B", "all", "A"),
        dendritic=section.compartment == "dend",
        rule=rule,
        learning_rate=_rate(rule.learning_rate if rule is not None else None, config),
        fan_in=_initial_fan_in(section, constraint, true_fan_in, pre, path),
        convolution=convolution,
    )


def _initial_values(section: ProjectionConfig, path: Sequence[str]) -> tuple[CloneWeight | None, tuple[float, ...]]:
    arguments = section.weight_init_args
    if section.weight_init is None:
        if arguments:
            raise ConfigError("found weight_init_args without weight_init", (*path, "weight_init_args"))
        return None, ()
    if section.weight_init in CLONE_NAMES:
        if not isinstance(arguments, Mapping):
            raise ConfigError("missing; an initial clone takes a mapping with source", (*path, "weight_init_args"))
        return parse_declaration(CloneWeight, arguments, (*path, "weight_init_args")), ()
    if isinstance(arguments, Mapping):
        raise ConfigError("found a mapping; this initializer takes a list of numbers", (*path, "weight_init_args"))
    _under((*path, "weight_init"), INITIALIZERS.find, section.weight_init)
    return None, tuple(arguments or ())


def _initial_fan_in(
    section: ProjectionConfig, constraint: Constraint | None, true_fan_in: int, pre: Population, path: Sequence[str]
) -> int:
    if not isinstance(constraint, ReceptiveFieldMask):
        return true_fan_in
    pixels = math.prod(constraint.image_dims)
    if pixels != pre.units:
        raise ConfigError(
            f"found image_dims {list(constraint.image_dims)}, {pixels} values; {pre.label} has {pre.units}",
            (*path, "weight_constraint_kwargs"),
        )
    return constraint.field_fan_in if section.weight_init is not None else true_fan_in


def _convolution(
    section: ProjectionConfig, post: Population, pre: Population, path: Sequence[str]
) -> Convolution | None:
    keys = ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
    if not pre.is_image:
        for key in keys:
            if getattr(section, key) is not None:
                raise ConfigError(f"found {key}; {pre.label} is no image (give it an image_dim)", (*path, key))
        if post.is_image:
            raise ConfigError(
                f"found a dense projection onto the image population {post.label}; {pre.label} is no image", path
            )
        return None
    if not post.is_image:
        raise ConfigError(
            f"found a projection from the image {pre.label} to {post.label}; put a Flatten population between", path
        )
    if section.padding_mode not in (None, "zeros"):
        raise ConfigError(f"found {section.padding_mode!r}; the padding mode is zeros", (*path, "padding_mode"))
    conv = Convolution(
        kernel_size=section.kernel_size or post.kernel_size or 5,
        stride=section.stride or 1,
        padding=section.padding or 0,
        dilation=section.dilation or 1,
        groups=section.groups or 1,
    )
    if isinstance(section.weight_constraint, str) and section.weight_constraint != "clone_weight":
        raise ConfigError(
            f"found {section.weight_constraint!r}; convolutions take no such constraint", (*path, "weight_constraint")
        )
    edge = (pre.shape[1] + 2 * conv.padding - conv.dilation * (conv.kernel_size - 1) - 1) // conv.stride + 1
    if edge != post.shape[1]:
        raise ConfigError(
            f"the convolution gives an image {edge} wide, {post.label} {post.shape[1]}; set its image_dim to {edge}",
            path,
        )
    if pre.size % conv.groups or post.size % conv.groups:
        raise ConfigError(
            f"found {conv.groups} groups; they must divide {pre.size} and {post.size} channels", (*path, "groups")
        )
    return conv


def _bounds(bounds: Sequence[float | None] | None, path: Sequence[str]) -> tuple[float, float]:
    if bounds is None:
        return -math.inf, math.inf
    low = -math.inf if bounds[0] is None else float(bounds[0])
    high = math.inf if bounds[1] is None else float(bounds[1])
    if low == -math.inf and high == math.inf:
        raise ConfigError("found [null, null]; leave the bounds out, or give one end", path)
    if low > high:
        raise ConfigError(f"found {_plain(low, high)}; the lower bound is above the upper one", path)
    return low, high


def _plain(low: float, high: float) -> list[float | None]:
    return [None if math.isinf(value) else value for value in (low, high)]


def _rate(rate: float | None, config: NetworkConfig) -> float:
    """The rule's own learning rate, or the network's; NaN marks that there is none."""
    value = rate if rate is not None else config.training_kwargs.learning_rate
    return math.nan if value is None else float(value)
