"""Random small networks for property tests: any depth, cell types, rules, constraints and dynamics that go together."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from eiann import NetworkConfig

INPUTS, CLASSES = 3, 3
ACTIVATIONS = ["relu", "softplus", "sigmoid", "srelu", "tanh", "linear"]
#: Rules of the excitatory feed-forward weights; those that need an error at a dendrite, and those that do not.
DENDRITIC: dict[str, dict[str, Any]] = {
    "BP_like_2E": {}, "BP_like_2L": {}, "Hebbian_Temporal_Contrast": {}, "BTSP_19": {"neg_rate_th": 0},
    "Supervised_BCM_4": {"theta_tau": 10, "k": 0.5, "max_pop_fraction": 1},
}  # fmt: skip
PLAIN = ["Backprop", "Ojas_rule", "Hebb_WeightNorm_4", None]
EXCITATORY, INHIBITORY = [0, None], [None, 0]
RECURRENT = {"direction": "R"}
DENDRITE = {"compartment": "dend", "update_phase": "B"}
DENDRITIC_LOSS = {"learning_rule": "DendriticLoss_6", "learning_rule_kwargs": {"sign": -1, "learning_rate": 0.05}}
NORMALIZED = {
    "learning_rule": "Hebb_WeightNorm", "learning_rule_kwargs": {"learning_rate": 0.05},
    "weight_constraint": "normalize_weight", "weight_constraint_kwargs": {"scale": 1.5},
}  # fmt: skip


@dataclass
class _Plan:
    """A network as it is drawn."""

    draw: st.DrawFn
    rule: str | None
    bias: str | None
    layers: dict[str, Any] = field(default_factory=dict)
    projections: dict[str, Any] = field(default_factory=dict)

    @property
    def dendritic(self) -> bool:
        return self.rule in DENDRITIC

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def population(self, units: int, *, excitatory: bool) -> dict[str, Any]:
        activation = self.draw(st.sampled_from(ACTIVATIONS)) if excitatory else "relu"
        keys: dict[str, Any] = {"size": units, "activation": activation}
        if self.maybe():
            keys["tau"] = self.draw(st.sampled_from([1, 2, 3.5]))
        if self.bias is not None and excitatory:
            keys["include_bias"] = True
            if self.bias == "learned" and (self.dendritic or self.rule == "Backprop"):
                keys["bias_learning_rule"] = "DendriticLossBias" if self.dendritic else "Backprop"
                keys["bias_learning_rule_kwargs"] = {"learning_rate": 0.03}
        return keys

    def layer(self, name: str) -> None:
        size, output = st.integers(1, 6), name == "Output"
        members = {"E": self.population(CLASSES if output else self.draw(size), excitatory=True)}
        if self.maybe():
            members["SomaI"] = self.population(self.draw(size), excitatory=False)
        if self.dendritic and not output and self.maybe():
            members["DendI"] = self.population(self.draw(size), excitatory=False)
        self.layers[name] = members

    def connect(self, layer: str, post: str, pre_layer: str, pre: str, **keys: Any) -> None:
        place = self.projections.setdefault(layer, {}).setdefault(post, {}).setdefault(pre_layer, {})
        bounds = INHIBITORY if pre.endswith("I") else EXCITATORY
        place[pre] = {"weight_init": "half_kaiming", "weight_bounds": bounds, "learning_rule": None, **keys}

    def learned(self) -> dict[str, Any]:
        if self.rule is None:
            return {}
        kwargs = {**DENDRITIC.get(self.rule, {}), "learning_rate": self.draw(st.sampled_from([0.01, 0.1]))}
        if self.dendritic and self.rule != "Supervised_BCM_4":
            kwargs["max_pop_fraction"] = self.draw(st.sampled_from([1.0, 0.4]))
            kwargs["relu_gate"] = self.maybe()
        return {"learning_rule": self.rule, "learning_rule_kwargs": kwargs}

    def wire(self, below: str, layer: str, above: str | None) -> None:
        bounds = self.draw(st.sampled_from([EXCITATORY, [0, 1.5]]))
        self.connect(layer, "E", below, "E", weight_init_args=[1.5], **{"weight_bounds": bounds, **self.learned()})
        if above is not None and not self.dendritic and self.maybe():
            self.connect(layer, "E", layer, "E", weight_init_args=[0.3], weight_constraint="no_autapses", **RECURRENT)
        if "SomaI" in self.layers[layer]:
            self.connect(layer, "E", layer, "SomaI", weight_init_args=[0.5], **RECURRENT)
            self.connect(layer, "SomaI", below, "E")
            phase = self.draw(st.sampled_from(["F", "A"]))
            self.connect(layer, "SomaI", layer, "E", update_phase=phase, **RECURRENT)
        if "DendI" in self.layers[layer]:
            self.connect(layer, "E", layer, "DendI", **RECURRENT, **DENDRITE, **DENDRITIC_LOSS)
            self.connect(layer, "DendI", layer, "E", update_phase="A", **RECURRENT, **NORMALIZED)
        if self.dendritic and above is not None:
            clone = {"source": f"{above}.E.{layer}.E", "transpose": True, "scale": 0.5}
            feedback = {"weight_constraint": "clone_weight", "weight_constraint_kwargs": clone} if self.maybe() else {}
            self.connect(layer, "E", above, "E", **DENDRITE, **feedback)


@st.composite
def networks(draw: st.DrawFn) -> NetworkConfig:
    """A valid network with 3 inputs and 3 outputs."""
    plan = _Plan(
        draw, draw(st.sampled_from([*DENDRITIC, *PLAIN])), draw(st.sampled_from([None, "constant", "learned"]))
    )
    hidden = [f"H{number}" for number in range(1, draw(st.integers(1 if plan.dendritic else 0, 2)) + 1)]
    plan.layers["Input"] = {"E": {"size": INPUTS}}
    for layer in [*hidden, "Output"]:
        plan.layer(layer)
    for (below, layer), above in zip(
        pairwise(["Input", *hidden, "Output"]), [*hidden[1:], "Output", None], strict=False
    ):
        plan.wire(below, layer, above if layer != "Output" else None)
    return NetworkConfig.from_dict(
        {
            "layer_config": plan.layers,
            "projection_config": plan.projections,
            "training_kwargs": {
                "tau": draw(st.sampled_from([1, 3])),
                "forward_steps": draw(st.integers(1, 5)),
                "backward_steps": draw(st.integers(1, 5)),
            },
        }
    )


def resized(config: NetworkConfig, change: int) -> NetworkConfig:
    """The same network with other numbers of hidden and inhibitory units."""
    raw = config.to_dict()
    for layer, members in raw["layer_config"].items():
        for name, population in members.items():
            if layer != "Input" and (layer, name) != ("Output", "E"):
                population["size"] += change
    return NetworkConfig.from_dict(raw)
