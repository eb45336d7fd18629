"""Every default of a configuration filled in and every alias replaced, so that equal networks compare equal.

Parameters of rules, constraints, activations, optimizers and criteria are left as given: their defaults are theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eiann.config.select import projections_of, topology_of

if TYPE_CHECKING:
    from eiann.config.schema import NetworkConfig, PopulationConfig, ProjectionConfig, TrainingConfig

Data = dict[str, Any]

DIRECTIONS = {"F": "forward", "R": "recurrent"}
PHASES = {"F": "forward", "B": "backward", "A": "all"}
TYPES = {"conv2d": "Conv2D", "maxpool2d": "MaxPool2D", "flatten": "Flatten"}
KAIMING = ("half_kaiming", "scaled_kaiming")
CLONES = {"clone_weight": "clone"}
BIAS_RULES = {"Backprop": "BackpropBias"}
CONVOLUTION_KERNEL = 5
POOLING_KERNEL = 2


def resolve(config: NetworkConfig) -> Data:
    """See ``NetworkConfig.resolved``."""
    first = next(iter(topology_of(config).populations), None)
    training = config.training_kwargs
    layers: Data = {}
    for layer, populations in config.layer_config.items():
        layers[layer] = {
            name: _input(item) if (layer, name) == first else _population(item, training)
            for name, item in populations.items()
        }
    projections: Data = {}
    for (post_layer, post), (pre_layer, pre) in projections_of(config):
        item = config.projection_config[post_layer][post][pre_layer][pre]
        target = config.layer_config.get(post_layer, {}).get(post)
        pres = projections.setdefault(post_layer, {}).setdefault(post, {}).setdefault(pre_layer, {})
        pres[pre] = _projection(item, target, training)
    return {
        "layer_config": layers,
        "projection_config": projections,
        "training_kwargs": _training(training),
        "order": {
            "populations": [".".join(item) for item in topology_of(config).populations],
            "projections": [f"{'.'.join(post)} <- {'.'.join(pre)}" for post, pre in projections_of(config)],
        },
    }


def _input(item: PopulationConfig) -> Data:
    # Channels win over a size; all other keys of the input population mean nothing.
    units = {"channels": item.channels} if item.channels else {"size": item.size}
    return {**units, "image_dim": item.image_dim}


def _population(item: PopulationConfig, training: TrainingConfig) -> Data:
    kind = TYPES.get((item.population_type or "").lower())
    if kind == "MaxPool2D":
        return {"population_type": kind, "kernel_size": item.kernel_size or POOLING_KERNEL, "source": item.source}
    if kind == "Flatten":
        return {"population_type": kind, "source": item.source}
    common = {
        "activation": item.activation or "linear",
        "activation_kwargs": item.activation_kwargs or {},
        "tau": training.tau if item.tau is None else item.tau,
        **_bias(item, training),
    }
    if kind == "Conv2D":
        return {
            "population_type": kind,
            "channels": item.channels or item.size,
            "kernel_size": item.kernel_size or CONVOLUTION_KERNEL,
            "image_dim": item.image_dim,
            "image_source": item.image_source,
            **common,
        }
    return {"population_type": None, "size": item.size, **common}


def _bias(item: PopulationConfig, training: TrainingConfig) -> Data:
    rule = item.bias_learning_rule
    if not (item.include_bias or rule):
        return {"include_bias": False}
    return {
        "include_bias": True,
        "bias_init": item.bias_init,
        "bias_init_args": _arguments(item.bias_init, item.bias_init_args),
        "bias_bounds": _sequence(item.bias_bounds),
        "bias_learning_rule": BIAS_RULES.get(rule, rule) if rule else None,
        "bias_learning_rule_kwargs": _rule_kwargs(rule, item.bias_learning_rule_kwargs, training),
    }


def _projection(item: ProjectionConfig, post: PopulationConfig | None, training: TrainingConfig) -> Data:
    kernel = item.kernel_size
    if kernel is None and post is not None and TYPES.get((post.population_type or "").lower()) == "Conv2D":
        kernel = post.kernel_size or CONVOLUTION_KERNEL
    initializer = CLONES.get(item.weight_init, item.weight_init) if item.weight_init else None
    return {
        "weight_init": initializer,
        "weight_init_args": _arguments(initializer, item.weight_init_args),
        "weight_constraint": item.weight_constraint,
        "weight_constraint_kwargs": (item.weight_constraint_kwargs or {}) if item.weight_constraint else {},
        "weight_bounds": _sequence(item.weight_bounds),
        "direction": DIRECTIONS.get(item.direction, item.direction),
        "update_phase": PHASES.get(item.update_phase, item.update_phase),
        "compartment": item.compartment or "soma",
        "learning_rule": item.learning_rule,
        "learning_rule_kwargs": _rule_kwargs(item.learning_rule, item.learning_rule_kwargs, training),
        "kernel_size": kernel,
        "stride": item.stride or 1,
        "padding": item.padding or 0,
        "dilation": item.dilation or 1,
        "groups": item.groups or 1,
        "padding_mode": item.padding_mode or "zeros",
    }


def _training(item: TrainingConfig) -> Data:
    return {
        **{name: getattr(item, name) for name in type(item).model_fields if name != "seed"},
        "optimizer_kwargs": (item.optimizer_kwargs or {}) if item.optimizer else {},
        "criterion_kwargs": item.criterion_kwargs or {},
    }


def _arguments(initializer: str | None, arguments: tuple[float, ...] | Data | None) -> list[float] | Data:
    if initializer is None:
        return []
    if isinstance(arguments, dict):
        return dict(arguments)
    return list(arguments or ((1.0,) if initializer in KAIMING else ()))


def _sequence(bounds: tuple[float | None, float | None] | None) -> list[float | None] | None:
    return None if bounds is None else list(bounds)


def _rule_kwargs(rule: str | None, kwargs: Data | None, training: TrainingConfig) -> Data:
    if rule is None:
        return {}
    rate = training.learning_rate
    return {**({} if rate is None else {"learning_rate": rate}), **(kwargs or {})}
