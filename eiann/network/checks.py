"""What an architecture must satisfy to be trainable; each fault is found here, at construction, with its key path."""

from __future__ import annotations

import math
from collections.abc import Iterable

from eiann.config import NetworkConfig
from eiann.constraints import CloneWeight
from eiann.errors import ConfigError
from eiann.network.architecture import Architecture, Population, Projection
from eiann.rules.base import LearningRule, Nudging
from eiann.rules.dendritic import DendriticLoss6, DendriticLossBias, TopLayerBPLike2L
from eiann.rules.gradient import BackpropDendriticLoss
from eiann.rules.hebbian import (
    HebbianTemporalContrast,
    TopDownHebbianTemporalContrast1,
    TopDownHebbianTemporalContrast3,
)

FORWARD_ONLY_DIRECTION = (HebbianTemporalContrast, TopDownHebbianTemporalContrast1, TopDownHebbianTemporalContrast3)
#: A program holds every time step: more than this is a slip of the keyboard.
MOST_STEPS = 1000


def check_architecture(architecture: Architecture, config: NetworkConfig) -> None:
    """Raise the first ConfigError that applies."""
    _check_output(architecture, config)
    _check_steps(architecture)
    _check_gradients(architecture)
    for projection in architecture.projections:
        _check_clone(architecture, projection)
        if projection.rule is not None:
            _check_rule(architecture, projection, projection.rule)
    for population in architecture.populations:
        _check_bias(architecture, population)


def place(architecture: Architecture, projection: Projection, *keys: str) -> tuple[str, ...]:
    """Key path of a projection in the nested form."""
    post, pre = architecture.populations[projection.post], architecture.populations[projection.pre]
    return ("projection_config", post.layer, post.name, pre.layer, pre.name, *keys)


def _check_output(architecture: Architecture, config: NetworkConfig) -> None:
    output = architecture.output
    for layer, members in config.layer_config.items():
        for name, section in members.items():
            if section.output_pop and f"{layer}.{name}" != output.label:
                raise ConfigError(
                    f"found output_pop on {layer}.{name}; the output is the first of the last layer, {output.label}",
                    ("layer_config", layer, name, "output_pop"),
                )
    if "Output" in config.layer_config and output.layer != "Output":
        raise ConfigError(
            f"found the layer 'Output' before {output.layer!r}; the last layer is the output: put it there, or rename",
            ("layer_config", "Output"),
        )
    if output.is_image:
        raise ConfigError(
            f"found an image as output; put a Flatten and a dense layer after {output.label}",
            ("layer_config", output.layer),
        )


def _check_steps(architecture: Architecture) -> None:
    if architecture.forward_steps > MOST_STEPS:
        raise ConfigError(
            f"found {architecture.forward_steps}; a network has at most {MOST_STEPS} time steps",
            ("training_kwargs", "forward_steps"),
        )


def _check_gradients(architecture: Architecture) -> None:
    for j in architecture.projections:
        if j.rule is not None and math.isnan(j.learning_rate):
            raise ConfigError(
                "missing; give the rule a learning_rate, or the network", place(architecture, j, "learning_rule_kwargs")
            )
    gradient = any(
        j.rule is not None and j.rule.backward is not None and "gradient" in j.rule.backward.name
        for j in architecture.projections
    )
    gradient |= any(p.bias_rule is not None and p.bias_rule.backward is not None for p in architecture.populations)
    if gradient and architecture.backward_steps == 0:
        raise ConfigError(
            "found 0; rules that follow a gradient need at least one backward step",
            ("training_kwargs", "backward_steps"),
        )
    if gradient and architecture.optimizer is None:
        raise ConfigError(
            "found null; rules that follow a gradient need an optimizer, SGD or Adam", ("training_kwargs", "optimizer")
        )


def _check_clone(architecture: Architecture, projection: Projection) -> None:
    for clone, key in (
        (projection.constraint, "weight_constraint_kwargs"),
        (projection.initial_clone, "weight_init_args"),
    ):
        if not isinstance(clone, CloneWeight):
            continue
        for name in ("source", "source2"):
            label = getattr(clone, name)
            if label is None:
                continue
            source = architecture.projection(label)
            if source is None:
                known = _labels(architecture)
                raise ConfigError(
                    f"found {label!r}; no projection has that name (post, then pre); there are: {known}",
                    place(architecture, projection, key, name),
                )
            ends = (projection.pre, projection.post) if clone.transpose else (projection.post, projection.pre)
            wanted = tuple(architecture.populations[index].size for index in ends)
            found = (architecture.populations[source.post].size, architecture.populations[source.pre].size)
            if found != wanted:
                raise ConfigError(
                    f"found {label!r} of shape {found[0]} x {found[1]}; its clone here needs {wanted[0]} x {wanted[1]}",
                    place(architecture, projection, key, name),
                )


def _labels(architecture: Architecture) -> str:
    names = (
        f"{architecture.populations[j.post].label}.{architecture.populations[j.pre].label}"
        for j in architecture.projections
    )
    return ", ".join(names)


def _check_rule(architecture: Architecture, j: Projection, rule: LearningRule) -> None:
    post = architecture.populations[j.post]
    where = place(architecture, j, "learning_rule")
    local = rule.backward is None or "gradient" not in rule.backward.name
    if j.convolution is not None and (local or isinstance(rule, BackpropDendriticLoss)):
        raise ConfigError(f"found {rule.name}; a convolution learns by Backprop or not at all", where)
    if isinstance(rule, FORWARD_ONLY_DIRECTION) and j.recurrent:
        raise ConfigError(
            f"found {rule.name} on a recurrent projection; this rule is defined for the forward direction", where
        )
    if isinstance(rule, TopLayerBPLike2L) and post.index not in architecture.layers[-1]:
        raise ConfigError(f"found {rule.name} below the output layer; it acts on the last layer only", where)
    if isinstance(rule, DendriticLoss6) and not architecture.dendritic(post.index):
        raise ConfigError(f"found {rule.name}; {post.label} has no dendritic input (compartment: dend)", where)
    if isinstance(rule, Nudging) and post.index != architecture.output.index:
        _check_member(architecture, post, rule, where)
    if isinstance(rule, BackpropDendriticLoss):
        labels = {p.label: p.index for p in architecture.populations}
        source = labels.get(rule.source)
        if source is None or not architecture.dendritic(source):
            raise ConfigError(
                f"found {rule.source!r}; source is a population with dendritic input",
                place(architecture, j, "learning_rule_kwargs", "source"),
            )


def _check_member(architecture: Architecture, post: Population, rule: Nudging, where: Iterable[str]) -> None:
    if not architecture.dendritic(post.index):
        raise ConfigError(
            f"found {rule.name}; {post.label} has no dendritic input (compartment: dend) to take an error from",
            tuple(where),
        )
    if not architecture.takes_part_in_backward(post.index):
        raise ConfigError(
            f"found {rule.name}; no projection onto {post.label} has the update phase B or A",
            tuple(where),
        )


def _check_bias(architecture: Architecture, population: Population) -> None:
    rule = population.bias_rule
    if rule is None:
        return
    path = ("layer_config", population.layer, population.name)
    if math.isnan(population.bias_learning_rate):
        raise ConfigError(
            "missing; give the bias rule a learning_rate, or the network", (*path, "bias_learning_rule_kwargs")
        )
    if not isinstance(rule, DendriticLossBias):
        return
    rules = [j.rule for j in architecture.incoming[population.index]]
    if not any(isinstance(r, Nudging | TopLayerBPLike2L) for r in rules):
        raise ConfigError(
            f"found {rule.name}; no rule of a projection onto {population.label} defines the plateau that it follows",
            (*path, "bias_learning_rule"),
        )
