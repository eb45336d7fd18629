"""How good a front each sampler finds at equal budget: test problems and the spiral Dale backprop space.

    python benchmarks/search_quality.py [--problems zdt1 dtlz2 wfg4] [--samplers annealing nsga2 ...] [--seeds 5]
    python benchmarks/search_quality.py --spiral 300 --instances 3

Trials are proposed in packs of 20, as in a study. A test problem's line has the hypervolume after so many trials, as
a share of that of the true front. The spiral's line has the best 100 - accuracy and the hypervolume of the three
objectives from the reference point (75, 0.2, 1), as a share of the box between there and 0.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from figures import emit
from optuna._hypervolume import compute_hypervolume
from optuna.trial import TrialState
from problems import PROBLEMS, Problem

from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Resources, Study, Suggester
from optimize.tune.inline import run_inline

PACK = 20
CHECKPOINTS = (100, 150, 300, 1000, 3000)
# What takes seconds for a trial gets fewer of them, and is compared at those.
MOST = {"gp": 150}
MULTI_OBJECTIVE = ("random", "qmc", "annealing", "nsga2", "nsga3", "tpe", "gp")
SPIRAL_REFERENCE = (75.0, 0.2, 1.0)


def space_of(problem: Problem) -> SearchSpace:
    """A space whose parameters reach no network: only proposals are wanted of it."""
    names = ["accuracy", "loss", "dynamics_residuals"][: problem.objectives]
    spiral = SearchSpace.load("spiral/perceptron").to_dict()
    parameters = {f"x{i}": {"range": [0.0, high], "unused": True} for i, high in enumerate(problem.high)}
    return SearchSpace.from_dict({**spiral, "parameters": parameters, "points": {}, "objectives": names})


def hypervolume(costs: np.ndarray, reference: Sequence[float]) -> float:
    point = np.array(reference)
    inside = costs[(costs < point).all(1)]
    return float(compute_hypervolume(inside, point)) if len(inside) else 0.0


def measure(name: str, sampler: str, seed: int, trials: int) -> None:
    problem = PROBLEMS[name]
    made = Suggester(space_of(problem), NamedWithOptions(name=sampler), seed)
    start, costs, course = time.process_time(), [], {}
    while len(costs) < trials:
        pack = [made.propose().trial for _ in range(min(PACK, trials - len(costs)))]
        for trial in pack:
            x = np.array([trial.params[f"x{i}"] for i in range(len(problem.high))])
            values = problem.function(x).tolist()
            made.tell(trial.number, TrialState.COMPLETE, values)
            costs.append(values)
        if len(costs) in CHECKPOINTS or len(costs) == trials:
            share = hypervolume(np.array(costs), problem.reference) / problem.best
            course[str(len(costs))] = round(share, 4)
    emit(
        "search_quality", problem=name, sampler=sampler, seed=seed, trials=trials, hypervolume=course,
        cpu_ms_per_proposal=round(1000 * (time.process_time() - start) / trials, 2),
    )  # fmt: skip


def measure_spiral(sampler: str, seed: int, trials: int, instances: int) -> None:
    space = SearchSpace.load("spiral/dale_backprop").with_instances(instances)
    if sampler == "cmaes":
        space = SearchSpace.from_dict({**space.to_dict(), "objectives": ["accuracy"]})
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        study = Study.create(
            space, name="quality", studies=Path(folder), trials=trials, sampler=NamedWithOptions(name=sampler),
            resources=Resources(pack=PACK), seed=seed,
        )  # fmt: skip
        run_inline(study)
        done = study.trials()
        study.close()
    complete = done[done["state"] == "COMPLETE"]
    accuracy = complete["objectives.accuracy"].to_numpy()
    figures: dict[str, object] = {"best_error": round(float(accuracy.min()), 3)}
    figures["best_error_after"] = {
        str(count): round(float(complete[complete["number"] < count]["objectives.accuracy"].min()), 3)
        for count in (20, 50, 100, 150, 200, 300, 1000) if count <= trials
    }  # fmt: skip
    if sampler != "cmaes":
        costs = complete[[f"objectives.{name}" for name in study.spec.evaluation.objectives]].to_numpy()
        share = hypervolume(costs, SPIRAL_REFERENCE) / float(np.prod(SPIRAL_REFERENCE))
        figures["hypervolume"] = round(share, 4)
    emit(
        "search_quality", problem="spiral/dale_backprop", sampler=sampler, seed=seed, trials=trials,
        instances=instances, failed=int((done["state"] == "FAIL").sum()), **figures,
        cpu_seconds=round(time.process_time() - start, 1),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", nargs="*", default=list(PROBLEMS))
    parser.add_argument("--samplers", nargs="*", default=list(MULTI_OBJECTIVE))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=3000)
    parser.add_argument("--spiral", type=int, default=0, help="trials on the spiral space instead")
    parser.add_argument("--instances", type=int, default=3)
    options = parser.parse_args()
    for seed in range(options.seeds):
        for sampler in options.samplers:
            if options.spiral:
                measure_spiral(sampler, seed, min(options.spiral, MOST.get(sampler, options.spiral)), options.instances)
                continue
            for problem in options.problems:
                measure(problem, sampler, seed, min(options.trials, MOST.get(sampler, options.trials)))


if __name__ == "__main__":
    main()
