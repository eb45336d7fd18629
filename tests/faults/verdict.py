"""What became of a study after a fault: nothing lost, nothing twice, nothing changed, and the undisturbed table."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial

from optimize.study import Study, StudySpec, Suggester, TrialJob, TrialResult
from optimize.study.ledger import ASKED_AFTER, ENDED_AS
from optimize.tune.inline import run_inline
from optimize.tune.pack import Pack, compute
from optimize.tune.stub import StubTrainer
from tests.optimize.conftest import STUB

VALUES = ["number", "state", "objectives.accuracy", "objectives.loss", "params.rate", "params.scale", "failure"]


@dataclass
class Verdict:
    """Counts of what must not be; ``problems`` says which.

    Attributes:
        lost: trials that are missing, have not ended, or were computed again although there was a durable result.
        duplicated: trials over the budget, or recorded twice.
        changed: recorded rows that changed, results and proposals that are not what they should be.
        same_order: whether all happened in the order of an undisturbed run; then the whole table was compared with it.
    """

    lost: int = 0
    duplicated: int = 0
    changed: int = 0
    same_order: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether all is as it should be."""
        return not self.problems


@dataclass(frozen=True)
class Snapshot:
    """What a study had right after a fault.

    Attributes:
        recorded: row by number of every trial that had ended.
        spooled: durable results of trials that had not; of each the first attempt, which is the one that counts.
    """

    recorded: Mapping[int, Mapping[str, Any]]
    spooled: Mapping[int, TrialResult]

    @classmethod
    def of(cls, study: Study) -> Snapshot:
        """Look, and touch nothing."""
        rows = _rows(study.trials())
        recorded = {number: row for number, row in rows.items() if row["state"] != "RUNNING"}
        running = {trial.number: trial.params for trial in study.storage.trials() if not trial.state.is_finished()}
        spooled = {}
        for number, params in running.items():
            result = study.spool.read(number)
            if result is not None and result.params == params:
                spooled[number] = result
        study.close()
        return cls(recorded, spooled)


def judge(study: Study, snapshots: list[Snapshot]) -> Verdict:
    """Compare a study that was brought to its end with what it had after each fault, and with an undisturbed one.

    Args:
        study: at its end.
        snapshots: after the faults.
    """
    verdict = Verdict()
    trials = study.storage.trials()
    final = _rows(study.trials())
    counts = Counter(trial.number for trial in trials)
    for number in range(study.budget):
        if number not in counts or final[number]["state"] not in ("COMPLETE", "FAIL"):
            verdict.lost += 1
            verdict.problems.append(f"trial {number} is missing or has not ended")
    extra = sorted(number for number in counts if number >= study.budget) + [n for n, c in counts.items() if c > 1]
    order = [trial.user_attrs.get(ENDED_AS) for trial in trials]
    repeated = [place for place, count in Counter(order).items() if count > 1]
    if extra or repeated:
        verdict.duplicated += len(extra) + len(repeated)
        verdict.problems.append(f"trials over the budget or twice: {extra}; twice in the order of events: {repeated}")
    for snapshot in snapshots:
        for number, row in snapshot.recorded.items():
            if final.get(number) != row:
                verdict.changed += 1
                verdict.problems.append(f"trial {number} was {row} and is {final.get(number)}")
        for number, result in snapshot.spooled.items():
            if number in final and final[number]["attempt"] != result.attempt:
                verdict.lost += 1
                verdict.problems.append(f"trial {number} had a durable result and was computed again")
    if not verdict.problems:
        _check_values(study, trials, verdict)
        _check_proposals(study, trials, verdict)
    study.close()
    return verdict


def _check_values(study: Study, trials: list[FrozenTrial], verdict: Verdict) -> None:
    """Every result is the function of parameters and seeds that it should be; in the same order, so is the table."""
    trainer = StubTrainer(study.spec)
    rows = _rows(study.trials())
    for trial in trials:
        job = TrialJob(trial.number, 1, trial.params, study.spec.search_space.instances)
        (again,) = compute(study.spec, trainer, Pack(0, (job,)))
        row = rows[trial.number]
        kept = row["objectives.accuracy"], row["objectives.loss"]
        if row["failure"] != again.failure or (again.objectives is not None and kept != again.objectives):
            verdict.changed += 1
            verdict.problems.append(f"trial {trial.number} has {kept}, {row['failure']}; {again} would be right")
    nameless = {"storage": None, "study_id": "0", "created": datetime(2026, 1, 1, tzinfo=UTC)}
    undisturbed, events = undisturbed_run(study.spec.model_copy(update=nameless).to_yaml(), study.budget)
    verdict.same_order = [_events(trial) for trial in trials] == events
    if verdict.same_order and not undisturbed.equals(study.trials()[VALUES]):
        verdict.changed += 1
        verdict.problems.append("events had the order of an undisturbed run, and the table is another")


def _check_proposals(study: Study, trials: list[FrozenTrial], verdict: Verdict) -> None:
    """Go through the recorded order of events without any interruption: the same parameters must be proposed."""
    spec = study.spec
    suggester = Suggester(spec.search_space, spec.sampler, spec.seed, spec.points)
    ends = sorted(trials, key=lambda trial: trial.user_attrs[ENDED_AS])
    ended = 0
    for trial in trials:
        while ended < trial.user_attrs[ASKED_AFTER]:
            suggester.tell(ends[ended].number, ends[ended].state, ends[ended].values)
            ended += 1
        params = suggester.propose().trial.params
        if params != trial.params:
            verdict.changed += 1
            verdict.problems.append(f"trial {trial.number} has {trial.params}; {params} would be proposed")
            return


def _events(trial: FrozenTrial) -> tuple[int, int]:
    return trial.user_attrs[ASKED_AFTER], trial.user_attrs[ENDED_AS]


@cache
def undisturbed_run(spec: str, budget: int) -> tuple[pd.DataFrame, list[tuple[int, int]]]:
    """Table and order of events of a study with this specification that nothing happened to."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spec.yaml"
        path.write_text(spec)
        frozen = StudySpec.from_yaml(path)
        made = Study.create(
            frozen.search_space,
            name=frozen.name,
            studies=Path(folder),
            trials=budget,
            sampler=frozen.sampler,
            resources=frozen.resources,
            seed=frozen.seed,
            trainer=STUB,
        )
        run_inline(made)
        table = made.trials()[VALUES]
        events = [_events(trial) for trial in made.storage.trials()]
        made.close()
    return table, events


def _rows(table: pd.DataFrame) -> dict[int, dict[str, Any]]:
    plain = table.astype(object).where(table.notna(), None)
    return {int(row["number"]): row for row in plain.to_dict("records")}
