"""The weights that analyses compare are found in the configuration."""

from eiann.config import NetworkConfig
from eiann.metrics import feedback_pairs, learned_excitatory_weights


def network(**changes: object) -> NetworkConfig:
    projections = {
        "H1": {
            "E": {
                "Input": {"E": {"learning_rule": "BP_like_2E"}},
                "H1": {"SomaI": {"learning_rule": None}},
                "Output": {"E": {"update_phase": "B", "compartment": "dend", "learning_rule": "DendriticLoss_6"}},
            },
            "SomaI": {"Input": {"E": {}}},
        },
        "Output": {"E": {"H1": {"E": {"learning_rule": "BP_like_2E"}}}},
    }
    layers = {
        "Input": {"E": {"size": 2}},
        "H1": {"E": {"size": 3}, "SomaI": {"size": 2}},
        "Output": {"E": {"size": 2}},
    }
    return NetworkConfig.from_dict({"layer_config": layers, "projection_config": projections | changes})


def test_learned_weights_between_excitatory_populations_of_the_forward_phase() -> None:
    assert learned_excitatory_weights(network()) == ["module_dict.H1E_InputE.weight", "module_dict.OutputE_H1E.weight"]


def test_a_fixed_weight_is_left_out_and_an_unnamed_rule_is_backprop() -> None:
    fixed = network(Output={"E": {"H1": {"E": {"learning_rule": None}}}})
    assert learned_excitatory_weights(fixed) == ["module_dict.H1E_InputE.weight"]
    unnamed = network(Output={"E": {"H1": {"E": {}}}})
    assert learned_excitatory_weights(unnamed)[-1] == "module_dict.OutputE_H1E.weight"


def test_feedback_pairs_are_those_of_neighbouring_layers_above_the_input() -> None:
    assert feedback_pairs(network()) == [("module_dict.OutputE_H1E.weight", "module_dict.H1E_OutputE.weight")]


def test_one_missing_feedback_gives_no_pairs() -> None:
    assert feedback_pairs(network(H1={"E": {"Input": {"E": {}}}})) == []
