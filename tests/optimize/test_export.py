"""A trial's network file repeats its evaluation to the last bit, and says what is wrong with a changed one."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from eiann.errors import ConfigError, UserError
from optimize.export import NetworkFile
from optimize.reevaluation import Reevaluation, bootstrap_mean, reevaluate, reevaluations
from optimize.replay import replay
from optimize.results.best import export_trial
from optimize.study import NETWORK_TRAINER, Study
from optimize.training_run import RunOptions, planned_run, reproduction, train_network, write_run
from optimize.tune.inline import run_inline
from tests.optimize.conftest import MakeStudy


@pytest.fixture
def study(make_study: MakeStudy) -> Study:
    """A study of real, tiny networks."""
    made = make_study(trials=3, pack=3, trainer=NETWORK_TRAINER)
    run_inline(made)
    return made


def test_training_an_exported_file_reproduces_the_record_exactly(study: Study, tmp_path: Path) -> None:
    number = int(study.best(1).iloc[0]["number"])
    export_trial(study, number, tmp_path / "best.yaml")
    file = NetworkFile.read(tmp_path / "best.yaml")
    run = planned_run(file, RunOptions())
    compared = reproduction(file, run, train_network(file.network, run))
    assert compared.exact
    row = study.trials().set_index("number").loc[number]
    assert compared.objectives == {"accuracy": row["objectives.accuracy"], "loss": row["objectives.loss"]}


def test_options_override_the_file(study: Study, tmp_path: Path) -> None:
    file = export_trial(study, 0, tmp_path / "x.yaml")
    run = planned_run(file, RunOptions(replicas=4, steps=30, dtype="float64", data_options={"noise": 0.5}))
    assert run.seeds == ((66049, 257), (66050, 258), (66051, 259), (66052, 260))
    assert (run.steps, run.dtype, run.data.options) == (30, "float64", {"points_per_arm": 100, "noise": 0.5})
    done = train_network(file.network, run)
    assert not reproduction(file, run, done).exact


def test_a_written_run_can_be_trained_again(study: Study, tmp_path: Path) -> None:
    file = export_trial(study, 0, tmp_path / "x.yaml")
    run = planned_run(file, RunOptions(replicas=1))
    done = train_network(file.network, run)
    write_run(tmp_path / "out", file, run, done)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "history.json", "learning_curves.png", "network.yaml", "weights.safetensors",
    ]  # fmt: skip
    again = NetworkFile.read(tmp_path / "out" / "network.yaml")
    assert again.run == run
    assert again.network == file.network
    with pytest.raises(UserError, match="not an empty folder"):
        write_run(tmp_path / "out", file, run, done)


def test_a_plain_network_file_needs_a_data_set(study: Study, tmp_path: Path) -> None:
    file = export_trial(study, 0, tmp_path / "x.yaml")
    file.network.to_yaml(tmp_path / "plain.yaml")
    plain = NetworkFile.read(tmp_path / "plain.yaml")
    assert plain.network == file.network
    with pytest.raises(UserError, match="--data"):
        planned_run(plain, RunOptions())
    run = planned_run(plain, RunOptions(data="spiral", data_options={"points_per_arm": 100}, replicas=2))
    assert run.steps == 280
    assert len(train_network(plain.network, run).outcomes) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data["run"].update(stepps=3), "run.stepps: unknown key; did you mean 'steps'?"),
        (lambda data: data["run"].update(steps="many"), "run.steps: found 'many'; a whole number would be right"),
        (lambda data: data["run"].pop("seeds"), "run.seeds: missing"),
        (lambda data: data.update(extra=1), "extra"),
        (lambda data: data["network"].pop("layer_config"), "network"),
    ],
)
def test_a_changed_file_is_refused_with_file_and_key(study: Study, tmp_path: Path, change, words: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "x.yaml"
    export_trial(study, 0, path)
    data = yaml.safe_load(path.read_text())
    change(data)
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(ConfigError) as caught:
        NetworkFile.read(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "network: net\ndata: spiral\nparams: {}\n",
            ":3: params: unknown key 'params' of a search space; did you mean 'par",
        ),
        ("objectives: [loss]\nparams: {}\n", ":2: params: unknown key 'params' of a search space; did you mean 'par"),
        (
            "network: {layers: {}}\nrun: {}\ninstances: 3\nparams: {}\n",
            ":4: params: unknown key 'params' of a search sp",
        ),
        ("network: net\ndata: spiral\n", ": found a search space without the key 'parameters'"),
        ("network: net\ndata: spiral\nparameters: {}\n", ": found a search space; a network file would be right"),
        ("layers: {Input: {E: 2}}\nname: one\n", ":2: name: unknown key; there are: about, extends, cells"),
    ],
)
def test_a_search_space_is_told_from_a_network(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        NetworkFile.read(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path))


def test_a_network_that_only_extends_another_is_no_search_space(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("layers: {Input: {E: 2}, Output: {E: 4}}\n")
    (tmp_path / "file.yaml").write_text("extends: base.yaml\n")
    assert list(NetworkFile.read(tmp_path / "file.yaml").network.layer_config) == ["Input", "Output"]


def test_replay_is_identical_and_notices_a_changed_record(study: Study) -> None:
    done = replay(study, 1)
    assert done.identical
    assert (done.comparison()["difference"] == 0).all()
    changed = done.recorded[0].features | {"loss": 0.125}
    altered = type(done)(1, (type(done.recorded[0])(66049, 257, changed), *done.recorded[1:]), done.computed)
    assert not altered.identical


def test_replay_of_a_trial_that_never_ran(make_study: MakeStudy) -> None:
    made = make_study()
    with made.driven() as (ledger, _):
        ledger.propose(1)
    with pytest.raises(UserError, match="RUNNING"):
        replay(made, 0)


def test_reevaluation_uses_other_seeds_and_held_out_data(study: Study) -> None:
    done = reevaluate(study, top=2, fresh_seeds=3)
    used = set(zip(*(study.instances()[name] for name in ("network_seed", "data_seed")), strict=True))
    fresh = set(zip(*(done.instances[name] for name in ("network_seed", "data_seed")), strict=True))
    assert len(fresh) == 3
    assert not used & fresh
    assert len(done.instances) == 6
    row = done.trials.iloc[0]
    mine = done.instances.loc[done.instances["number"] == row["number"], "held_out_accuracy"]
    assert row["held_out_accuracy"] == pytest.approx(mine.mean())
    assert row["low"] <= row["held_out_accuracy"] <= row["high"]
    assert row["failed_share"] == 0
    assert row["median_low"] <= row["median"] <= row["median_high"]


def test_given_trials_are_trained_longer_than_the_study_did(study: Study) -> None:
    done = reevaluate(study, trials=[1, 0], fresh_seeds=2, steps=80, epochs=2)
    assert list(done.trials["number"]) == [1, 0]
    assert (done.provenance.steps, done.provenance.epochs, done.provenance.chosen) == (80, 2, "given")
    again = reevaluate(study, trials=[1], fresh_seeds=2)
    assert again.provenance.steps == study.spec.evaluation.run.steps
    assert set(again.instances["held_out_loss"]) != set(done.instances["held_out_loss"][:2])
    with pytest.raises(UserError, match="no complete trial 99"):
        reevaluate(study, trials=[99], fresh_seeds=2)
    with pytest.raises(UserError, match="training samples"):
        reevaluate(study, fresh_seeds=2, steps=10**6)


def test_a_reevaluation_is_kept_with_what_it_was_computed_from(study: Study) -> None:
    done = reevaluate(study, top=2, fresh_seeds=3)
    folders = [done.write(study), done.write(study)]
    assert reevaluations(study) == sorted(folders)
    read = Reevaluation.read(folders[0])
    pd.testing.assert_frame_equal(read.trials, done.trials)
    pd.testing.assert_frame_equal(read.instances, done.instances, check_dtype=False)
    assert read.provenance == done.provenance
    assert read.provenance.trials == tuple(done.trials["number"])
    assert not set(read.provenance.seeds) & set(read.provenance.selected_on)
    assert read.provenance.held_out["samples"] > 0
    assert not list((study.folder.path / "reevaluations").glob(".*"))
    with pytest.raises(UserError, match="reevaluation"):
        Reevaluation.read(study.folder.path)


def test_bootstrap_interval_covers_the_mean_of_many_samples() -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    intervals = [bootstrap_mean(rng.normal(3.0, 1.0, 30)) for _ in range(200)]
    assert 0.85 < np.mean([low <= 3.0 <= high for low, high in intervals]) < 0.99
