"""Networks on which the recorded steps are held to the torch executor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import eiann
from eiann.executors.base import TrainingData
from eiann.executors.choose import DEVICE_EXECUTORS, EXECUTORS
from tests.eiann import tiny

STEPS = 8


def shortened(config: eiann.NetworkConfig, **training: Any) -> dict[str, Any]:
    plain = config.to_dict()
    plain["training_kwargs"] |= {"forward_steps": 5, **training}
    return plain


def _all() -> dict[str, dict[str, Any]]:
    found = {}
    for name, hidden, output, bias_rule, backward_steps, *_ in tiny.FIXTURES:
        if not hidden["learning_rule_kwargs"].get("stochastic"):
            found[name] = shortened(tiny.tiny_config(hidden, output or hidden, bias_rule, backward_steps))
    backprop = tiny.tiny_config(tiny.rule("Backprop"), tiny.rule("Backprop"), "BackpropBias", 3)
    found["Adam"] = shortened(backprop, optimizer="Adam", learning_rate=0.01)
    momentum = {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01}
    found["momentum"] = shortened(backprop, optimizer="SGD", optimizer_kwargs=momentum)
    found["cross-entropy"] = shortened(backprop, criterion="CrossEntropyLoss")
    for activation in ("softplus", "sigmoid", "elu", "softmax", "gelu"):
        found[activation] = shortened(backprop)
        found[activation]["layer_config"]["H1"]["E"]["activation"] = activation
    return found


#: Name -> configuration: every rule, optimizers with memory, activations with and without a gradient of their own.
NETWORKS = _all()


def built(name: str, seeds: list[int], device: str = "cpu", **options: Any) -> eiann.Network:
    plain = NETWORKS[name]
    configs = [eiann.NetworkConfig.from_dict(with_rate(plain, 1 + 0.1 * seed)) for seed in seeds]
    return eiann.Network(configs, seeds, torch.float64, device, **options)


def with_rate(plain: dict[str, Any], factor: float) -> dict[str, Any]:
    """Other numbers in each replica: learning rates, time constant."""
    changed = {**plain, "training_kwargs": {**plain["training_kwargs"]}}
    changed["training_kwargs"]["learning_rate"] *= factor
    changed["training_kwargs"]["tau"] *= factor
    return changed


def samples(batch_size: int = 1, *, mean: bool = False) -> TrainingData:
    data = tiny.tiny_data()
    return TrainingData(data.inputs.double(), data.targets.double(), batch_size, mean)


def order(replicas: int, steps: int = STEPS) -> Tensor:
    return torch.randint(0, 12, (replicas, steps), generator=torch.Generator().manual_seed(4))


def watched(network: eiann.Network) -> list[str]:
    return [f"{kind}:{p.index}" for kind in ("activity", "backward_activity") for p in network.architecture.populations]


def learned(network: eiann.Network, executor: str, data: TrainingData | None = None) -> dict[str, Tensor]:
    """Everything that a short training run leaves, on the CPU."""
    data = data or samples()
    names = watched(network)
    runner = {**EXECUTORS, **DEVICE_EXECUTORS}[executor]
    session = runner.begin(network, data, names)
    loss = session.run(order(network.R, STEPS * data.batch_size))
    session.store()
    found = {**network.state_dict(), **network.states}
    found |= {name: session.named(name).expand(-1, data.batch_size, -1) for name in names}
    found["evaluated"] = torch.cat(
        [
            v[names[-1].replace("backward_", "")]
            for _, v in runner.evaluate(network, data.inputs, [names[-1].replace("backward_", "")])
        ],
        dim=1,
    )
    return {"loss": loss} | {name: value.detach().cpu().clone() for name, value in found.items()}


def assert_close(expected: dict[str, Tensor], found: dict[str, Tensor]) -> None:
    """Equal up to the rounding of float64 over some steps."""
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-11, msg=lambda m, n=name: f"{n}: {m}")
