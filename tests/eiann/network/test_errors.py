"""What could not be trained is refused at construction, in one line with its key path."""

from __future__ import annotations

from typing import Any

import pytest

import eiann
from eiann.data import Dataset, load


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


def test_the_device_of_the_file_counts_where_no_other_is_named() -> None:
    import torch

    on_cuda = eiann.NetworkConfig.from_dict(changed("training_kwargs.device", "cuda"))
    assert eiann.Network(on_cuda, seeds=[1], device="cpu").device.type == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(eiann.UserError, match="no CUDA device"):
            eiann.Network(on_cuda, seeds=[1])
    with pytest.raises(eiann.UserError, match="device: found 'abacus'"):
        eiann.NetworkConfig.from_dict(changed("training_kwargs.device", "abacus"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "int64", "complex64"])
def test_numbers_that_cannot_be_saved_are_not_trained(dtype: str) -> None:
    import torch

    config = eiann.NetworkConfig.from_dict(base())
    with pytest.raises(eiann.UserError, match=f"dtype: found torch.{dtype}; use torch.float32"):
        eiann.Network(config, seeds=[1], dtype=getattr(torch, dtype))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"data_seeds": [1.7]}, "data_seeds: found 1.7; whole numbers"),
        ({"data_seeds": [2**64]}, "data_seeds: found 18446744073709551616"),
        ({"steps": 10.0}, "steps: found 10.0; a whole number"),
        ({"steps": 0}, "steps: found 0; a whole number"),
        ({"epochs": 0}, "epochs: found 0; a whole number"),
    ],
)
def test_counts_and_seeds_are_whole_numbers(keys: dict[str, Any], words: str) -> None:
    network = eiann.Network(eiann.NetworkConfig.from_dict(base()), seeds=[1])
    with pytest.raises(eiann.UserError, match=words):
        eiann.train(network, load("spiral").train, **{"data_seeds": [1], **keys})
    for seed in (1.7, "2", 2**65):
        with pytest.raises(eiann.UserError, match=f"seeds: found {seed!r}"):
            eiann.Network(network.configs, seeds=[seed])  # type: ignore[list-item]


@pytest.mark.parametrize("executor", ["torch", "native"])
def test_data_that_do_not_fit_a_replica_are_refused_everywhere(executor: str) -> None:
    import torch

    spiral = load("spiral").train
    config = eiann.NetworkConfig.from_dict(base())
    other = eiann.NetworkConfig.from_dict(changed("layer_config.Output.E.size", 5))
    wide = Dataset(torch.rand(6, 784), spiral.targets[:6], "wide")
    network = eiann.Network(config, seeds=[1])
    for call in (
        lambda: eiann.evaluate(network, wide, executor),
        lambda: eiann.predict(network, wide.inputs, executor),
        lambda: eiann.equilibration_residual(network, wide, executor=executor),
        lambda: eiann.train(network, wide, [1], executor=executor),
    ):
        with pytest.raises(eiann.UserError, match=r"found inputs of shape \(784,\)"):
            call()
    with pytest.raises(eiann.UserError, match=r"found the shape \(784,\)"):
        eiann.predict(network, wide.inputs[0], executor)
    with pytest.raises(eiann.UserError, match=r"found 4 classes; the output Output\.E has 5 units"):
        eiann.train(eiann.Network([config, other], seeds=[1, 2]), spiral, [1, 2], executor=executor, steps=3)
    with pytest.raises(eiann.UserError, match=r"found 4 classes; the output Output\.E has 5 units"):
        eiann.evaluate(eiann.Network(other, seeds=[1]), spiral, executor)
