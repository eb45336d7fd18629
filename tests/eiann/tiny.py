"""The tiny network of the model's specification (section 17), and small helpers of the model's tests."""

from __future__ import annotations

from typing import Any

import torch

from eiann import NetworkConfig
from eiann.data import Dataset

P, N = [0, None], [None, 0]


def projection(scale: float | None, bounds: list[float | None], **keys: Any) -> dict[str, Any]:
    start = {"weight_init": "half_kaiming", "weight_bounds": bounds, "learning_rule": None}
    if scale is not None:
        start["weight_init_args"] = [scale]
    return {**start, **keys}


def tiny_config(
    hidden: dict[str, Any], output: dict[str, Any], bias_rule: str | None = None, backward_steps: int = 0
) -> NetworkConfig:
    """The tiny network with the rules of its two learned excitatory projections."""
    population: dict[str, Any] = {"activation": "relu"}
    bias = {}
    if bias_rule is not None:
        bias = {"bias_learning_rule": bias_rule, "bias_learning_rule_kwargs": {"learning_rate": 0.05}}
    no_autapses = {"weight_constraint": "no_autapses"}
    recurrent = {"direction": "R"}

    def hebb(sign: int, rate: float, scale: float) -> dict[str, Any]:
        return {
            **recurrent,
            "weight_constraint": "normalize_weight",
            "weight_constraint_kwargs": {"scale": scale},
            "learning_rule": "Hebb_WeightNorm",
            "learning_rule_kwargs": {"sign": sign, "learning_rate": rate, "forward_only": True},
        }

    dend = {"compartment": "dend", "update_phase": "B"}
    loss6 = {"learning_rule": "DendriticLoss_6", "learning_rule_kwargs": {"sign": -1, "learning_rate": 0.05}}
    clone = {
        "weight_constraint": "clone_weight",
        "weight_constraint_kwargs": {"source": "Output.E.H1.E", "transpose": True, "scale": 0.5},
    }
    return NetworkConfig.from_dict(
        {
            "layer_config": {
                "Input": {"E": {"size": 4}},
                "H1": {
                    "E": {"size": 6, **population, **bias},
                    "SomaI": {"size": 3, **population},
                    "DendI": {"size": 3, **population},
                },
                "Output": {"E": {"size": 3, **population, **bias}, "SomaI": {"size": 2, **population}},
            },
            "projection_config": {
                "H1": {
                    "E": {
                        "Input": {"E": projection(2.0, P, **hidden)},
                        "H1": {
                            "SomaI": projection(0.5, N, **recurrent),
                            "DendI": projection(1.0, N, **recurrent, **dend, **loss6),
                        },
                        "Output": {"E": projection(None, P, **dend, **clone)},
                    },
                    "SomaI": {
                        "Input": {"E": projection(1.0, P)},
                        "H1": {
                            "E": projection(1.0, P, update_phase="A", **recurrent),
                            "SomaI": projection(0.5, N, **recurrent, **no_autapses),
                        },
                    },
                    "DendI": {
                        "H1": {
                            "E": projection(None, P, update_phase="A", **hebb(1, 0.05, 1.5)),
                            "DendI": projection(None, N, **hebb(-1, 0.02, 0.5)),
                        }
                    },
                },
                "Output": {
                    "E": {
                        "H1": {"E": projection(2.0, P, **output)},
                        "Output": {"SomaI": projection(0.5, N, **recurrent)},
                    },
                    "SomaI": {
                        "H1": {"E": projection(1.0, P)},
                        "Output": {
                            "E": projection(1.0, P, update_phase="A", **recurrent),
                            "SomaI": projection(0.5, N, **recurrent, **no_autapses),
                        },
                    },
                },
            },
            "training_kwargs": {
                "tau": 3,
                "forward_steps": 15,
                "backward_steps": backward_steps,
                "learning_rate": 0.1,
            },
        }
    )


def rule(name: str, bounds: list[float | None] | None = None, **kwargs: Any) -> dict[str, Any]:
    keys: dict[str, Any] = {"learning_rule": name, "learning_rule_kwargs": {"learning_rate": 0.1, **kwargs}}
    return keys if bounds is None else {**keys, "weight_bounds": bounds}


def tiny_data() -> Dataset:
    inputs = torch.rand(12, 4, generator=torch.Generator().manual_seed(3))
    return Dataset(inputs, torch.eye(3)[torch.arange(12) % 3], "tiny")


#: name, hidden rule, output rule, bias rule, backward steps, loss at steps 0 1 2 and 11, final sum, validation losses
FIXTURES: list[tuple[Any, ...]] = [
    ("Backprop", rule("Backprop"), None, None, 3,
     (0.31998968, 0.60699999, 0.60159796, 0.26395997), 25.006401728, (0.69175154, 0.52958596, 0.46929753, 0.29752919)),
    ("Backprop with biases", rule("Backprop"), None, "BackpropBias", 3,
     (0.50811774, 1.38810647, 0.56055409, 0.30619749), 25.226527469, (1.10814774, 0.67385948, 0.52572411, 0.30141813)),
    ("BP_like_2E", rule("BP_like_2E", relu_gate=True), None, None, 0,
     (0.31998968, 0.59917212, 0.61850381, 0.26114386), 23.126378031, (0.68191171, 0.45265526, 0.39387220, 0.25890958)),
    ("BP_like_2E with biases", rule("BP_like_2E", relu_gate=True), None, "DendriticLossBias", 0,
     (0.50811774, 1.33760440, 0.58773518, 0.36177185), 23.694640342, (1.07231379, 0.56430721, 0.40836626, 0.27460557)),
    ("BP_like_2E of some units", rule("BP_like_2E", max_pop_fraction=0.4), None, None, 0,
     (0.31998968, 0.59623426, 0.62842125, 0.27315187), 23.569006126, (0.67710131, 0.45318520, 0.39663172, 0.26753384)),
    ("BP_like_2L", rule("BP_like_2L", relu_gate=True), None, None, 0,
     (0.31998968, 0.60371333, 0.61989045, 0.24388613), 23.829857600, (0.68426472, 0.47965866, 0.42410719, 0.27649283)),
    ("BP_like_2L forward only", rule("BP_like_2L", relu_gate=True, forward_only=True), None, None, 0,
     (0.31998968, 0.59918553, 0.61850119, 0.26111278), 23.125646708, (0.68192905, 0.45264816, 0.39383352, 0.25890526)),
    ("BP_like_2L stochastic", rule("BP_like_2L", stochastic=True), None, None, 0,
     (0.31998968, 0.59492344, 0.62265736, 0.25459656), 24.548762357, (0.67835104, 0.46498543, 0.40548849, 0.27443194)),
    ("Hebbian_Temporal_Contrast", rule("Hebbian_Temporal_Contrast"), None, None, 0,
     (0.31998968, 0.58804065, 0.62404525, 0.21762073), 23.508187449, (0.68311065, 0.44079885, 0.39212295, 0.26570749)),
    ("Supervised_BCM_4", rule("Supervised_BCM_4", theta_tau=10, k=0.3, relu_gate=True, max_pop_fraction=1), None, None,
     0, (0.31998968, 0.71385556, 0.91196662, 0.73161238), 29.531176944,
     (0.79502285, 0.96309173, 1.05965960, 1.27392304)),
    ("BTSP_19", rule("BTSP_19", [0, 1.5], neg_rate_th=0, temporal_discount=0.25), None, None, 0,
     (0.31998968, 0.57625473, 0.56290382, 0.28273383), 21.910948031, (0.65542072, 0.41621673, 0.29052538, 0.24238069)),
    ("Hebb_WeightNorm_4", rule("Hebb_WeightNorm_4"), rule("Top_Layer_BP_like_2L"), None, 0,
     (0.31998968, 0.62106568, 0.73335069, 0.27596879), 30.476109725, (0.71298122, 0.55881339, 0.51619101, 0.34253663)),
    ("Ojas_rule", rule("Ojas_rule"), rule("Top_Layer_BP_like_2L"), None, 0,
     (0.31998968, 0.58574057, 0.65358204, 0.29718366), 25.760126868, (0.67901820, 0.47299576, 0.41352904, 0.29131991)),
]  # fmt: skip
