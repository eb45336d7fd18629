"""Stopped trials are PRUNED with their intermediate values; all others have the result that they would have anyway."""

from __future__ import annotations

import pickle
from typing import Any

import pandas as pd
import pytest

from eiann.errors import UserError
from optimize.plan import Plan
from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import NETWORK_TRAINER, Resources, Study, StudySpec
from optimize.tune.inline import run_inline
from optimize.tune.pack import Pack, compute
from optimize.tune.stub import StubTrainer
from tests.optimize.conftest import STUB, MakeStudy, toy_document

RANDOM = NamedWithOptions(name="random")
RULES: dict[str, dict[str, Any]] = {
    "samples": {"stopping": {"samples": [0.25, 0.5], "keep": 0.5, "margin": 0, "warmup": 4}},
    "instances": {"stopping": {"instances": [1, 2], "keep": 0.5, "margin": 0, "warmup": 4}},
    "both": {"stopping": {"samples": [0.5], "instances": [1], "keep": 0.6, "margin": 0, "warmup": 4}},
    "race": {"race": {"first": 2}},
    "all": {"stopping": {"samples": [0.5], "keep": 0.7, "warmup": 4}, "race": {"first": 2}},
}
MEASURED = ("objectives.", "features.", "params.")


def space(objectives: list[str] | None = None, instances: int = 4, **rules: Any) -> SearchSpace:
    return SearchSpace.from_dict(toy_document(instances=instances, objectives=objectives or ["loss"], **rules))


def kept(study: Study, states: tuple[str, ...] = ("COMPLETE",)) -> pd.DataFrame:
    trials = study.trials()
    columns = ["number", "state", "instances_ok", *(name for name in trials if name.startswith(MEASURED))]
    return trials[trials["state"].isin(states)][columns].reset_index(drop=True)


@pytest.mark.parametrize(
    ("name", "trainer"), [("samples", STUB), ("instances", STUB), ("both", STUB), ("both", NETWORK_TRAINER)]
)
def test_what_is_not_given_up_has_the_same_result_to_the_last_bit(
    make_study: MakeStudy, name: str, trainer: str
) -> None:
    settings = {"sampler": RANDOM, "trials": 24 if trainer == STUB else 18, "pack": 6, "trainer": trainer}
    plain = make_study(space(), name="plain", **settings)
    early = make_study(space(**RULES[name]), name="early", **settings)
    run_inline(plain)
    run_inline(early)
    states = early.trials()["state"].value_counts()
    assert states["PRUNED"] >= 3
    assert states["COMPLETE"] >= 3
    complete = kept(early)
    same = kept(plain).set_index("number").loc[complete["number"]].reset_index()
    pd.testing.assert_frame_equal(complete, same, check_exact=True)


def test_a_pruned_trial_keeps_its_intermediate_values_and_says_why(make_study: MakeStudy) -> None:
    study = make_study(space(**RULES["both"]), sampler=RANDOM, trials=24, pack=6)
    run_inline(study)
    trials = study.trials().set_index("number")
    pruned = [row for row in study.rows() if row.state == "PRUNED"]
    assert {row.result["rungs"][-1]["kind"] for row in pruned} == {"samples", "instances"}
    for row in pruned:
        assert row.result["stopped"] == trials.loc[row.number, "failure"]
        assert row.result["rungs"][-1]["costs"]
        assert "objectives" not in row.result
        assert trials.loc[row.number, "instances_ok"] == len(row.result.get("instances", ())) < 4
    assert not set(study.best(100)["number"]) & {row.number for row in pruned}


@pytest.mark.parametrize("name", RULES)
def test_decisions_depend_on_the_recorded_order_only(make_study: MakeStudy, name: str) -> None:
    """Not on slots, nor on restarts; adopted trials are judged by what was known when they were proposed."""
    settings = {"sampler": RANDOM, "trials": 24, "pack": 6}
    rules = {key: dict(value) for key, value in RULES[name].items()}
    whole = make_study(space(**rules), name="whole", **settings)
    run_inline(whole)
    if "stopping" in rules:
        rules["stopping"]["slots"] = 1
    broken = make_study(space(**rules), name="broken", **settings)
    for _ in range(4):
        with broken.driven() as (ledger, _):
            if not ledger.adopted:
                ledger.propose(6)  # and the driver dies
        run_inline(broken, packs=1)
    states = ("COMPLETE", "PRUNED", "FAIL")
    pd.testing.assert_frame_equal(kept(whole, states), kept(broken, states), check_exact=True)
    assert [row.result.get("rungs") for row in whole.rows()] == [row.result.get("rungs") for row in broken.rows()]


def test_a_race_gives_further_instances_to_contenders_only(make_study: MakeStudy) -> None:
    raced = make_study(space(["accuracy", "loss"], instances=8, **RULES["race"]), name="raced", trials=30, pack=5)
    run_inline(raced)
    trials = raced.trials()
    complete = trials[trials["state"] == "COMPLETE"]
    assert (complete["instances_ok"] == 2).sum() > 5
    assert (raced.best(1)["instances_ok"] == 8).all()
    # The first pack has nobody to be compared with.
    assert (complete[complete["number"] < 5]["instances_ok"] == 8).all()
    rows = raced.instances().groupby("number").size()
    assert rows.loc[complete["number"]].tolist() == complete["instances_ok"].tolist()


def test_several_objectives_are_stopped_by_their_fronts(make_study: MakeStudy) -> None:
    stopping = {"samples": [0.5], "instances": [1], "keep": 0.5, "warmup": 5}
    study = make_study(space(["accuracy", "loss"], stopping=stopping), sampler=RANDOM, trials=30, pack=5)
    run_inline(study)
    plain = make_study(space(["accuracy", "loss"]), name="plain", sampler=RANDOM, trials=30, pack=5)
    run_inline(plain)
    assert (study.trials()["state"] == "PRUNED").sum() > 5
    assert study.front()["number"].tolist() == plain.front()["number"].tolist()


def test_a_failed_instance_ends_its_trial(make_study: MakeStudy) -> None:
    study = make_study(space(stopping={"instances": [1]}), sampler=RANDOM, trials=40, pack=5)
    run_inline(study)
    failed = study.trials()[study.trials()["state"] == "FAIL"]
    assert len(failed) > 0
    assert (failed["instances_failed"] == 1).all()
    assert (failed["instances_ok"] == 0).all()


@pytest.mark.parametrize(("sampler", "trials"), [("tpe", 20), ("nsga2", 20), ("annealing", 20), ("gp", 14)])
def test_samplers_go_on_after_pruned_trials(make_study: MakeStudy, sampler: str, trials: int) -> None:
    study = make_study(
        space(["accuracy", "loss"], **RULES["both"]), sampler=NamedWithOptions(name=sampler), trials=trials,
        resources=Resources(pack=5),
    )  # fmt: skip
    run_inline(study)
    assert len(study.trials()) == trials
    assert (study.trials()["state"] == "PRUNED").any()


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"stopping": {"keep": 0.5}}, "--stopping: .*no rung"),
        ({"stopping": {"samples": "0.5,0.2"}}, "--stopping: .*go up"),
        ({"race": {"first": 1}}, "--race: .*first"),
        ({"race": {"frist": 2}}, "--race: .*frist"),
    ],
)
def test_wrong_rules_are_said_in_one_line(toy: SearchSpace, rules: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        Plan.make(toy, **rules)
    assert "\n" not in str(caught.value)


def test_yardsticks_reach_a_worker_and_rules_its_specification(make_study: MakeStudy) -> None:
    """What Ray does to a pack on its way, without Ray."""
    study = make_study(space(**RULES["both"]), sampler=RANDOM, trials=24, pack=6)
    run_inline(study, packs=3)
    with study.driven() as (ledger, _):
        jobs = tuple(ledger.propose(6))
    arrived = pickle.loads(pickle.dumps(Pack(3, jobs)))
    assert arrived.jobs == jobs
    assert len(arrived.jobs[0].yardstick.recent) > 4
    spec = StudySpec.model_validate(study.spec.model_dump(mode="json", by_alias=True))
    here = compute(study.spec, StubTrainer(study.spec), Pack(3, jobs))
    there = compute(spec, StubTrainer(spec), arrived)
    assert [result.rungs for result in here] == [result.rungs for result in there]
    assert any(result.stopped for result in there)
