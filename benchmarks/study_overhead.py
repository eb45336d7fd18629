"""What a search costs besides training: a study with a trainer that trains nothing, against plain Ray Tune.

    python benchmarks/study_overhead.py [--trials N] [--plain N] [--paced N] [--memory N] [--out FILE]

Both run in this process, one after the other: seconds per trial of a study with packs of 20 trials and the stub
trainer, and of the same number of cores with one Ray Tune function trainable per trial that returns at once. The pace
is that between the tenth part of the trials and the last one, so without the start of workers; beside it stand the
processor time of the driver in that stretch, and the load of the machine.

``--paced N``: N trials in packs that take one second each, on one slot; the shares of the wall time that driver and
storage take, and that is not packs at all (Ray and the results' way to the disk too), the start of workers left out.
``--memory N``: the driver's memory in the course of N trials, without Ray, sampler after sampler.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from figures import also_write_to, emit

from optimize.space import SearchSpace
from optimize.space.document import NamedWithOptions
from optimize.study import Ledger, Resources, Study
from optimize.tune.cluster import Slots, ray_cluster
from optimize.tune.driver import Driver
from optimize.tune.pack import compute
from optimize.tune.run import run_study
from optimize.tune.stub import PAUSE_VARIABLE
from optimize.tune.trainer import load_trainer

STUB = "optimize.tune.stub:StubTrainer"


def study_seconds(trials: int) -> tuple[float, dict[str, float]]:
    """Seconds of a whole run, and figures of its pace once workers have started."""
    resources = Resources(pack=20)
    moments: list[tuple[int, float, float]] = []
    with tempfile.TemporaryDirectory() as studies:
        space = SearchSpace.load("spiral/dale_backprop")
        study = Study.create(
            space, name="stub", studies=Path(studies), trials=trials, resources=resources, trainer=STUB, seed=1
        )
        with ray_cluster(resources) as slots:
            start = time.perf_counter()
            run_study(study, slots, watch=lambda status: moments.append(_moment(status.recorded)))
            seconds = time.perf_counter() - start
        assert len(study.trials()) == trials
    first = next(moment for moment in moments if moment[0] >= trials / 10)
    count, wall, cpu = (last - begin for last, begin in zip(moments[-1], first, strict=True))
    return seconds, {
        "trials_per_second": round(count / wall, 1),
        "driver_cpu_ms_per_trial": round(1000 * cpu / count, 2),
        "load": round(os.getloadavg()[0], 1),
    }


def _moment(recorded: int) -> tuple[int, float, float]:
    return recorded, time.perf_counter(), time.process_time()


@contextmanager
def ledger_watched() -> Iterator[list[float]]:
    """Seconds that proposing trials and recording results take, storage included, one entry for each call."""
    seconds: list[float] = []
    names = ("propose", "record")
    originals = {name: getattr(Ledger, name) for name in names}

    def timed(call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*args)
            finally:
                seconds.append(time.perf_counter() - start)

        return run

    for name, call in originals.items():
        setattr(Ledger, name, timed(call))
    try:
        yield seconds
    finally:
        for name, call in originals.items():
            setattr(Ledger, name, call)


def paced(trials: int) -> dict[str, float]:
    """Shares of the wall time between the first result and the last: driver and storage, and all that is not packs."""
    resources = Resources(pack=20)
    moments: list[tuple[float, int]] = []
    os.environ[PAUSE_VARIABLE] = "1.0"
    with tempfile.TemporaryDirectory() as studies, ray_cluster(resources), ledger_watched() as seconds:
        space = SearchSpace.load("spiral/dale_backprop")
        study = Study.create(
            space, name="stub", studies=Path(studies), trials=trials, resources=resources, trainer=STUB, seed=1
        )
        run_study(study, Slots(1), watch=lambda status: moments.append((time.perf_counter(), status.recorded)))
        study.close()
    del os.environ[PAUSE_VARIABLE]
    results = [
        (moment, count) for (moment, count), (_, before) in zip(moments[1:], moments, strict=False) if count > before
    ]
    packs = (results[-1][1] - results[0][1]) / resources.pack
    wall = results[-1][0] - results[0][0]
    return {
        # Of the first pack and of the settling before it there is a call each that is not between the results.
        "driver_and_storage": round(sum(seconds[2:]) / wall, 4),
        "all_overhead": round(1 - packs / wall, 4),
        "load": round(os.getloadavg()[0], 1),
    }


def memory_mb(trials: int, sampler: str, points: int = 10) -> list[float]:
    """Resident memory of a driver after each tenth of its trials."""
    process = psutil.Process()
    seen = []
    with tempfile.TemporaryDirectory() as studies:
        space = SearchSpace.load("spiral/dale_backprop")
        if sampler == "cmaes":
            space = SearchSpace.from_dict({**space.to_dict(), "objectives": ["accuracy"]})
        study = Study.create(
            space, name="stub", studies=Path(studies), trials=trials, resources=Resources(pack=20), trainer=STUB,
            sampler=NamedWithOptions(name=sampler),
        )  # fmt: skip
        with study.driven() as (ledger, _):
            driver = Driver(ledger, trials, 20)
            trainer = load_trainer(STUB, study.spec)
            while (pack := driver.next_pack()) is not None:
                driver.receive(pack, compute(study.spec, trainer, pack))
                if driver.status.ended >= (len(seen) + 1) * trials / points:
                    seen.append(round(process.memory_info().rss / 2**20, 1))
        study.close()
    return seen


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
    parser.add_argument("--paced", type=int, default=0)
    parser.add_argument("--memory", type=int, default=0)
    parser.add_argument("--samplers", nargs="*", default=["random", "nsga2", "annealing", "cmaes"], help="of --memory")
    parser.add_argument("--out", type=Path, help="append the JSON lines to this file too")
    options = parser.parse_args()
    also_write_to(options.out)
    if options.memory:
        for name in options.samplers:
            emit("study_memory", sampler=name, trials=options.memory, rss_mb=memory_mb(options.memory, name))
    if options.paced:
        emit("study_paced", trials=options.paced, pack=20, pack_seconds=1, **paced(options.paced))
    if options.memory or options.paced:
        return
    plain = plain_seconds(options.plain) / options.plain
    seconds, pace = study_seconds(options.trials)
    emit(
        "study_overhead", trials=options.trials, pack=20, seconds_per_trial=round(seconds / options.trials, 4),
        plain_ray_tune_seconds_per_trial=round(plain, 3), ratio=round(plain / (seconds / options.trials), 1),
        **pace,
    )  # fmt: skip


if __name__ == "__main__":
    main()
