"""Seconds per replica and training step, against our own torch executor at one replica in the same run.

    python benchmarks/train_step.py [--quick] [--model NAME]

One line per model and number of replicas R, and one for two threads. Image inputs are a quarter non-zero, as MNIST's.
The torch executor at R = 1 is the yardstick; each figure is the best of several runs.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass

import torch
from figures import emit

import eiann
from eiann.executors.base import TrainingData
from eiann.executors.choose import EXECUTORS
from optimize.space import SearchSpace

#: Name in the figures -> search space whose reported optimum is trained.
MODELS = {
    "spiral DTP": "spiral/dendritic_target_propagation",
    "spiral bpDale": "spiral/dale_backprop",
    "MNIST 5J": "mnist/2_hidden_BP_like_5J",
    "BTSP 5L": "mnist/2_hidden_BTSP_5L",
    "bpDale G": "mnist/2_hidden_bpDale_relu_SGD_G",
    "BP_like 5M": "mnist/2_hidden_BP_like_5M",
    "contrastive Hebb": "mnist/2_hidden_Hebb_Temp_Contrast_2",
    "van_bp": "mnist/2_hidden_van_bp_relu_SGD_G",
}


@dataclass(frozen=True)
class Samples:
    """Random samples of a network's shape."""

    inputs: torch.Tensor
    targets: torch.Tensor


def samples(network: eiann.Network, count: int) -> Samples:
    generator = torch.Generator().manual_seed(1)
    units, outputs = network.architecture.input.units, network.architecture.output.units
    inputs = torch.rand(count, units, generator=generator)
    if units > 100:
        inputs *= torch.rand(count, units, generator=generator) < 0.25
    else:
        inputs = 2 * inputs - 1
    return Samples(inputs, torch.eye(outputs)[torch.randint(0, outputs, (count,), generator=generator)])


def config_of(space_name: str) -> eiann.NetworkConfig:
    space = SearchSpace.load(space_name)
    points = space.starting_points
    point = points.get("optimized") or points["x0"]
    return space.apply(dict(point.params))


def seconds_per_step(config: eiann.NetworkConfig, replicas: int, executor: str, steps: int, repeats: int) -> float:
    """Best of several blocks of steps, per replica and step."""
    network = eiann.Network(config, seeds=list(range(1, replicas + 1)))
    data = samples(network, 500)
    session = EXECUTORS[executor].begin(network, TrainingData(data.inputs, data.targets), ())
    order = torch.randint(0, 500, (replicas, steps), generator=torch.Generator().manual_seed(2))
    session.run(order[:, : max(steps // 10, 1)])
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        session.run(order)
        best = min(best, time.perf_counter() - start)
    return best / steps / replicas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer steps and replicas")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="only this one (may be repeated)")
    options = parser.parse_args()
    replica_counts = (1, 5) if options.quick else (1, 5, 20, 80)
    for name in options.model or MODELS:
        config = config_of(MODELS[name])
        torch.set_num_threads(1)
        yardstick = seconds_per_step(config, 1, "torch", 10 if options.quick else 40, 2)
        for replicas in replica_counts:
            budget = 400 if options.quick else 4000
            steps = max(10, budget // replicas // (1 if name.startswith("spiral") else 10))
            found = seconds_per_step(config, replicas, "native", steps, 3)
            emit(
                "train_step", model=name, R=replicas, threads=1, microseconds=round(found * 1e6, 2),
                torch_at_one_replica_microseconds=round(yardstick * 1e6, 1), ratio=round(yardstick / found, 1),
            )  # fmt: skip
        if not options.quick:
            torch.set_num_threads(2)
            both = seconds_per_step(config, 20, "native", max(10, 200 // (1 if name.startswith("spiral") else 10)), 3)
            emit("train_step", model=name, R=20, threads=2, microseconds=round(both * 1e6, 2))
    emit("train_step memory", peak_GiB=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3))


if __name__ == "__main__":
    main()
