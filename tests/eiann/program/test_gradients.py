"""The gradient program gives what automatic differentiation gives, through any number of time steps."""

from __future__ import annotations

from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import eiann
from eiann.data import Dataset
from eiann.network.architecture import Architecture, Population

RATE = 0.1


def recurrent_config(sizes: tuple[int, int], steps: int, backward: int, activation: str, tau: float) -> dict[str, Any]:
    learned = {"learning_rule": "Backprop", "learning_rule_kwargs": {"learning_rate": RATE}}
    back = {**learned, "direction": "R"}
    bias = {"bias_learning_rule": "BackpropBias", "bias_learning_rule_kwargs": {"learning_rate": RATE}}
    return {
        "layer_config": {
            "Input": {"E": {"size": 3}},
            "H1": {
                "E": {"size": sizes[0], "activation": activation, **bias},
                "I": {"size": sizes[1], "activation": "tanh"},
            },
            "Output": {"E": {"size": 2, "activation": activation, **bias}},
        },
        "projection_config": {
            "H1": {
                "E": {"Input": {"E": learned}, "H1": {"E": back, "I": back}, "Output": {"E": back}},
                "I": {"Input": {"E": learned}, "H1": {"E": learned, "I": back}},
            },
            "Output": {"E": {"H1": {"E": learned, "I": learned}}},
        },
        "training_kwargs": {"tau": tau, "forward_steps": steps, "backward_steps": backward},
    }


def autograd_step(network: eiann.Network, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """Parameters after one step of gradient descent, by stepping the dynamics in time order under autograd."""
    architecture: Architecture = network.architecture
    weights = {j: w[0].clone().requires_grad_() for j, w in network.weights.items()}
    biases = {p: b[0].clone().requires_grad_() for p, b in network.biases.items() if p > 0}
    a = {p.index: x for p in architecture.populations if p.index == 0}
    s: dict[int, Tensor] = {}
    for p in architecture.populations[1:]:
        s[p.index] = biases[p.index] * 1
        a[p.index] = activity(p, s[p.index])
    for t in range(architecture.forward_steps):
        if t == architecture.forward_steps - architecture.backward_steps and t > 0:
            s, a = ({k: v.detach() for k, v in d.items()} for d in (s, a))
        before = dict(a)
        for p in architecture.populations[1:]:
            change = -s[p.index] + biases[p.index]
            for j in architecture.incoming[p.index]:
                change = change + weights[j.index] @ (before if j.recurrent else a)[j.pre]
            s[p.index] = s[p.index] + change / p.tau
            a[p.index] = activity(p, s[p.index])
    loss = ((a[architecture.output.index] - y) ** 2).mean()
    loss.backward()
    after = {}
    for j in architecture.projections:
        grad = weights[j.index].grad
        after[j.parameter_name] = weights[j.index].detach() - (0 if grad is None else RATE * grad)
    for p in architecture.populations[1:]:
        grad = biases[p.index].grad if p.bias_rule is not None else None
        after[p.parameter_name] = biases[p.index].detach() - (0 if grad is None else RATE * grad)
    return after


@settings(deadline=None, max_examples=40, derandomize=True)
@given(
    sizes=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    steps=st.integers(1, 6),
    backward=st.integers(1, 7),
    activation=st.sampled_from(["relu", "tanh", "sigmoid", "softplus", "linear", "elu", "polynomial"]),
    tau=st.sampled_from([1.0, 1.7, 3.0]),
    seed=st.integers(0, 1000),
    executor=st.sampled_from(["torch", "native"]),
)
def test_one_step_equals_automatic_differentiation(
    sizes: tuple[int, int], steps: int, backward: int, activation: str, tau: float, seed: int, executor: str
) -> None:
    config = eiann.NetworkConfig.from_dict(recurrent_config(sizes, steps, min(backward, steps + 1), activation, tau))
    network = eiann.Network(config, seeds=[seed], dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.rand(1, 3, generator=generator), torch.tensor([[0.0, 1.0]])
    expected = autograd_step(network, x[0].double(), y[0].double())
    eiann.train(network, Dataset(x, y, "one"), [1], executor=executor)
    for name, value in network.state_dict().items():
        assert torch.allclose(value[0], expected[name], rtol=1e-9, atol=1e-12), name


def activity(population: Population, z: Tensor) -> Tensor:
    parameters = (torch.tensor(value, dtype=z.dtype) for value in population.activation_parameters)
    result: Tensor = population.activation.function(z, *parameters)
    return result


def test_momentum_and_adam_step_as_pytorch_does() -> None:
    for name, kwargs in (("SGD", {"momentum": 0.9}), ("SGD", {"momentum": 0.9, "nesterov": True}), ("Adam", {})):
        config = recurrent_config((4, 2), 3, 3, "tanh", 2.0)
        config["training_kwargs"] |= {"optimizer": name, "optimizer_kwargs": kwargs}
        network = eiann.Network(eiann.NetworkConfig.from_dict(config), seeds=[3], dtype=torch.float64)
        own = {k: v[0].clone().requires_grad_() for k, v in network.state_dict().items()}
        optimizer = getattr(torch.optim, name)(list(own.values()), lr=RATE, **kwargs)
        learned = {j.parameter_name for j in network.architecture.projections if j.rule is not None}
        learned |= {p.parameter_name for p in network.architecture.populations if p.bias_rule is not None}
        generator = torch.Generator().manual_seed(1)
        x, y = torch.rand(4, 3, generator=generator), torch.eye(2)[[0, 1, 0, 1]]
        order = eiann.data.sample_order(4, 5)
        for sample in order:
            copy = eiann.Network(
                eiann.NetworkConfig.from_dict(recurrent_config((4, 2), 3, 3, "tanh", 2.0)), [3], torch.float64
            )
            copy.load_state_dict({k: v.detach().unsqueeze(0) for k, v in own.items()})
            after = autograd_step(copy, x[sample].double(), y[sample].double())
            optimizer.zero_grad()
            for key, value in own.items():
                if key in learned:
                    value.grad = (value.detach() - after[key]) / RATE
            optimizer.step()
        eiann.train(network, Dataset(x, y, "four"), [5])
        for key, value in network.state_dict().items():
            assert torch.allclose(value[0], own[key], rtol=1e-7, atol=1e-10), (name, key)
