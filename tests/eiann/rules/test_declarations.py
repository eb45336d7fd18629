"""Each rule bounds its parameters and says what it computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import eiann
from eiann.errors import ConfigError
from eiann.rules import BIAS_RULES, RULES, LearningRule, Nudging, parse_rule

REQUIRED: dict[str, dict[str, Any]] = {
    "Supervised_BCM_4": {"theta_tau": 10, "k": 0.5},
    "Backprop_DendriticLoss": {"source": "H1.E"},
}
NAMES = sorted(name for name, rule in RULES.items() if rule.__module__.startswith("eiann."))
BAD: dict[str, list[Any]] = {
    "learning_rate": [float("nan"), float("inf"), "fast", True, [0.1]],
    "max_pop_fraction": [0, -0.1, 1.1, float("nan"), True],
    "stochastic": ["perhaps", 2, [True]],
    "relu_gate": ["perhaps", 2],
    "forward_only": ["perhaps", 2],
    "sign": [0, 2, -0.5, float("nan"), "plus", True],
    "theta_tau": [0, -1, float("inf")],
    "k": [0, -1, float("nan")],
    "neg_rate_th": [float("nan"), float("inf"), "low"],
    "dep_ratio": [-1, float("inf")],
    "dep_th": [-0.1, 1.1, float("nan")],
    "dep_width": [0, -0.1, 1e-300, float("inf")],
    "temporal_discount": [-0.1, 1.1, float("nan")],
    "source": [None, 1],
}
CASES = [
    (name, parameter, value) for name in NAMES for parameter in RULES[name].model_fields for value in BAD[parameter]
]


@pytest.mark.parametrize(("name", "parameter", "value"), CASES)
def test_a_value_out_of_bounds_is_one_line(name: str, parameter: str, value: Any) -> None:
    parse_rule(name, REQUIRED.get(name, {}))
    with pytest.raises(ConfigError) as caught:
        parse_rule(name, {**REQUIRED.get(name, {}), parameter: value})
    message = str(caught.value)
    assert "\n" not in message
    assert "found" in message
    assert message.startswith("learning_rule_kwargs")


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_parameter_is_an_error(name: str) -> None:
    with pytest.raises(ConfigError, match="has no parameter 'learning_rte'; did you mean 'learning_rate'"):
        parse_rule(name, {**REQUIRED.get(name, {}), "learning_rte": 1})


@pytest.mark.parametrize("name", NAMES)
def test_a_rule_says_its_equation_its_source_and_its_parameters(name: str) -> None:
    rule = RULES[name]
    text = rule.__doc__ or ""
    assert ":=" in text or "criterion(" in text
    module = __import__(rule.__module__, fromlist=["__doc__"]).__doc__ or ""
    assert any(year in text + module for year in ("1949", "1982", "1986", "1990", "2003", "2021", "2025"))
    known = text + (Nudging.__doc__ or "") + (LearningRule.__doc__ or "")
    assert [parameter for parameter in rule.model_fields if parameter not in known] == []


def test_all_rules_of_the_reference_are_there() -> None:
    assert set(NAMES) == {
        "Backprop", "Backprop_DendriticLoss", "BP_like_2E", "BP_like_2L", "Top_Layer_BP_like_2L", "Ojas_rule",
        "Supervised_BCM_4", "Hebb_WeightNorm", "Hebb_WeightNorm_4", "Hebbian_Temporal_Contrast",
        "Top_Down_Hebbian_Temporal_Contrast_1", "Top_Down_Hebbian_Temporal_Contrast_3", "BTSP_19", "DendriticLoss_6",
    }  # fmt: skip
    assert {"Backprop", "BackpropBias", "DendriticLossBias"} <= set(BIAS_RULES)


@pytest.mark.parametrize(
    ("projection", "words"),
    [
        ("rule Bakprop", "did you mean 'Backprop'"),
        ("rule BTSP_19(dep_th=2)", "found 2"),
        ("rule BP_like_2E", "no dendritic input"),
        ("rule Backprop, constraint normalise(scale=1)", "did you mean 'normalize_weight'"),
    ],
)
def test_in_the_compact_form_the_error_is_at_the_users_own_line(tmp_path: Path, projection: str, words: str) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "layers:\n  Input: {E: 2}\n  H1: {E: 3}\n  Output: {E: 2}\nprojections:\n  Output.E <- H1.E: rule Backprop\n"
        f"  H1.E <- Input.E: {projection}\ntraining: {{learning_rate: 0.1}}\n"
    )
    with pytest.raises(ConfigError) as caught:
        eiann.Network.from_yaml(path, seeds=[1])
    message = str(caught.value)
    assert message.startswith(f"{path}:7: projections.'H1.E <- Input.E'")
    assert words in message
    assert "\n" not in message
