"""How close to the golden traces: cases passed by kind and executor, and the largest error relative to its tolerance.

``python benchmarks/parity.py``; the folder of the traces is that of ``tests/test_parity.py`` (EIANN_PARITY).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.figures import emit
from eiann import Network
from eiann.executors.base import TrainingData
from eiann.executors.choose import EXECUTORS
from tests import test_parity as parity

Error = tuple[float, str]


def dynamics_errors(case: parity.Case, executor: str) -> Iterator[Error]:
    expected, found = parity.trace(case, [case.index["seed"]], executor)
    tolerance = case.index["tolerance"]["default"]
    for key, value in expected.items():
        if key in ("X", "targets", "X_test", "sample_order"):
            continue
        mine = found[key][0]
        if key.startswith("test/") and value.ndim > mine.ndim:
            mine = mine.unsqueeze(1).expand(value.shape)
        yield parity.distance(value, mine, tolerance["rtol"], tolerance["atol"]), f"{case.name} {key}"


def init_errors(case: parity.Case, executor: str) -> Iterator[Error]:
    expected, index = case.arrays, case.index
    network = Network(case.config, seeds=index["seeds"])
    yield from _summaries(case, expected, network, "built", index["tolerance"]["default"])
    if index["steps"]:
        inputs, targets = parity.init_data(case, network)
        order = torch.from_numpy(expected["sample_order"]).long().expand(network.R, -1)
        session = EXECUTORS[executor].begin(network, TrainingData(inputs, targets), ())
        session.run(order)
        session.store()
        yield from _summaries(case, expected, network, "trained", index["tolerance"]["trained"])


def _summaries(
    case: parity.Case, expected: parity.Arrays, network: Network, kind: str, tolerance: dict[str, float]
) -> Iterator[Error]:
    for name, parameter in network.state_dict().items():
        wanted, mine = expected[f"{kind}/{name}"], parity.summary(parameter).numpy()
        allowed = tolerance["atol"] + tolerance["rtol"] * np.abs(wanted)
        allowed[:, 0] = tolerance["atol"] + tolerance["rtol"] * np.abs(wanted[:, 1])
        yield float(np.max(np.abs(mine - wanted) / allowed)), f"{case.name} {kind} {name}"


def main() -> None:
    for kind, errors in (("dynamics", dynamics_errors), ("init", init_errors)):
        cases = [parameter.values[0] for parameter in parity.cases(kind)]
        for executor in EXECUTORS:
            passed, covered, worst = 0, 0, (0.0, "-")
            for case in cases:
                if not parity.covered(case, executor):
                    continue
                covered += 1
                largest = max(errors(case, executor))
                passed += largest[0] <= 1
                worst = max(worst, largest)
            emit("parity", kind=kind, executor=executor, cases=len(cases), covered=covered, passed=passed,
                 largest_error_over_tolerance=worst[0], where=worst[1])  # fmt: skip


if __name__ == "__main__":
    main()
