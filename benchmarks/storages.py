"""What a trial costs in each kind of storage, and how long the tables of a large study take to open.

    python benchmarks/storages.py [--trials 1000 10000] [--storages sqlite journal postgresql] [--out FILE]

Trials have 30 parameters, 2 objectives and 5 instances, and come in packs of 20: proposed in one transaction, ended in
another. Figures are milliseconds for each trial, wall time and processor time of this process, over the last thousand
trials, and seconds to open both tables. PostgreSQL is a throw-away server of this machine's packages.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from figures import also_write_to, emit
from optuna.trial import FrozenTrial, TrialState

from optimize.space import SearchSpace
from optimize.study import Resources, Study, Suggester, TrialJob
from optimize.study.ledger import ATTEMPT, ENDED_AS, RESULT, as_stored
from optimize.study.storage import Ending
from optimize.tune.pack import Pack, compute
from optimize.tune.stub import StubTrainer
from tests.optimize.postgres import PostgresServer

PACK, WINDOW = 20, 1000


def space() -> SearchSpace:
    made = SearchSpace.load("spiral/dale_backprop").with_instances(5)
    document = made.to_dict()
    for number in range(30 - len(made.searched)):
        document["parameters"][f"extra_{number}"] = {"range": [0.0, 1.0], "start": 0.5, "unused": True}
    return SearchSpace.from_dict(document)


def measure(kind: str, counts: list[int], folder: Path, url: str | None) -> None:
    study = Study.create(
        space(), name="big", studies=folder, trials=max(counts), storage=url,
        trainer="optimize.tune.stub:StubTrainer", resources=Resources(pack=PACK),
    )  # fmt: skip
    parameters = len(study.spec.search_space.searched)
    pack = _proposals(study)
    trainer = StubTrainer(study.spec)
    wall = cpu = 0.0
    for first in range(0, max(counts), PACK):
        templates = [_numbered(template, first + i) for i, template in enumerate(pack)]
        jobs = tuple(TrialJob(t.number, 1, t.params, study.spec.search_space.instances) for t in templates)
        results = compute(study.spec, trainer, Pack(first // PACK, jobs))
        clock = time.perf_counter(), time.process_time()
        ids = study.storage.create(templates)
        study.storage.end([
            Ending(
                trial_id, TrialState.COMPLETE, result.objectives or (1.0,) * len(study.spec.evaluation.objectives),
                {RESULT: as_stored(result), ENDED_AS: first + i + 1},
            )
            for i, (trial_id, result) in enumerate(zip(ids, results, strict=True))
        ])  # fmt: skip
        wall, cpu = wall + time.perf_counter() - clock[0], cpu + time.process_time() - clock[1]
        done = first + PACK
        if done in counts:
            study.close()
            opened = Study.open(study.folder.path)
            start, start_cpu = time.perf_counter(), time.process_time()
            rows = len(opened.trials()), len(opened.instances())
            tables, tables_cpu = time.perf_counter() - start, time.process_time() - start_cpu
            opened.close()
            emit(
                "storage", storage=kind, trials=done, parameters=parameters, pack=PACK,
                ms_per_trial=round(1000 * wall / min(done, WINDOW), 2),
                cpu_ms_per_trial=round(1000 * cpu / min(done, WINDOW), 2),
                tables_s=round(tables, 2), tables_cpu_s=round(tables_cpu, 2), rows=rows,
            )  # fmt: skip
        if done % WINDOW == 0:
            wall = cpu = 0.0
    study.close()


def _proposals(study: Study) -> list[FrozenTrial]:
    spec = study.spec
    suggester = Suggester(spec.search_space, spec.sampler, spec.seed)
    return [suggester.propose().trial for _ in range(PACK)]


def _numbered(template: FrozenTrial, number: int) -> FrozenTrial:
    return FrozenTrial(
        number=number, state=TrialState.RUNNING, value=None, datetime_start=None, datetime_complete=None,
        params=template.params, distributions=template.distributions, user_attrs={ATTEMPT: 1}, system_attrs={},
        intermediate_values={}, trial_id=-1,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--storages", nargs="+", default=["sqlite", "journal", "postgresql"])
    parser.add_argument("--out", type=Path, help="append the JSON lines to this file too")
    options = parser.parse_args()
    also_write_to(options.out)
    for kind in options.storages:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if kind == "postgresql":
                server = PostgresServer(durable=True)
                try:
                    measure(kind, options.trials, folder / "studies", server.url())
                finally:
                    server.remove()
            else:
                url = f"journal:{folder}/study.log" if kind == "journal" else None
                measure(kind, options.trials, folder / "studies", url)


if __name__ == "__main__":
    main()
