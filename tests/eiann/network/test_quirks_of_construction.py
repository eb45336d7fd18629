"""The table of quirks of the reference model (MODEL.md, section 16), rows that show when a network is built.

We match the row, or say why not in one line.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch

import eiann
from eiann.data import Dataset
from tests.eiann.network.quirks import (
    DATA,
    OF_CONSTRUCTION,
    Rows,
    build,
    convolutional,
    incoming,
    refused,
    same,
    tiny,
    trained,
)
from tests.eiann.tiny import rule

row = Rows()


@row(1)
def test_the_output_is_the_first_population_of_the_last_layer() -> None:
    raw = tiny()
    assert build(raw).architecture.output.label == "Output.E"
    raw["layer_config"]["Output"]["E"]["output_pop"] = True
    assert build(raw).architecture.output.label == "Output.E"
    raw["layer_config"]["Output"]["SomaI"]["output_pop"] = True
    refused(raw, "found output_pop on Output.SomaI; the output is the first of the last layer, Output.E")


@row(2)
def test_convolutions_without_a_constraint_can_be_built_and_trained() -> None:
    network = build(convolutional())
    data = Dataset(torch.rand(4, 2, 8, 8), torch.eye(3)[[0, 1, 2, 0]], "images")
    assert torch.isfinite(eiann.train(network, data, [1]).loss).all()


@row(3)
def test_the_population_type_default_is_accepted() -> None:
    raw = tiny()
    plain = trained(raw)
    raw["layer_config"]["H1"]["E"]["population_type"] = "default"
    assert same(trained(raw), plain)


@row(4)
def test_the_compartment_dendrite_is_an_alias_of_dend() -> None:
    raw = tiny()
    plain = trained(raw)
    incoming(raw, "H1.E", "Output.E")["compartment"] = "dendrite"
    assert same(trained(raw), plain)


@row(5)
@pytest.mark.parametrize(
    "name",
    [
        "Hebbian_Temporal_Contrast",
        "Top_Down_Hebbian_Temporal_Contrast_1",
        "Top_Down_Hebbian_Temporal_Contrast_3",
    ],
)
def test_temporal_contrast_in_the_recurrent_direction_is_an_error(name: str) -> None:
    raw = tiny()
    incoming(raw, "H1.SomaI", "H1.E").update(rule(name))
    refused(raw, f"found {name} on a recurrent projection")


@row(14)
def test_samples_have_a_batch_axis_and_a_single_input_is_no_exception() -> None:
    with pytest.raises(eiann.UserError, match="found inputs of shape"):
        eiann.train(build(convolutional()), Dataset(torch.rand(2, 8, 8), torch.eye(3)[:2], "one image"), [1])
    one = {
        "layer_config": {"Input": {"E": {"size": 1}}, "Output": {"E": {"size": 1}}},
        "projection_config": {"Output": {"E": {"Input": {"E": {"learning_rule": "Backprop"}}}}},
        "training_kwargs": {"learning_rate": 0.1},
    }
    history = eiann.train(build(one), Dataset(torch.rand(3, 1), torch.ones(3, 1), "one number"), [1])
    assert history.loss.shape == (1, 3)


@row(16)
def test_training_and_evaluation_have_names_of_their_own() -> None:
    network = build(tiny())
    assert not hasattr(network, "eval")
    assert not hasattr(network, "train")
    assert eiann.evaluate(network, DATA).loss.shape == (1,)


@row(20)
def test_an_omitted_rule_is_backprop_and_null_is_none() -> None:
    raw = tiny(rule("Backprop"), backward_steps=3)
    section = incoming(raw, "H1.E", "Input.E")
    del section["learning_rule"]
    rules = {j.name: j.rule for j in build(raw).architecture.projections}
    assert rules["H1E_InputE"] is not None
    assert rules["H1E_InputE"].name == "Backprop"
    assert rules["H1SomaI_InputE"] is None
    section["learning_rule"] = "None"
    refused(raw, "no learning rule has that name")
    layers = {"Input": {"E": {"size": 2}}, "Output": {"E": {"size": 2}}}
    dotted = {"layer_config": layers, "projection_config": {"Output.E": {"Input.E": {"learning_rule": "None"}}}}
    assert build(dotted).architecture.projections[0].rule is None


@row(22)
@pytest.mark.parametrize("name", ["BP_like_2E", "BP_like_2L", "Hebbian_Temporal_Contrast", "BTSP_19"])
def test_a_hidden_population_needs_a_dendrite_for_its_error_and_the_output_does_not(name: str) -> None:
    raw = tiny(rule(name))
    del raw["projection_config"]["H1"]["E"]["Output"], raw["projection_config"]["H1"]["E"]["H1"]["DendI"]
    refused(raw, "H1.E has no dendritic input")
    incoming(raw, "H1.E", "Input.E").update(learning_rule=None, learning_rule_kwargs={})
    assert build(raw).R == 1


@row(25)
def test_a_rule_that_does_not_exist_is_an_error() -> None:
    refused(tiny(rule("almost_backprop2")), "found 'almost_backprop2'; no learning rule has that name")


@row(26)
@pytest.mark.parametrize("dims", [[3, 3], [2, 2, 2], None])
def test_a_field_of_another_image_is_an_error(dims: list[int] | None) -> None:
    raw = tiny()
    given = {"receptive_field_size": 1} | ({} if dims is None else {"image_dims": dims})
    section = incoming(raw, "H1.E", "Input.E")
    section.update(weight_constraint="receptive_field_mask", weight_constraint_kwargs=given)
    refused(raw, "Input.E has 4")


@row(27)
def test_an_image_needs_a_size_and_the_output_comes_last() -> None:
    raw = convolutional()
    del raw["layer_config"]["Conv"]["E"]["image_source"]
    refused(raw, "missing; give image_dim, or image_source")
    raw = tiny()
    raw["layer_config"]["H1"] = raw["layer_config"].pop("H1")
    refused(raw, "found the layer 'Output' before 'H1'")


@row(29)
@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"backward_steps": 0}, "need at least one backward step"),
        ({"optimizer": None}, "need an optimizer"),
        ({"learning_rate": None}, "give the rule a learning_rate"),
    ],
)
def test_backprop_without_what_it_needs_is_an_error_at_construction(keys: dict[str, Any], words: str) -> None:
    raw = tiny({"learning_rule": "Backprop"}, backward_steps=3)
    raw["training_kwargs"].update(keys)
    refused(raw, words)


@row(30)
@pytest.mark.parametrize("keys", [{"kernel_size": 5}, {"stride": 2}, {"padding": 1}, {"dilation": 2}])
def test_a_convolution_that_gives_another_image_is_an_error_at_construction(keys: dict[str, int]) -> None:
    raw = convolutional()
    incoming(raw, "Conv.E", "Input.E").update(keys)
    refused(raw, "set its image_dim to")


@row(32)
@pytest.mark.parametrize("place", ["Input", "Pool", "Flat"])
@pytest.mark.parametrize(("key", "value"), [("activation", "relu"), ("include_bias", True), ("tau", 2)])
def test_keys_that_would_mean_nothing_are_an_error(place: str, key: str, value: Any) -> None:
    raw = convolutional()
    raw["layer_config"][place]["E"][key] = value
    refused(raw, f"found {key}; it has no effect on")


@row(33)
@pytest.mark.parametrize("name", ["H_1", "H.1"])
def test_names_hold_no_separator(name: str) -> None:
    raw = tiny()
    raw["layer_config"][name] = {"E": {"size": 2}}
    with pytest.raises(eiann.ConfigError, match="letters and digits only"):
        build(raw)
    raw = tiny()
    raw["layer_config"]["H1"][name] = {"size": 2}
    with pytest.raises(eiann.ConfigError, match="letters and digits only"):
        build(raw)


def test_every_row_has_its_test() -> None:
    assert set(row) == OF_CONSTRUCTION
