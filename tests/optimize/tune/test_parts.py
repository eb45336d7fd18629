"""Of a pack whose trials end one by one nothing is lost that has ended: not with its worker, nor with its machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Spool, Study, TrialResult
from optimize.tune import nodes
from optimize.tune.cluster import Slots
from optimize.tune.inline import run_inline
from optimize.tune.pack import Pack, compute, compute_parts
from optimize.tune.run import run_study
from optimize.tune.stub import StubTrainer
from optimize.tune.worker import PACK, RESULTS, PackTrainable
from tests.optimize.conftest import STUB, MakeStudy, toy_document

FAILING = "tests.optimize.tune.failing"
RULES: dict[str, Any] = {"stopping": {"instances": [1], "keep": 0.6, "margin": 0, "warmup": 4, "slots": 2}}
MEASURED = ["number", "state", "objectives.loss", "params.rate", "params.scale", "instances_ok", "instances_failed"]
pytestmark = pytest.mark.filterwarnings("default:::ray")


@pytest.fixture
def make(make_study: MakeStudy) -> MakeStudy:
    def made(name: str = "toy", **settings: Any) -> Study:
        space = SearchSpace.from_dict(toy_document(objectives=["loss"], **settings.pop("rules", RULES)))
        return make_study(space, name=name, sampler=NamedWithOptions(name="random"), pack=6, **settings)

    return made


def pack_of(study: Study) -> Pack:
    with study.driven() as (ledger, _):
        return Pack(0, tuple(ledger.propose(6)))


def values(result: TrialResult) -> dict[str, Any]:
    return result.model_dump(exclude={"seconds", "started", "finished"})


def test_parts_are_the_pack(make: MakeStudy) -> None:
    study = make()
    pack, trainer = pack_of(study), StubTrainer(study.spec)
    parts = list(compute_parts(study.spec, trainer, pack))
    whole = compute(study.spec, trainer, pack)
    assert len(parts) > 3
    assert [result.number for result in whole] == [job.number for job in pack.jobs]
    found = sorted((result for part in parts for result in part), key=lambda result: result.number)
    assert [values(result) for result in found] == [values(result) for result in whole]
    assert {result.executor for result in whole} == {"stub"}
    ends = [part[0].finished for part in parts]
    assert ends == sorted(ends)  # type: ignore[type-var]


def test_trials_without_rules_are_one_batch_and_end_together(make: MakeStudy) -> None:
    study = make(rules={})
    pack = pack_of(study)
    assert [len(part) for part in compute_parts(study.spec, StubTrainer(study.spec), pack)] == [6]


@pytest.mark.parametrize("seen", [True, False])
def test_a_worker_keeps_each_part_and_reports_it_where_nobody_else_sees_it(
    make: MakeStudy, seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(nodes.FOLDER_VARIABLE, str(tmp_path / "node"))
    study = make(trainer=STUB)
    pack = pack_of(study)
    results = str(study.folder.results) if seen else "/no/such/folder"
    worker = PackTrainable.__new__(PackTrainable)
    worker.setup({PACK: pack}, study.spec.model_dump(mode="json", by_alias=True), results)
    spool = study.spool if seen else Spool(nodes.local_folder(study.spec.study_id))
    for again in (False, True):
        if again:
            pack = Pack(1, tuple(replace(job, attempt=2) for job in pack.jobs))
            worker.reset_config({PACK: pack})
        steps = [worker.step()]
        while not steps[-1]["done"]:
            reported = [TrialResult.model_validate_json(text).number for step in steps for text in step[RESULTS]]
            assert [job.number for job in pack.jobs if spool.path(job.number, job.attempt).exists()] == sorted(reported)
            steps.append(worker.step())
        assert len(steps) == 1 if seen else len(steps) > 3
        last = [TrialResult.model_validate_json(text) for text in steps[-1][RESULTS]]
        assert [values(result) for result in last] == [
            values(result) for result in compute(study.spec, StubTrainer(study.spec), pack)
        ]


@pytest.mark.parametrize("trainer", [pytest.param("DiesInMidPack", marks=pytest.mark.long), "DiesUnseen"])
def test_what_had_ended_when_a_worker_died_is_not_computed_again(
    make: MakeStudy, ray_slots: Slots, trainer: str
) -> None:
    study = make(trials=12, trainer=f"{FAILING}:{trainer}")
    run_study(study, Slots(1))
    trials = study.trials()
    undisturbed = make("undisturbed", trials=12)
    run_inline(undisturbed)
    assert trials["number"].tolist() == list(range(12)), "each exactly once"
    first = trials[trials["number"] < 6]
    assert 2 <= (first["attempt"] == 1).sum() <= 5, "some had ended, and some had not"
    assert set(first["attempt"]) == {1, 2}
    assert (first[first["attempt"] == 1]["pack"] == 0).all()
    assert not trials["failure"].fillna("").str.contains("could not be computed").any()
    assert trials[MEASURED][:6].equals(undisturbed.trials()[MEASURED][:6])
    assert not nodes.local_folder(study.spec.study_id).exists(), "nothing is left on the machine"
