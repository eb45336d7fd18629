"""What giving trials up early saves: training samples spent, and what is found for them, against a search without.

    python benchmarks/early_stopping.py [--trials 60] [--instances 4] [--steps 1400] [--seeds 3] [--samplers random tpe]

The spiral Dale backprop space, shortened. All searches have the same number of trials. With the random sampler they
propose the very same points, so that the figures differ by what was given up alone. ``samples`` are training samples,
a figure that does not depend on the machine; ``to_same`` is the share of all samples of the plain search after which
the hypervolume came within 1 % of what the plain search ended with, ``null`` if it never did.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from figures import emit
from search_quality import SPIRAL_REFERENCE, hypervolume

from optimize.space import NamedWithOptions, Race, SearchSpace, Stopping
from optimize.study import Resources, Study
from optimize.tune.inline import run_inline

VARIANTS: dict[str, dict[str, Any]] = {
    "off": {},
    "samples": {"stopping": Stopping(samples=(0.25, 0.5))},
    "instances": {"stopping": Stopping(instances=(1, 2))},
    "both": {"stopping": Stopping(samples=(0.25, 0.5), instances=(1, 2))},
    "race": {"race": Race(first=2)},
}
Course = list[tuple[int, float]]


def search(space: SearchSpace, sampler: str, seed: int, trials: int) -> tuple[Course, dict[str, object]]:
    """Samples spent and hypervolume after each trial in the order recorded, and figures of the whole search."""
    steps = space.run.steps
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(
            space, name="early", studies=Path(folder), trials=trials, sampler=NamedWithOptions(name=sampler),
            resources=Resources(pack=10), seed=seed,
        )  # fmt: skip
        run_inline(study)
        rows, table, best = study.rows(), study.trials(), study.best(1, "accuracy")
        study.close()
    spent, costs, course = 0, [], []
    for row in sorted(rows, key=lambda row: (row.result.get("pack", 0), row.number)):
        spent += steps * len(row.result.get("instances", ()))
        rungs = row.result.get("rungs", ())
        if row.state == "PRUNED" and rungs[-1]["kind"] == "samples":
            spent += rungs[-1]["at"] * len(rungs[-1]["instances"])
        if row.state == "COMPLETE":
            costs.append(row.result["objectives"])
        share = hypervolume(np.array(costs), SPIRAL_REFERENCE) / float(np.prod(SPIRAL_REFERENCE)) if costs else 0.0
        course.append((spent, share))
    return course, {
        "samples": spent,
        "pruned": int((table["state"] == "PRUNED").sum()),
        "best_error": round(float(best["objectives.accuracy"].iloc[0]), 3),
        "best_trial": int(best["number"].iloc[0]),
        "hypervolume": round(course[-1][1], 4),
        "cpu_seconds": round(time.process_time() - start, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--instances", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1400)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--samplers", nargs="*", default=["random", "tpe"])
    options = parser.parse_args()
    plain_space = SearchSpace.load("spiral/dale_backprop").with_instances(options.instances)
    plain_space = plain_space.with_run(steps=options.steps, window=200, val_interval=(-200, -1, 50))
    for seed in range(options.seeds):
        for sampler in options.samplers:
            plain: tuple[int, float] | None = None
            for name, rules in VARIANTS.items():
                space = plain_space.with_early(rules.get("stopping"), rules.get("race"))
                course, figures = search(space, sampler, seed, options.trials)
                plain = plain or course[-1]
                reached = next((spent for spent, share in course if share >= 0.99 * plain[1]), None)
                emit(
                    "early_stopping", rules=name, sampler=sampler, seed=seed, trials=options.trials,
                    instances=options.instances, steps=options.steps, **figures,
                    samples_share=round(course[-1][0] / plain[0], 3),
                    to_same=None if reached is None else round(reached / plain[0], 3),
                )  # fmt: skip


if __name__ == "__main__":
    main()
