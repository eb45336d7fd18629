"""A mini-batch of a local rule changes weights by the sum, or the mean, of what its samples would change alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import eiann
from eiann.executors.base import TrainingData
from eiann.executors.torch.executor import TorchExecutor
from eiann.rules import RULES
from tests.eiann.tiny import rule, tiny_config, tiny_data

DATA = tiny_data()
BATCH = 4
OWN = {
    "Top_Down_Hebbian_Temporal_Contrast_1": ("H1.E", "Output.E"),
    "Top_Down_Hebbian_Temporal_Contrast_3": ("H1.E", "Output.E"),
    "DendriticLoss_6": ("H1.E", "H1.DendI"),
    "Top_Layer_BP_like_2L": ("Output.E", "H1.E"),
}
WITH_TRACES = ["BTSP_19", "Supervised_BCM_4"]
NAMES = sorted(name for name, entry in RULES.items() if entry.batches and entry.__module__.startswith("eiann."))


def config(name: str) -> eiann.NetworkConfig:
    """The tiny network with open bounds where it learns, so that a change is not cut."""
    hidden = rule("BP_like_2L") if name in OWN or name == "Backprop_DendriticLoss" else rule(name)
    bias = "BackpropBias" if name == "Backprop" else "DendriticLossBias" if name.startswith("BP_like") else None
    output = (
        hidden if name not in ("Ojas_rule", "Hebb_WeightNorm", "Hebb_WeightNorm_4") else rule("Top_Layer_BP_like_2L")
    )
    raw = tiny_config(hidden, output, bias, 3 if name.startswith("Backprop") else 0).to_dict()
    places = [("H1.E", "Input.E"), ("Output.E", "H1.E")]
    if name in OWN:
        places.append(OWN[name])
        section = _section(raw, *OWN[name])
        section.update(rule(name), weight_constraint=None)
        section.pop("weight_constraint_kwargs", None)
    if name == "Backprop_DendriticLoss":
        places.append(("H1.DendI", "H1.E"))
        _section(raw, "H1.DendI", "H1.E").update(
            rule(name, source="H1.E"), weight_constraint=None, weight_constraint_kwargs={}
        )
        raw["training_kwargs"]["backward_steps"] = 3
    for post, pre in places:
        section = _section(raw, post, pre)
        low = -1.0 if pre.endswith("I") else 0.2
        section.update(weight_init="uniform_", weight_init_args=[low, low + 0.8], weight_bounds=None)
    return eiann.NetworkConfig.from_dict(raw)


def _section(raw: dict[str, Any], post: str, pre: str) -> dict[str, Any]:
    (layer, name), (pre_layer, pre_name) = post.split("."), pre.split(".")
    return raw["projection_config"][layer][name][pre_layer][pre_name]  # type: ignore[no-any-return]


def changes(name: str, rows: list[int], reduction: str = "sum") -> dict[str, torch.Tensor]:
    """What one training step changes in parameters that no constraint or bound touches."""
    network = eiann.Network(config(name), seeds=[66049, 7], dtype=torch.float64)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    data = TrainingData(DATA.inputs, DATA.targets, len(rows), reduction == "mean")
    session = TorchExecutor().begin(network, data, ())
    session.run(torch.tensor(rows).expand(2, -1))
    free = {j.parameter_name for j in network.architecture.projections if j.constraint is None and j.rule is not None
            and j.bounds == (None, None)}  # fmt: skip
    free |= {p.parameter_name for p in network.architecture.populations if p.bias_rule is not None}
    return {key: network.state_dict()[key] - before[key] for key in free}


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_the_sum_or_the_mean_of_its_samples(name: str) -> None:
    rows = list(range(BATCH))
    alone = [changes(name, [row]) for row in rows]
    total = {key: sum(change[key] for change in alone) for key in alone[0]}
    assert any(bool(value.any()) for value in total.values())
    for reduction in ("sum", "mean"):
        found = changes(name, rows, reduction)
        # Gradient rules follow the criterion, which takes the mean over samples, whatever is asked of local rules.
        mean = reduction == "mean" or name == "Backprop"
        for key, value in total.items():
            if name == "Backprop_DendriticLoss":
                mean = key.startswith("module_dict.H1DendI") or reduction == "mean"
            expected = value / BATCH if mean else value
            assert torch.allclose(found[key], expected, rtol=1e-9, atol=1e-12), (key, reduction)


@pytest.mark.parametrize("name", WITH_TRACES)
def test_rules_that_keep_traces_refuse_mini_batches_at_construction(name: str) -> None:
    kwargs = {"theta_tau": 10, "k": 0.5} if name == "Supervised_BCM_4" else {}
    network = eiann.Network(tiny_config(rule(name, **kwargs), rule(name, **kwargs)), seeds=[1])
    with pytest.raises(eiann.UserError, match=rf"batch_size: found 3; {name} of H1E_InputE keeps traces .*, use 1"):
        eiann.train(network, DATA, [1], batch_size=3, progress=lambda done, total: pytest.fail("it trained"))


def test_every_rule_takes_batches_or_says_why_not() -> None:
    assert {*NAMES, *WITH_TRACES} == {name for name, entry in RULES.items() if entry.__module__.startswith("eiann.")}


def test_a_training_call_takes_whole_batches_in_the_order_of_the_seed() -> None:
    network = eiann.Network(config("BP_like_2L"), seeds=[1, 2])
    history = eiann.train(network, DATA, [3, 4], batch_size=4, batch_reduction="mean")
    single = eiann.train(eiann.Network(config("BP_like_2L"), seeds=[1, 2]), DATA, [3, 4])
    assert history.loss.shape == (2, 3)
    assert torch.equal(history.sample_order, single.sample_order)
    assert history.executor == "torch"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"batch_reduction": "median"}, "found 'median'; use sum or mean"),
        ({"batch_size": 0}, "it is at least 1"),
        ({"batch_size": 13}, "use at most 0 steps"),
        ({"batch_size": 4, "executor": "native"}, "mini-batches are trained by the torch executor"),
    ],
)
def test_a_wrong_batch_is_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(eiann.UserError, match=words):
        eiann.train(eiann.Network(config("BP_like_2L"), seeds=[1]), DATA, [1], **keys)
