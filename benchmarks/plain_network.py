"""A network trained by backprop as one writes it by hand in PyTorch: one sample, autograd, nothing hoisted or skipped.

    python benchmarks/plain_network.py [--model NAME ...] [--out FILE]

The second yardstick of the native executor, beside our own torch executor: how a PyTorch model of this kind is usually
written, population after population and time step after time step. It is no copy of the reference implementation, and
does less than that: no histories, no snapshots, no recording. Of networks with local rules only a part is timed that
none of them can do without: the forward phase, one outer product for each weight that learns, and the bounds; without
dendrites, nudge, what a rule computes and normalization. What is said of these is a lower bound. Before anything is
timed, losses or outputs are compared with those of our executors.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from figures import also_write_to, emit
from torch.nn import functional
from train_step import BLOCK, MODELS, Run, Samples, config_of, samples

import eiann
from eiann import predict
from eiann.executors.base import TrainingData
from eiann.executors.choose import EXECUTORS

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "linear": lambda z: z,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "softmax": lambda z: torch.softmax(z, dim=-1),
}
BY_BACKPROP = ("spiral bpDale", "bpDale G", "van_bp")
BY_LOCAL_RULES = ("spiral DTP", "MNIST 5J", "BTSP 5L", "BP_like 5M", "contrastive Hebb")


class PlainNetwork(torch.nn.Module):
    """One replica: a parameter for each projection, state and activity of each population as attributes of a list."""

    def __init__(self, network: eiann.Network) -> None:
        super().__init__()
        self.architecture = network.architecture
        a = self.architecture
        self.weights = torch.nn.ParameterList(
            [
                torch.nn.Parameter(network.weights[j.index][0].clone(), requires_grad=j.rule is not None)
                for j in a.projections
            ]
        )
        self.biases = torch.nn.ParameterList(
            [torch.nn.Parameter(torch.zeros(p.units), requires_grad=p.bias_rule is not None) for p in a.populations]
        )
        state = network.state_dict()
        with torch.no_grad():
            for p, bias in zip(a.populations, self.biases, strict=True):
                if p.parameter_name in state:
                    bias.copy_(state[p.parameter_name][0])
        groups = [
            {"params": [self.weights[j.index]], "lr": j.learning_rate} for j in a.projections if j.rule is not None
        ]
        groups += [
            {"params": [self.biases[p.index]], "lr": p.bias_learning_rate}
            for p in a.populations
            if p.bias_rule is not None
        ]
        self.optimizer = torch.optim.SGD(groups, lr=1.0)

    def forward(self, sample: torch.Tensor) -> torch.Tensor:
        """Activity of the output population after all time steps, (outputs,)."""
        a = self.architecture
        learning = torch.is_grad_enabled()
        state = [0 + bias for bias in self.biases]
        activity = [
            ACTIVATIONS[p.activation.name](s) if p.index else sample for p, s in zip(a.populations, state, strict=True)
        ]
        for t in range(a.forward_steps):
            with torch.set_grad_enabled(learning and t >= a.forward_steps - a.backward_steps):
                before = list(activity)
                for p in a.populations[1:]:
                    change = -state[p.index] + self.biases[p.index]
                    for j in a.somatic(p.index, forward_only=True):
                        source = before if j.recurrent else activity
                        change = change + functional.linear(source[j.pre], self.weights[j.index])
                    state[p.index] = state[p.index] + change / p.tau
                    activity[p.index] = ACTIVATIONS[p.activation.name](state[p.index])
        return activity[a.output.index]

    @torch.no_grad()
    def look(self, sample: torch.Tensor) -> torch.Tensor:
        """The output without learning, (outputs,)."""
        return self(sample)

    @torch.no_grad()
    def part_of_a_step(self, sample: torch.Tensor) -> None:
        """What each local rule takes at least; with a rate of 0, since what it would learn is not computed."""
        self(sample)
        for j in self.architecture.projections:
            if j.rule is not None:
                post, pre = (self.biases[i] for i in (j.post, j.pre))  # of the right size
                self.weights[j.index].add_(torch.outer(post, pre), alpha=0.0)
        self.constrain()

    @torch.no_grad()
    def constrain(self) -> None:
        """Bounds of all weights, and no weight of a unit onto itself."""
        for j in self.architecture.projections:
            low, high = j.bounds
            if low is not None or high is not None:
                self.weights[j.index].clamp_(low, high)
            if type(j.constraint).__name__ == "NoAutapses" and j.pre == j.post:
                self.weights[j.index].fill_diagonal_(0)

    def step(self, sample: torch.Tensor, target: torch.Tensor) -> float:
        """Learn from one sample; its loss before."""
        a = self.architecture
        loss = a.criterion.value(self(sample)[None, None], target[None, None]).squeeze()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.constrain()
        return float(loss.detach())


def check(plain: PlainNetwork, network: eiann.Network, data: Samples, order: list[int], *, learning: bool) -> None:
    """Both learn the same from the same samples, or have the same outputs for them."""
    if not learning:
        outputs = torch.stack([plain.look(data.inputs[i]) for i in order])
        torch.testing.assert_close(outputs, predict(network, data.inputs[order], "torch")[0], rtol=1e-3, atol=1e-4)
        return
    session = EXECUTORS["torch"].begin(network, TrainingData(data.inputs, data.targets), ())
    ours = session.run(torch.tensor([order]))[0]
    losses = torch.tensor([plain.step(data.inputs[i], data.targets[i]) for i in order])
    torch.testing.assert_close(losses, ours, rtol=1e-3, atol=1e-4)


def measure(model: str) -> None:
    torch.set_num_threads(1)
    config = config_of(model)
    network = eiann.Network(config, seeds=[1])
    data = samples(network, 500)
    plain = PlainNetwork(network)
    learning = model in BY_BACKPROP
    check(plain, network, data, list(range(12)), learning=learning)
    native, torch_executor = Run(config, 20, "native"), Run(config, 1, "torch")
    native.block(20, warm=True)
    torch_executor.block(3, warm=True)
    best = float("inf")
    for block in range(8):
        start = time.process_time()
        for i in range(10):
            if learning:
                plain.step(data.inputs[10 * block + i], data.targets[10 * block + i])
            else:
                plain.part_of_a_step(data.inputs[10 * block + i])
        best = min(best, (time.process_time() - start) / 10)
        native.block(BLOCK)
        torch_executor.block(10)
    emit(
        "plain_network", model=model, network=MODELS[model], R=20, threads=1,
        plain_is="whole step" if learning else "forward phase, outer products, bounds",
        plain_microseconds=round(best * 1e6, 1), torch_executor_microseconds=round(torch_executor.best * 1e6, 1),
        native_microseconds=round(native.best * 1e6, 2), native_ratio=round(best / native.best, 1),
        torch_executor_ratio=round(best / torch_executor.best, 2),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", action="append", choices=BY_BACKPROP + BY_LOCAL_RULES, help="only this one (may be repeated)"
    )
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    options = parser.parse_args()
    also_write_to(options.out)
    for model in options.model or BY_BACKPROP + BY_LOCAL_RULES:
        measure(model)


if __name__ == "__main__":
    main()
