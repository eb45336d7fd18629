"""What a search costs besides training: a study with a trainer that trains nothing, against plain Ray Tune.

    python benchmarks/study_overhead.py [--trials N] [--plain N]

Both run in this process, one after the other: seconds per trial of a study with packs of 20 trials and the stub
trainer, and of the same number of cores with one Ray Tune function trainable per trial that returns at once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from figures import emit

from optimize.space import SearchSpace
from optimize.study import Resources, Study
from optimize.tune.cluster import ray_cluster
from optimize.tune.run import run_study

STUB = "optimize.tune.stub:StubTrainer"


def study_seconds(trials: int) -> float:
    resources = Resources(pack=20)
    with tempfile.TemporaryDirectory() as studies:
        space = SearchSpace.load("spiral/dale_backprop")
        study = Study.create(
            space, name="stub", studies=Path(studies), trials=trials, resources=resources, trainer=STUB, seed=1
        )
        with ray_cluster(resources) as slots:
            start = time.perf_counter()
            run_study(study, slots)
            seconds = time.perf_counter() - start
        assert len(study.trials()) == trials
    return seconds


def nothing(config: dict[str, float]) -> dict[str, float]:
    return {"loss": config["x"]}


def plain_seconds(trials: int) -> float:
    import ray.tune

    with ray_cluster(Resources()), tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        ray.tune.Tuner(
            nothing,
            param_space={"x": ray.tune.uniform(0, 1)},
            tune_config=ray.tune.TuneConfig(num_samples=trials),
            run_config=ray.tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--plain", type=int, default=20)
    options = parser.parse_args()
    plain = plain_seconds(options.plain) / options.plain
    seconds = study_seconds(options.trials)
    emit(
        "study_overhead", trials=options.trials, pack=20, seconds_per_trial=round(seconds / options.trials, 4),
        plain_ray_tune_seconds_per_trial=round(plain, 3), ratio=round(plain / (seconds / options.trials), 1),
    )  # fmt: skip


if __name__ == "__main__":
    main()
