"""What could not be trained is refused at construction, in one line with its key path."""

from __future__ import annotations

from typing import Any

import pytest

import eiann
from eiann.data import load


def base() -> dict[str, Any]:
    return {
        "layer_config": {
            "Input": {"E": {"size": 2}},
            "H1": {"E": {"size": 3, "activation": "relu"}},
            "Output": {"E": {"size": 4, "activation": "relu"}},
        },
        "projection_config": {
            "H1": {"E": {"Input": {"E": {"learning_rule": "Backprop"}}}},
            "Output": {"E": {"H1": {"E": {"learning_rule": "Backprop"}}}},
        },
        "training_kwargs": {"learning_rate": 0.1},
    }


def changed(path: str, value: Any) -> dict[str, Any]:
    config = base()
    *keys, last = path.split(".")
    place: Any = config
    for key in keys:
        place = place.setdefault(key, {})
    place[last] = value
    return config


H1 = "projection_config.H1.E.Input.E"
OUT = "projection_config.Output.E.H1.E"


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (f"{H1}.learning_rule", "Backprp", "did you mean 'Backprop'"),
        (f"{H1}.learning_rule_kwargs", {"rate": 1}, "has no parameter 'rate'"),
        (f"{H1}.learning_rule", "almost_backprop2", "no learning rule has that name"),
        (f"{H1}.learning_rule", "Top_Layer_BP_like_2L", "last layer only"),
        (f"{H1}.learning_rule", "BP_like_2E", "no dendritic input"),
        (f"{H1}.learning_rule", "DendriticLoss_6", "no dendritic input"),
        (f"{H1}.weight_init", "half_kaiming", "lower bound >= 0"),
        (f"{H1}.weight_init_args", [1.0], "there is no weight_init"),
        (f"{H1}.weight_bounds", [2, 1], "the lower bound comes first"),
        (f"{H1}.weight_constraint", "normalise", "did you mean 'normalize_weight'"),
        (f"{OUT}.weight_constraint", "normalize_weight", "missing"),
        (f"{OUT}.weight_constraint_kwargs", {"scale": 1}, "without weight_constraint"),
        ("training_kwargs.backward_steps", 0, "at least one backward step"),
        ("training_kwargs.optimizer", None, "need an optimizer"),
        ("training_kwargs.learning_rate", None, "learning_rate"),
        ("training_kwargs.criterion", "L1Loss", "the criteria are"),
        ("layer_config.H1.E.activation", "rleu", "did you mean 'relu'"),
        ("layer_config.H1.E.activation_kwargs", {"n": 2}, "has no parameter 'n'"),
        ("layer_config.H1.E.output_pop", True, "first of the last layer"),
        ("layer_config.H1.E.bias_learning_rule", "DendriticLossBias", "plateau"),
        ("layer_config.H_1", {"E": {"size": 2}}, "letters and digits only"),
        ("projection_config.H1.E.Nowhere", {"E": {}}, "there is no layer 'Nowhere'"),
        ("projection_config.Input", {"E": {"H1": {"E": {}}}}, "receive none"),
    ],
)
def test_a_wrong_key_is_one_line_with_its_path(path: str, value: Any, words: str) -> None:
    with pytest.raises(eiann.UserError) as caught:
        eiann.Network(eiann.NetworkConfig.from_dict(changed(path, value)), seeds=[1])
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert message.split(".", maxsplit=1)[0] in ("layer_config", "projection_config", "training_kwargs")


def test_one_dimension_of_seeds_and_data_is_checked() -> None:
    config = eiann.NetworkConfig.from_dict(base())
    with pytest.raises(eiann.UserError, match="no seed"):
        eiann.Network(config, seeds=[])
    with pytest.raises(eiann.UserError, match="2 configurations and 1 seeds"):
        eiann.Network([config, config], seeds=[1])
    network = eiann.Network(config, seeds=[1])
    spiral = load("spiral")
    with pytest.raises(eiann.UserError, match="2 data seeds for 1 replicas"):
        eiann.train(network, spiral.train, [1, 2])
    with pytest.raises(eiann.UserError, match="at most 5600"):
        eiann.train(network, spiral.train, [1], steps=5601)
    with pytest.raises(eiann.UserError, match="executor"):
        eiann.train(network, spiral.train, [1], executor="fast")


def test_replicas_share_structure_and_may_differ_in_numbers() -> None:
    one = eiann.NetworkConfig.from_dict(base())
    rate = eiann.NetworkConfig.from_dict(changed(f"{H1}.learning_rule_kwargs", {"learning_rate": 0.5}))
    assert eiann.Network([one, rate], seeds=[1, 2]).R == 2
    fixed = eiann.NetworkConfig.from_dict(changed(f"{H1}.learning_rule", None))
    with pytest.raises(eiann.UserError, match="more than numbers"):
        eiann.Network([one, fixed], seeds=[1, 2])


def test_an_absent_device_is_refused() -> None:
    import torch

    if torch.cuda.is_available():
        assert eiann.Network(eiann.NetworkConfig.from_dict(base()), seeds=[1], device="cuda").device.type == "cuda"
        return
    with pytest.raises(eiann.UserError, match="no CUDA device"):
        eiann.Network(eiann.NetworkConfig.from_dict(base()), seeds=[1], device="cuda")
