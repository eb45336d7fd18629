"""The spiral models' reported optima, trained again: accuracy on the published seeds and on fresh ones.

python benchmarks/spiral_reproduction.py [--fresh N]
"""

from __future__ import annotations

import argparse

import torch
from figures import emit

import eiann
from optimize.space import SearchSpace

MODELS = ("perceptron", "backprop", "backprop_zero_bias", "dale_backprop", "dendritic_target_propagation")


def accuracies(name: str, seeds: list[tuple[int, int]]) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Mean of the last ten validations, (instances,), and the loss."""
    space = SearchSpace.load(f"spiral/{name}")
    config = space.apply(dict(space.starting_points["optimized"].params))
    data = eiann.data.load("spiral")
    network = eiann.Network(config, seeds=[network_seed for network_seed, _ in seeds])
    history = eiann.train(
        network, data.train, [seed for _, seed in seeds], validation=data.validation, val_interval=(-1000, -1, 100)
    )  # fmt: skip
    return history.val_accuracy[:, -10:].mean(1), history.val_loss[:, -10:].mean(1), history.executor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", type=int, default=20)
    options = parser.parse_args()
    torch.set_num_threads(2)
    for name in MODELS:
        reported = SearchSpace.load(f"spiral/{name}").starting_points["optimized"].reported
        for kind, seeds in (
            ("published", [(66049 + i, 257 + i) for i in range(5)]),
            ("fresh", [(66149 + i, 357 + i) for i in range(options.fresh)]),
        ):
            accuracy, loss, executor = accuracies(name, seeds)
            emit(
                "spiral_reproduction", model=name, seeds=kind, executor=executor, mean=round(accuracy.mean().item(), 4),
                median=round(accuracy.median().item(), 4), loss=round(loss.mean().item(), 6),
                instances=[round(value, 3) for value in accuracy.tolist()], reported=dict(reported or {}),
            )  # fmt: skip


if __name__ == "__main__":
    main()
