"""Which weights of a network the analyses compare, by their names in the state dictionary."""

from __future__ import annotations

from itertools import pairwise

from eiann.config import NetworkConfig


def weight_name(post_layer: str, post: str, pre_layer: str, pre: str) -> str:
    """Name of a projection's weight in the state dictionary.

    Example:
        >>> weight_name("H1", "E", "Input", "E")
        'module_dict.H1E_InputE.weight'
    """
    return f"module_dict.{post_layer}{post}_{pre_layer}{pre}.weight"


def learned_excitatory_weights(config: NetworkConfig, population: str = "E") -> list[str]:
    """Names of all learned E <- E weights of the forward phase, in order of construction.

    A projection without a learning rule, and one that acts in the backward phase only, are left out.
    """
    return [
        weight_name(post_layer, post, pre_layer, pre)
        for post_layer, posts in config.projection_config.items()
        for post, pre_layers in posts.items()
        for pre_layer, pres in pre_layers.items()
        for pre, projection in pres.items()
        if post == pre == population
        and projection.learning_rule is not None
        and projection.update_phase not in ("B", "backward")
    ]


def feedback_pairs(config: NetworkConfig, population: str = "E") -> list[tuple[str, str]]:
    """Names of forward and feedback weight for all neighbouring layers above the input; empty if one is missing."""
    pairs = []
    for lower, upper in pairwise(list(config.layer_config)[1:]):
        for post_layer, pre_layer in ((upper, lower), (lower, upper)):
            post = config.projection_config.get(post_layer, {}).get(population, {})
            if population not in post.get(pre_layer, {}):
                return []
        pairs.append(
            (weight_name(upper, population, lower, population), weight_name(lower, population, upper, population))
        )
    return pairs
