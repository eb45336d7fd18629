"""Time per replica and training step, against our own torch executor at one replica in the same run.

    python benchmarks/train_step.py [--quick] [--model NAME] [--out FILE]

One line per model and number of replicas R on one thread, one for two threads, then memory and start
(``footprint.py``). All networks are those of the project's search spaces at their published optimum, full size; inputs
are random, those of images a quarter non-zero as MNIST's are. A session runs blocks of 100 steps, as ``eiann.train``
does. Times are processor time, so that neighbours on a shared machine count less; what they do to the caches still
counts. Each figure is the best of several blocks, those of the two executors taken in turn. Two threads are measured
by the clock, against one thread by the clock; that ratio means something only on a machine with two idle cores.

The reference implementation is not part of this project. ``reference_ratio_estimate`` takes it to be slower than our
torch executor by the factor in ``reference_factor``: 1.5 for the spiral networks (measured elsewhere: 1.5 to 2 on the
spiral DTP), and 1 for the large ones, where it was not measured and a prototype of the same kind was as fast as the
reference.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from figures import also_write_to, emit

import eiann
from eiann.executors.base import Session, TrainingData
from eiann.executors.choose import EXECUTORS
from optimize.space import SearchSpace

#: Name in the figures -> search space whose reported optimum is trained.
MODELS = {
    "spiral DTP": "spiral/dendritic_target_propagation",
    "spiral bpDale": "spiral/dale_backprop",
    "MNIST 5J": "mnist/2_hidden_BP_like_5J",
    "BTSP 5L": "mnist/2_hidden_BTSP_5L",
    "bpDale G": "mnist/2_hidden_bpDale_relu_SGD_G",
    "BP_like 2L": "mnist/2_hidden_BP_like_5J",
    "BP_like 5M": "mnist/2_hidden_BP_like_5M",
    "contrastive Hebb": "mnist/2_hidden_Hebb_Temp_Contrast_2",
    "van_bp": "mnist/2_hidden_van_bp_relu_SGD_G",
}
#: No search space has the rule of this one: it is the network of 5J with that rule in the place of its own.
OTHER_RULE = {"BP_like 2L": ("BP_like_2E", "BP_like_2L")}
BLOCK = 100


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


def config_of(model: str) -> eiann.NetworkConfig:
    space = SearchSpace.load(MODELS[model])
    points = space.starting_points
    config = space.apply(dict((points.get("optimized") or points["x0"]).params))
    if model not in OTHER_RULE:
        return config
    return eiann.NetworkConfig.from_dict(with_rule(config.to_dict(), *OTHER_RULE[model]))


def with_rule(tree: Any, old: str, new: str) -> Any:
    """A configuration with a learning rule in the place of another."""
    if isinstance(tree, dict):
        return {key: with_rule(value, old, new) for key, value in tree.items()}
    return new if tree == old else tree


class Run:
    """A session that is timed block by block."""

    def __init__(self, config: eiann.NetworkConfig, replicas: int, executor: str) -> None:
        network = eiann.Network(config, seeds=list(range(1, replicas + 1)))
        data = samples(network, 500)
        self.replicas = replicas
        self.session: Session = EXECUTORS[executor].begin(network, TrainingData(data.inputs, data.targets), ())
        self.best = self.best_by_clock = float("inf")
        self._order = torch.randint(0, 500, (replicas, 2000), generator=torch.Generator().manual_seed(2))
        self._next = 0

    def block(self, steps: int, *, warm: bool = False) -> None:
        if self._next + steps > self._order.shape[1]:
            self._next = 0
        order = self._order[:, self._next : self._next + steps]
        self._next += steps
        clock, processor = time.perf_counter(), time.process_time()
        self.session.run(order)
        if not warm:
            share = steps * self.replicas
            self.best = min(self.best, (time.process_time() - processor) / share)
            self.best_by_clock = min(self.best_by_clock, (time.perf_counter() - clock) / share)


def measure(model: str, replica_counts: tuple[int, ...], quick: bool) -> None:
    config = config_of(model)
    small = model.startswith("spiral")
    torch.set_num_threads(1)
    yardstick = Run(config, 1, "torch")
    yardstick.block(3, warm=True)
    runs = []
    for replicas in replica_counts:
        run = Run(config, replicas, "native")
        run.block(20, warm=True)
        for _ in range(3 if quick or replicas >= 80 else 12):
            run.block(BLOCK)
            yardstick.block(10)
        runs.append((replicas, run.best))
        del run
    factor = 1.5 if small else 1.0
    for replicas, seconds in runs:
        ratio = yardstick.best / seconds
        emit(
            "train_step", model=model, network=MODELS[model], R=replicas, threads=1,
            microseconds=round(seconds * 1e6, 2),
            torch_at_one_replica_microseconds=round(yardstick.best * 1e6, 1), ratio=round(ratio, 1),
            reference_factor=factor, reference_ratio_estimate=round(ratio * factor, 1),
        )  # fmt: skip
    if not quick:
        scaling(model, config)


def scaling(model: str, config: eiann.NetworkConfig, replicas: int = 20) -> None:
    """One and two threads, block by block in turn."""
    run = Run(config, replicas, "native")
    run.block(20, warm=True)
    best = {1: float("inf"), 2: float("inf")}
    processor = {1: float("inf"), 2: float("inf")}
    for _ in range(4):
        for threads in (1, 2):
            torch.set_num_threads(threads)
            run.best = run.best_by_clock = float("inf")
            run.block(BLOCK)
            best[threads] = min(best[threads], run.best_by_clock)
            processor[threads] = min(processor[threads], run.best)
    torch.set_num_threads(1)
    emit(
        "train_step scaling", model=model, R=replicas,
        clock_microseconds={n: round(s * 1e6, 2) for n, s in best.items()},
        speedup_of_two_threads=round(best[1] / best[2], 2),
        processor_time_of_two_threads_against_one=round(processor[2] / processor[1], 2),
        load=[round(value, 1) for value in os.getloadavg()], cores=os.cpu_count(),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="R = 1 and 5 and fewer blocks; a minute or two")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="only this one (may be repeated)")
    parser.add_argument("--out", type=Path, help="append the lines to this file too")
    options = parser.parse_args()
    also_write_to(options.out)
    for name in options.model or MODELS:
        measure(name, (1, 5) if options.quick else (1, 5, 20, 80), options.quick)
    if not options.model:
        out = ["--out", str(options.out)] if options.out else []
        subprocess.run([sys.executable, str(Path(__file__).with_name("footprint.py")), *out], check=True)


if __name__ == "__main__":
    main()
