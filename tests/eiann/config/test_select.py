"""Selectors find values of a network by the words of network files."""

# ruff: noqa: E501 - a case of a table stands on one line

import pytest

from eiann.config import NetworkConfig, select, select_populations, select_projections
from eiann.errors import ConfigError

CONFIG = NetworkConfig.from_dict({
    "layers": {"Input": {"E": 4}, "H1": {"E": 3, "DendI": 2}, "H2": {"E": 3, "DendI": 2}, "Output": {"E": 2}},
    "projections": {"E <- below.E": "rule X(a=1), init 2", "E <- DendI": "dend", "E <- above.E": "dend", "H2.E <- above.E": "remove"},
})  # fmt: skip

PROJECTIONS = [
    ("E <- below.E", ["H1.E <- Input.E", "H2.E <- H1.E", "Output.E <- H2.E"]),
    ("E <- above.E", ["H1.E <- H2.E"]),
    ("*.E <- *.DendI", ["H1.E <- H1.DendI", "H2.E <- H2.DendI"]),
    ("H1.* <- any.*", ["H1.E <- Input.E", "H1.E <- H1.DendI", "H1.E <- H2.E"]),
    ("hidden.E <- hidden.E", ["H1.E <- H2.E", "H2.E <- H1.E"]),
    ("Output.E <- H2.E", ["Output.E <- H2.E"]),
]


@pytest.mark.parametrize(("where", "found"), PROJECTIONS)
def test_projections_that_are_there_in_network_order(where: str, found: list[str]) -> None:
    assert [f"{'.'.join(post)} <- {'.'.join(pre)}" for post, pre in select_projections(CONFIG, where)] == found


POPULATIONS = [
    ("E", ["H1.E", "H2.E", "Output.E"]),
    ("any.E", ["Input.E", "H1.E", "H2.E", "Output.E"]),
    ("hidden.E", ["H1.E", "H2.E"]),
    ("Input.E", ["Input.E"]),
    ("H*.*I", ["H1.DendI", "H2.DendI"]),
]


@pytest.mark.parametrize(("where", "found"), POPULATIONS)
def test_populations(where: str, found: list[str]) -> None:
    assert [".".join(item) for item in select_populations(CONFIG, where)] == found


P, L = ("projection_config", "H1", "E", "Input", "E"), ("layer_config", "H1", "E")
KEYS = [
    ("H1.E <- Input.E: rule", (*P, "learning_rule")),
    ("H1.E <- Input.E: rule.learning_rate", (*P, "learning_rule_kwargs", "learning_rate")),
    ("H1.E <- Input.E: init", (*P, "weight_init")),
    ("H1.E <- Input.E: init[0]", (*P, "weight_init_args", 0)),
    ("H1.E <- Input.E: init.scale", (*P, "weight_init_args", "scale")),
    ("H1.E <- Input.E: constraint.scale", (*P, "weight_constraint_kwargs", "scale")),
    ("H1.E <- Input.E: bounds[1]", (*P, "weight_bounds", 1)),
    ("H1.E <- Input.E: phase", (*P, "update_phase")),
    ("H1.E <- Input.E: weight_init_args[0]", (*P, "weight_init_args", 0)),
    ("H1.E <- Input.E: learning_rule_kwargs.a.b[2]", (*P, "learning_rule_kwargs", "a", "b", 2)),
    ("H1.E: size", (*L, "size")),
    ("H1.E: bias.learning_rate", (*L, "bias_learning_rule_kwargs", "learning_rate")),
    ("H1.E: bias_init[0]", (*L, "bias_init_args", 0)),
    ("H1.E: activation.n", (*L, "activation_kwargs", "n")),
    ("training: learning_rate", ("training_kwargs", "learning_rate")),
    (" training : optimizer.momentum ", ("training_kwargs", "optimizer_kwargs", "momentum")),
]


@pytest.mark.parametrize(("selector", "path"), KEYS)
def test_keys(selector: str, path: tuple[str | int, ...]) -> None:
    assert select(CONFIG, selector) == [path]


REFUSED = [
    ("H1.E", "found 'H1.E'; 'WHERE: KEY' would be right"),
    ("H9.E: size", "there is no layer 'H9'; there are: Input, H1, H2, Output"),
    ("H1.DendJ: size", "there is no population 'DendJ'; did you mean 'DendI'?"),
    ("Output.DendI: size", "layer 'Output' has no population 'DendI'; there are: E"),
    ("*.X*: size", "no population of this network matches '*.X*'"),
    ("E <- above.DendI: init[0]", "no projection of this network matches 'E <- above.DendI'"),
    ("H2.E <- Output.E: init[0]", "no projection of this network matches 'H2.E <- Output.E'"),
    ("below.E: size", "'below' has a meaning only behind the arrow: 'E <- below.E'"),
    ("H1.E: sise", "found 'sise'; no key has that name; did you mean 'size'?"),
    ("H1.E: ", "found ''; a key like 'size'"),
    ("H1.E: a b", "found 'a b'; a key like 'size'"),
    ("H1.E <- Input.E <- E: init", "found 'H1.E <- Input.E <- E'; 'POST <- PRE' would be right"),
    ("H1 E: size", "found 'H1 E'; a population like 'H1.E' or 'E' would be right"),
]


@pytest.mark.parametrize(("selector", "message"), REFUSED)
def test_a_selector_that_means_nothing_says_so(selector: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        select(CONFIG, selector)
    assert str(error.value).startswith(message)
