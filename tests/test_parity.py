"""The same configuration and seeds give the numbers of the golden traces, alone and stacked.

Cases come from the folder named by EIANN_PARITY (its README says what each array is).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor

from eiann import Network, NetworkConfig
from eiann.executors.base import TrainingData
from eiann.executors.choose import EXECUTORS, choose_executor
from eiann.training.evaluation import activities

FOLDER = Path(os.environ.get("EIANN_PARITY", Path(__file__).parents[2] / "shared" / "parity"))
Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    """One golden trace."""

    name: str
    index: Mapping[str, Any]

    @property
    def config(self) -> NetworkConfig:
        return NetworkConfig.from_yaml(FOLDER / self.name / "config.yaml")

    @property
    def arrays(self) -> Arrays:
        with np.load(FOLDER / self.name / "trace.npz") as stored:
            return {key: stored[key] for key in stored.files}


def cases(kind: str) -> list[Any]:
    if not (FOLDER / "index.yaml").exists():
        return [
            pytest.param(None, marks=pytest.mark.skip(reason="needs the folder of golden traces: set EIANN_PARITY"))
        ]
    entries = yaml.safe_load((FOLDER / "index.yaml").read_text())["cases"]
    return [pytest.param(Case(entry["case"], entry), id=entry["case"]) for entry in entries if entry["kind"] == kind]


def distance(expected: np.ndarray, found: Tensor, rtol: float, atol: float) -> float:
    """At most 1 if they agree."""
    assert tuple(expected.shape) == tuple(found.shape)
    if expected.size == 0:
        return 0.0
    return float(np.max(np.abs(found.numpy() - expected) / (atol + rtol * np.abs(expected))))


def named(network: Network, value: Tensor, population: int) -> Tensor:
    """(R, batch, units) as (R, ...) with the population's own shape."""
    shape = network.architecture.populations[population].shape
    return value[:, 0].reshape(-1, *shape)


class Trace:
    """What training found, with the keys of the golden trace, for each replica."""

    def __init__(self, network: Network, inputs: Tensor, targets: Tensor, order: Tensor, executor: str) -> None:
        populations = network.architecture.populations
        watch = [f"{kind}:{p.index}" for kind in ("activity", "backward_activity") for p in populations]
        session = EXECUTORS[executor].begin(network, TrainingData(inputs, targets), watch)
        self.found: dict[str, Tensor] = {f"initial/{k}": v.clone() for k, v in network.state_dict().items()}
        losses = []
        rows: dict[str, list[Tensor]] = {}
        for step in range(order.shape[1]):
            losses.append(session.run(order[:, step : step + 1]))
            if step < 3:
                for prefix, kind in (("forward", "activity"), ("backward", "backward_activity")):
                    for p in populations:
                        value = session.named(f"{kind}:{p.index}")
                        rows.setdefault(f"{prefix}/{p.full_name}", []).append(named(network, value, p.index).clone())
            if step == 0:
                session.store()
                self.found.update({f"step1/{k}": v.clone() for k, v in network.state_dict().items()})
        session.store()
        self.found.update({key: torch.stack(values, dim=1) for key, values in rows.items()})
        self.found["loss"] = torch.cat(losses, dim=1)
        self.found.update({f"final/{k}": v.clone() for k, v in network.state_dict().items()})


def trace(case: Case, seeds: list[int], executor: str) -> tuple[Arrays, dict[str, Tensor]]:
    expected = case.arrays
    dtype = getattr(torch, case.index["dtype"])
    network = Network(case.config, seeds=seeds, dtype=dtype)
    for generator, seed in zip(network.generators, seeds, strict=True):
        generator.manual_seed(seed)
    order = torch.from_numpy(expected["sample_order"]).long().expand(len(seeds), -1)
    inputs, targets = (torch.from_numpy(expected[key]).to(dtype) for key in ("X", "targets"))
    found = Trace(network, inputs, targets, order, executor).found
    test = torch.from_numpy(expected["X_test"]).to(dtype)
    names = {f"test/{p.full_name}": (f"activity:{p.index}", p.shape) for p in network.architecture.populations}
    chunks = [values for _, values in activities(network, test, [name for name, _ in names.values()], executor)]
    for key, (name, shape) in names.items():
        found[key] = torch.cat([chunk[name] for chunk in chunks], dim=1).reshape(len(seeds), len(test), *shape)
    found.update({f"mask/{network.architecture.projections[i].name}": mask for i, mask in network.masks.items()})
    return expected, found


def compare(case: Case, expected: Arrays, found: Mapping[str, Tensor], replica: int) -> None:
    tolerance = case.index["tolerance"]["default"]
    skip = {"X", "targets", "X_test", "sample_order"}
    compared = 0
    for key, value in expected.items():
        if key in skip:
            continue
        mine = found[key][replica]
        if key.startswith("test/") and value.ndim > mine.ndim:
            # The reference reads one image as a batch of its channels; each entry of that batch is the same.
            mine = mine.unsqueeze(1).expand(value.shape)
        assert distance(value, mine, tolerance["rtol"], tolerance["atol"]) <= 1, key
        compared += 1
    assert compared > 5


def covered(case: Case, executor: str) -> bool:
    """Whether an executor runs the case; what it leaves to torch is known by its reason."""
    dtype = torch.float32 if case.index["dtype"] == "float32" else torch.float64
    network = Network(case.config, seeds=[1], dtype=dtype)
    reason = EXECUTORS[executor].refusal(network)
    if reason is None:
        return True
    assert executor == "native"
    assert any(words in reason for words in ("with state", "drawn at random")), reason
    assert choose_executor("auto", network)[0].name == "torch"
    return False


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("case", cases("dynamics"))
def test_small_network_reproduces_every_number_of_the_trace(case: Case, executor: str) -> None:
    if not covered(case, executor):
        return
    expected, found = trace(case, [case.index["seed"]], executor)
    compare(case, expected, found, 0)


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("case", cases("dynamics"))
def test_stacked_with_other_seeds_each_replica_keeps_its_numbers_bit_for_bit(case: Case, executor: str) -> None:
    if not covered(case, executor):
        return
    seed = case.index["seed"]
    seeds = [seed, seed + 1, seed + 2]
    expected, stacked = trace(case, seeds, executor)
    compare(case, expected, stacked, 0)
    for replica, own in enumerate(seeds):
        _, alone = trace(case, [own], executor)
        for key, value in alone.items():
            assert torch.equal(value[0].nan_to_num(7.0), stacked[key][replica].nan_to_num(7.0)), (key, own)


def summary(parameter: Tensor) -> Tensor:
    """Sum, sum of absolute values and 16 entries of each replica's parameter."""
    flat = parameter.flatten(1).double()
    entries = torch.linspace(0, flat.shape[1] - 1, 16, dtype=torch.float64).round().long()
    return torch.cat([flat.sum(1, keepdim=True), flat.abs().sum(1, keepdim=True), flat[:, entries]], dim=1)


def init_data(case: Case, network: Network) -> tuple[Tensor, Tensor]:
    """Inputs and targets by the recipe of the index."""
    index = case.index
    generator = torch.Generator().manual_seed(index["data_seed"])
    outputs, shape = network.architecture.output.units, network.architecture.input.shape
    labels = torch.randint(0, outputs, (index["steps"],), generator=generator)
    inputs = torch.randint(0, 256, (index["steps"], *shape), generator=generator) / 256
    if index["inputs"] == "signed":
        inputs = 2 * inputs - 1
    if index["inputs"] == "sparse":
        inputs = inputs * (torch.randint(0, 256, (index["steps"], *shape), generator=generator) < 64)
    return inputs, torch.eye(outputs)[labels]


@pytest.mark.parametrize("executor", list(EXECUTORS))
@pytest.mark.parametrize("case", cases("init"))
def test_full_size_network_is_built_from_its_seed_and_trains_to_the_same_parameters(case: Case, executor: str) -> None:
    if not covered(case, executor):
        return
    expected, index = case.arrays, case.index
    network = Network(case.config, seeds=index["seeds"])
    tolerances = index["tolerance"]
    for name, parameter in network.state_dict().items():
        check_summary(expected[f"built/{name}"], summary(parameter), tolerances["default"])
        assert tuple(expected[f"shape/{name}"]) == tuple(parameter.shape[1:])
    if not index["steps"]:
        return
    inputs, targets = init_data(case, network)
    order = torch.from_numpy(expected["sample_order"]).long().expand(network.R, -1)
    session = EXECUTORS[executor].begin(network, TrainingData(inputs, targets), ())
    session.run(order)
    session.store()
    for name, parameter in network.state_dict().items():
        check_summary(expected[f"trained/{name}"], summary(parameter), tolerances["trained"])


def check_summary(expected: np.ndarray, found: Tensor, tolerance: Mapping[str, float]) -> None:
    allowed = tolerance["atol"] + tolerance["rtol"] * np.abs(expected)
    allowed[:, 0] = tolerance["atol"] + tolerance["rtol"] * np.abs(expected[:, 1])
    assert np.all(np.abs(found.numpy() - expected) <= allowed)
