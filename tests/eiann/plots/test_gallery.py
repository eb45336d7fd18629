"""All pictures of a network: those that its data and structure allow, made from what it does."""

from __future__ import annotations

import pytest
import torch

import eiann
from eiann.data import Dataset
from eiann.data.dataset import one_hot
from eiann.plots import network_pictures
from tests.eiann.plots.texts import drawn_texts

LEARNED = {"learning_rule": "Backprop", "learning_rule_kwargs": {"learning_rate": 0.01}}
ALWAYS = {"architecture", "confusion", "similarity", "weights", "weight_histograms"}


def samples(shape: tuple[int, ...], classes: int = 3, each: int = 8) -> Dataset:
    numbers = torch.Generator().manual_seed(0)
    labels = torch.arange(classes).repeat(each)
    return Dataset(torch.rand(len(labels), *shape, generator=numbers), one_hot(labels, classes), "some")


def network(inputs: int, *, steps: int = 1) -> eiann.Network:
    """An input, excitatory and inhibitory hidden units, an output; two replicas."""

    def weights(*bounds: int | None) -> dict[str, object]:
        return {
            "weight_init": "half_kaiming",
            "weight_init_args": [1.0],
            "weight_bounds": list(bounds),
            "learning_rule": None,
        }

    config = {
        "layer_config": {
            "Input": {"E": {"size": inputs}},
            "H1": {"E": {"size": 6, "activation": "relu"}, "SomaI": {"size": 2, "activation": "relu"}},
            "Output": {"E": {"size": 3, "activation": "relu"}},
        },
        "projection_config": {
            "H1": {
                "E": {"Input": {"E": weights(0, None)}, "H1": {"SomaI": weights(None, 0)}},
                "SomaI": {"H1": {"E": weights(0, None)}},
            },
            "Output": {"E": {"H1": {"E": {**weights(0, None), **LEARNED}}}},
        },
        "training_kwargs": {"tau": 3 if steps > 1 else 1, "forward_steps": steps},
    }
    return eiann.Network(eiann.NetworkConfig.from_dict(config), seeds=[1, 2])


@pytest.mark.parametrize(
    ("inputs", "steps", "more"),
    [
        (2, 4, {"decision_map", "receptive_fields", "dynamics"}),
        (2, 1, {"decision_map", "receptive_fields"}),
        (36, 4, {"receptive_fields", "dynamics"}),
        (7, 1, set()),
    ],
)
def test_each_network_gets_the_pictures_that_it_allows(inputs: int, steps: int, more: set[str]) -> None:
    found = dict(network_pictures(network(inputs, steps=steps), samples((inputs,)), replica=1))
    assert set(found) == ALWAYS | more


def test_receptive_fields_are_of_excitatory_units_that_are_active() -> None:
    trained = network(2, steps=4)
    (hidden,) = (index for index, p in enumerate(trained.architecture.populations) if p.label == "H1.E")
    into = [j for j in trained.architecture.projections if j.post == hidden]
    for projection in into:
        trained.weights[projection.index][:, 0] = 0.0  # its first unit gets nothing
    found = dict(network_pictures(trained, samples((2,))))
    words = [word for word, _ in drawn_texts(found["receptive_fields"])]
    assert "H1.E 1" in words
    assert "H1.E 0" not in words
    assert "SomaI" not in words


def test_learning_curves_come_with_a_history() -> None:
    learner, data = network(7), samples((7,))
    history = eiann.train(learner, data, [1, 2], steps=20, validation=data, val_interval=(0, -1, 10))
    assert "learning_curves" in dict(network_pictures(learner, data, history))
