"""Random networks: rules, constraints, activations and layouts meet each other in sizes that fill no register."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import strategies as st

from eiann import Network, NetworkConfig
from eiann.executors.base import TrainingData

EXCITING, INHIBITING = [0, None], [None, 0]
SMOOTH = ("tanh", "sigmoid", "softplus", "elu")
GRADIENT = "Backprop"
NUDGING: dict[str, dict[str, Any]] = {
    "BP_like_2E": {},
    "BP_like_2L": {},
    "Hebbian_Temporal_Contrast": {},
    "Supervised_BCM_4": {"theta_tau": 7.0, "k": 0.4},
    "BTSP_19": {"neg_rate_th": 0.0, "temporal_discount": 0.3, "dep_width": 0.05},
}
HEBBIAN = ("Hebb_WeightNorm", "Hebb_WeightNorm_4", "Ojas_rule")
SIZES = st.integers(1, 19)
RATES = st.sampled_from([0.01, 0.05, 0.11])
Draw = Any


def rule(name: str, rate: float, **kwargs: Any) -> dict[str, Any]:
    return {"learning_rule": name, "learning_rule_kwargs": {"learning_rate": rate, **kwargs}}


def constraint(name: str, **kwargs: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"weight_constraint": name}
    return {**found, "weight_constraint_kwargs": kwargs} if kwargs else found


def weights(scale: float, bounds: list[float | None] | None, *more: dict[str, Any], **keys: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"weight_init": "half_kaiming" if bounds else "scaled_kaiming", "weight_init_args": [scale]}
    if bounds:
        found["weight_bounds"] = bounds
    for part in ({"learning_rule": None}, *more, keys):
        found.update(part)
    return found


@st.composite
def activations(draw: Draw) -> dict[str, Any]:
    """Relu as published networks have it, or another one with its parameters."""
    name = draw(st.sampled_from(["relu", "relu", "relu", *SMOOTH, "leaky_relu", "srelu", "polynomial"]))
    if name == "polynomial":
        return {"activation": name, "activation_kwargs": {"a": 0.5, "n": draw(st.sampled_from([1.5, 2.0]))}}
    return {"activation": name}


@st.composite
def excitation(draw: Draw, family: str, *, top: bool) -> dict[str, Any]:
    """What learns the projection from the layer below."""
    if family == "gradient":
        return rule(GRADIENT, draw(RATES))
    if family == "hebbian":
        if top:
            return rule("Top_Layer_BP_like_2L", draw(RATES))
        found = rule(draw(st.sampled_from(HEBBIAN)), draw(RATES))
        return {**found, **draw(st.sampled_from([{}, constraint("normalize_weight", scale=1.7)]))}
    keys = dict(NUDGING[family])
    if not top:
        keys["max_pop_fraction"] = draw(st.sampled_from([0.3, 1.0]))
    found = rule(family, draw(RATES), **keys)
    return {**found, "weight_bounds": [0, 1.5]} if family == "BTSP_19" else found


@st.composite
def networks(draw: Draw) -> dict[str, Any]:
    """A network's configuration, nested form."""
    family = draw(st.sampled_from(["gradient", "gradient", "hebbian", *NUDGING]))
    hidden = [f"H{k + 1}" for k in range(draw(st.integers(1, 2)))]
    names = [*hidden, "Output"]
    dendrites = family in NUDGING
    populations: dict[str, Any] = {"Input": {"E": {"size": draw(SIZES)}}}
    projections: dict[str, Any] = {}
    bias_rule = {"gradient": "BackpropBias", "hebbian": None}.get(family, "DendriticLossBias")
    for name in names:
        bias: dict[str, Any] = {}
        if bias_rule is not None and draw(st.booleans()):
            bias = {"bias_learning_rule": bias_rule, "bias_learning_rule_kwargs": {"learning_rate": 0.03}}
        size = draw(SIZES) if name != "Output" else draw(st.integers(2, 9))
        populations[name] = {"E": {"size": size, **draw(activations()), **bias}}
        if draw(st.booleans()):
            populations[name]["SomaI"] = {"size": draw(st.integers(1, 9)), "activation": "relu"}
        if dendrites and name != "Output" and draw(st.booleans()):
            populations[name]["DendI"] = {"size": draw(st.integers(1, 9)), "activation": "relu"}
    for below, name, above in zip(["Input", *names], names, [*names[1:], None], strict=False):
        projections[name] = _into_layer(draw, family, (below, name, above), populations[name], dendrites)
    settings = {
        "tau": draw(st.sampled_from([1, 2.0, 3])),
        "forward_steps": draw(st.integers(1, 5)),
        "learning_rate": 0.05,
    }
    settings["backward_steps"] = draw(st.integers(1, settings["forward_steps"])) if family == "gradient" else 0
    if family == "gradient":
        settings.update(draw(st.sampled_from([
            {}, {"criterion": "CrossEntropyLoss"}, {"optimizer": "Adam"},
            {"optimizer": "SGD", "optimizer_kwargs": {"momentum": 0.8, "nesterov": True}},
            {"optimizer": "SGD", "optimizer_kwargs": {"momentum": 0.5, "weight_decay": 0.01}},
        ])))  # fmt: skip
    return {"layer_config": populations, "projection_config": projections, "training_kwargs": settings}


def _into_layer(
    draw: Draw, family: str, layers: tuple[str, str, str | None], populations: dict[str, Any], dendrites: bool
) -> dict[str, Any]:
    below, name, above = layers
    learned = draw(excitation(family, top=above is None))
    bounded = draw(st.booleans()) or "SomaI" in populations
    into_e: dict[str, Any] = {below: {"E": weights(1.5, EXCITING if bounded else None, learned)}}
    recurrent, always = {"direction": "R"}, {"update_phase": "A"}
    found: dict[str, Any] = {"E": into_e}
    own: dict[str, Any] = {}
    if "SomaI" in populations:
        inhibition = rule(GRADIENT, 0.02) if family == "gradient" and draw(st.booleans()) else {}
        own["SomaI"] = weights(0.5, INHIBITING, inhibition, **recurrent)
        found["SomaI"] = {
            below: {"E": weights(1.0, EXCITING, inhibition)},
            name: {
                "E": weights(1.0, EXCITING, **recurrent, **always),
                "SomaI": weights(0.5, INHIBITING, constraint("no_autapses"), **recurrent),
            },
        }
    if dendrites and above is not None:
        dendrite = {"compartment": "dend", "update_phase": "B"}
        if "DendI" in populations:
            loss = rule("DendriticLoss_6", 0.05, sign=-1)
            own["DendI"] = weights(1.0, INHIBITING, loss, **recurrent, **dendrite)
            hebb = {**rule("Hebb_WeightNorm", 0.05, forward_only=True), **constraint("normalize_weight", scale=1.5)}
            found["DendI"] = {name: {"E": weights(1.0, EXCITING, hebb, **recurrent, **always)}}
        clone = constraint("clone_weight", source=f"{above}.E.{name}.E", transpose=True, scale=0.5)
        contrast = rule("Top_Down_Hebbian_Temporal_Contrast_3", 0.05)
        feedback = draw(st.sampled_from([clone, {}, contrast]))
        into_e[above] = {"E": weights(1.0, EXCITING, feedback, **dendrite)}
    if own:
        into_e[name] = own
    return found


def config_of(tree: dict[str, Any]) -> NetworkConfig:
    return NetworkConfig.from_dict(tree)


def samples(network: Network, count: int, seed: int = 5) -> TrainingData:
    """Samples of the network's shape, a third of the inputs silent."""
    generator = torch.Generator().manual_seed(seed)
    outputs = network.architecture.output.units
    shape = network.architecture.input.shape
    inputs = torch.rand(count, *shape, generator=generator, dtype=torch.float64)
    inputs *= torch.rand(count, *shape, generator=generator) < 0.67
    labels = torch.randint(0, outputs, (count,), generator=generator)
    return TrainingData(inputs.to(network.dtype), torch.eye(outputs, dtype=network.dtype)[labels])


def orders(replicas: int, steps: int, count: int) -> torch.Tensor:
    """An order of samples for each replica."""
    return torch.stack(
        [torch.randint(0, count, (steps,), generator=torch.Generator().manual_seed(r)) for r in range(replicas)]
    )


@st.composite
def image_networks(draw: Draw) -> dict[str, Any]:
    """A convolution with some stride, padding, dilation and groups, perhaps pooled, perhaps another one, an output."""
    learned = rule(GRADIENT, 0.02)
    bias = {"bias_learning_rule": "BackpropBias", "bias_learning_rule_kwargs": {"learning_rate": 0.03}}
    groups = draw(st.sampled_from([1, 1, 2]))
    channels = groups * draw(st.integers(1, 3))
    kernel = draw(st.integers(1, 3))
    convolution: dict[str, Any] = {"population_type": "Conv2D", "kernel_size": kernel, "activation": "relu"}
    settings = {
        "stride": draw(st.integers(1, 2)), "padding": draw(st.integers(0, 2)), "dilation": draw(st.integers(1, 2)),
        "groups": groups,
    }  # fmt: skip
    edge = draw(st.integers(8, 13))
    populations: dict[str, Any] = {"Input": {"E": {"channels": channels, "image_dim": edge}}}
    span = settings["dilation"] * (kernel - 1) + 1
    edge = (edge + 2 * settings["padding"] - span) // settings["stride"] + 1
    first = {**convolution, "channels": groups * draw(st.integers(1, 3)), "image_source": "Input.E", "image_dim": edge}
    populations["Conv1"] = {"E": {**first, **draw(st.sampled_from([{}, bias]))}}
    image = "E"
    if draw(st.booleans()) and edge > 3:
        populations["Conv1"]["MaxPoolE"] = {"population_type": "MaxPool2D", "kernel_size": 2, "source": "Conv1.E"}
        image, edge = "MaxPoolE", edge // 2
    projections: dict[str, Any] = {"Conv1": {"E": {"Input": {"E": {**learned, **settings}}}}}
    last = f"Conv1.{image}"
    if draw(st.booleans()) and edge > 1:
        second = {**convolution, "kernel_size": 2, "channels": draw(st.integers(1, 4)), "image_source": last, **bias}
        populations["Conv2"] = {"E": {**second, "image_dim": edge - 1}}
        projections["Conv2"] = {"E": {"Conv1": {image: learned}}}
        last = "Conv2.E"
    layer = last.split(".")[0]
    populations[layer]["FlatE"] = {"population_type": "Flatten", "source": last}
    populations["Output"] = {"E": {"size": draw(st.integers(2, 5)), "activation": "relu", **bias}}
    projections["Output"] = {"E": {layer: {"FlatE": learned}}}
    return {
        "layer_config": populations,
        "projection_config": projections,
        "training_kwargs": {"tau": 1, "forward_steps": 1, "backward_steps": 1, "learning_rate": 0.05},
    }
