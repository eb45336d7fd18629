"""Find values of a network configuration by the words of network files (docs/network_format.md, "Selectors")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from eiann.config.clauses import shorten
from eiann.config.patterns import Arrow, Population, Projection, Side, Topology
from eiann.config.places import Place
from eiann.config.validation import did_you_mean
from eiann.errors import ConfigError, KeyPath

if TYPE_CHECKING:
    from eiann.config.schema import NetworkConfig

_PART = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)|\[(\d+)\]")
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[\d{1,9}\])*")
_PROJECTION_WORDS = {
    "rule": ("learning_rule", "learning_rule_kwargs"),
    "init": ("weight_init", "weight_init_args"),
    "constraint": ("weight_constraint", "weight_constraint_kwargs"),
    "bounds": ("weight_bounds", "weight_bounds"),
    "phase": ("update_phase", "update_phase"),
}
_POPULATION_WORDS = {
    "activation": ("activation", "activation_kwargs"),
    "bias": ("bias_learning_rule", "bias_learning_rule_kwargs"),
    "bias_init": ("bias_init", "bias_init_args"),
    "type": ("population_type", "population_type"),
}
_TRAINING_WORDS = {"optimizer": ("optimizer", "optimizer_kwargs"), "criterion": ("criterion", "criterion_kwargs")}


def select(config: NetworkConfig, selector: str) -> list[KeyPath]:
    """Key paths of the nested form that a selector means, in network order.

    Args:
        config: the network.
        selector: ``"POPULATIONS: KEY"``, ``"POST <- PRE: KEY"`` or ``"training: KEY"``.

    Raises:
        ConfigError: the selector is no selector, or matches nothing in this network. The key need not be there yet.

    Example:
        >>> from eiann.config import NetworkConfig
        >>> config = NetworkConfig.from_dict({"layers": {"Input": {"E": 2}, "Output": {"E": 4}},
        ...                                   "projections": {"E <- below.E": "rule Backprop"}})
        >>> select(config, "E <- below.E: rule.learning_rate")
        [('projection_config', 'Output', 'E', 'Input', 'E', 'learning_rule_kwargs', 'learning_rate')]
    """
    where, colon, key = selector.partition(":")
    if not colon:
        raise ConfigError(
            f"found {shorten(selector)}; 'WHERE: KEY' would be right, such as 'H1.E: size' or 'E <- below.E: init[0]'"
        )
    if where.strip() == "training":
        return [("training_kwargs", *_key(key, _TRAINING_WORDS, _fields("TrainingConfig")))]
    if "<-" in where:
        keys = _key(key, _PROJECTION_WORDS, _fields("ProjectionConfig"))
        return [("projection_config", *post, *pre, *keys) for post, pre in select_projections(config, where)]
    keys = _key(key, _POPULATION_WORDS, _fields("PopulationConfig"))
    return [("layer_config", *population, *keys) for population in select_populations(config, where)]


def select_populations(config: NetworkConfig, where: str) -> list[Population]:
    """(layer, population) of all populations that are meant, in order; at least one.

    Without a layer (``E``) the input layer is left out, as it has no properties that learn; ``any.E`` includes it.
    """
    place, topology = Place(), topology_of(config)
    side = Side.parse(where, place, relative=False)
    side.check_name(topology, place)
    found = side.populations(topology)
    first = next(iter(topology.layers), None)
    if "." not in where:
        found = [item for item in found if item[0] != first] or found
    if not found:
        raise ConfigError(f"no population of this network matches {shorten(where.strip())}")
    return found


def select_projections(config: NetworkConfig, where: str) -> list[Projection]:
    """((post layer, post population), (pre layer, pre population)) of all projections that are meant; at least one."""
    place, topology = Place(), topology_of(config)
    arrow = Arrow.parse(where, place)
    arrow.check_names(topology, place)
    meant = set(arrow.pairs(topology))
    found = [pair for pair in projections_of(config) if pair in meant]
    if not found:
        raise ConfigError(f"no projection of this network matches {shorten(where.strip())}")
    return found


def topology_of(config: NetworkConfig) -> Topology:
    """Names of layers and populations of a configuration."""
    closed = {
        (layer, name)
        for layer, populations in config.layer_config.items()
        for name, population in populations.items()
        if (population.population_type or "").lower() in {"maxpool2d", "flatten"}
    }
    return Topology({layer: list(populations) for layer, populations in config.layer_config.items()}, closed)


def projections_of(config: NetworkConfig) -> list[Projection]:
    """All projections in construction order."""
    return [
        ((post_layer, post), (pre_layer, pre))
        for post_layer, posts in config.projection_config.items()
        for post, pre_layers in posts.items()
        for pre_layer, pres in pre_layers.items()
        for pre in pres
    ]


def _fields(model: str) -> list[str]:
    from eiann.config import schema

    return list(getattr(schema, model).model_fields)


def _key(text: str, words: dict[str, tuple[str, str]], fields: list[str]) -> KeyPath:
    """Keys inside of a population, projection or the training settings."""
    text = text.strip()
    if not _PATH.fullmatch(text):
        raise ConfigError(f"found {shorten(text)}; a key like 'size', 'rule.learning_rate' or 'init[0]' would be right")
    first, *rest = [name or int(index) for name, index in _PART.findall(text)]
    word = str(first)
    if word in words:
        alone, with_more = words[word]
        return (with_more, *rest) if rest else (alone,)
    if word not in fields:
        raise ConfigError(f"found {word!r}; no key has that name; {did_you_mean(word, [*words, *fields])}")
    return (word, *rest)
