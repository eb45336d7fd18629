"""The commands from search to retrained network, and what they answer to wrong input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from optimize.study import Study
from tests.optimize.conftest import toy_document

STUB = "optimize.tune.stub:StubTrainer"


def eiann(*arguments: str | Path, check: int | None = 0, timeout: float = 300) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "optimize.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if check is not None:
        assert done.returncode == check, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def test_a_search_of_real_networks_ends_in_a_file_that_trains_to_the_recorded_numbers(tmp_path: Path) -> None:
    studies = tmp_path / "studies"
    eiann("optimize", "spiral/dale_backprop", "--trials", 4, "--instances", 2, "--steps", 1100, "--name", "small",
          "--studies", studies)  # fmt: skip
    study = Study.open(studies / "small")
    trials, instances = study.trials(), study.instances()
    assert len(trials) == 4
    assert len(instances) == 8
    assert set(trials["state"]) <= {"COMPLETE", "FAIL"}
    exported = tmp_path / "best.yaml"
    eiann("best", studies / "small", "--top", 2, "--by", "accuracy", "--export", exported)
    trained = eiann("train", exported, "--out", tmp_path / "out")
    assert "reproduced exactly" in trained.stdout
    assert (tmp_path / "out" / "weights.safetensors").exists()
    assert json.loads((tmp_path / "out" / "history.json").read_text())
    number = int(trials[trials["state"] == "COMPLETE"]["number"].iloc[0])
    assert "identical" in eiann("replay", studies / "small", number).stdout
    table = tmp_path / "instances.parquet"
    eiann("table", studies / "small", "instances", "--out", table)
    assert len(pd.read_parquet(table)) == 8


def test_a_driver_that_is_killed_is_resumed_to_the_same_trials_each_once(tmp_path: Path) -> None:
    arguments = ["optimize", "spiral/dale_backprop", "--trials", "40", "--instances", "2", "--pack", "4",
                 "--sampler", "random", "--seed", "3", "--trainer", STUB]  # fmt: skip
    eiann(*arguments, "--studies", tmp_path, "--name", "whole")
    command = [sys.executable, "-m", "optimize.cli", *arguments, "--studies", str(tmp_path), "--name", "killed"]
    slow = {**os.environ, "EIANN_STUB_SECONDS": "0.5"}
    driver = subprocess.Popen(
        command, env=slow, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        limit = time.monotonic() + 120
        while not list((tmp_path / "killed" / "results").glob("*")) and time.monotonic() < limit:
            time.sleep(0.2)
        time.sleep(1.0)
    finally:
        os.killpg(driver.pid, signal.SIGKILL)
        driver.wait(30)
    before = Study.open(tmp_path / "killed").trials()
    assert len(before[before["state"] != "RUNNING"]) < 40
    done = eiann("resume", tmp_path / "killed", check=None)
    if done.returncode == 2 and "driver" in done.stderr:  # the lease of the killed driver has to grow stale first
        time.sleep(65)
        eiann("resume", tmp_path / "killed")
    elif done.returncode:
        pytest.fail(done.stderr)
    columns = ["number", "state", *(c for c in before.columns if c.startswith(("objectives.", "params.")))]
    whole, resumed = (Study.open(tmp_path / name).trials()[columns] for name in ("whole", "killed"))
    assert sorted(resumed["number"]) == list(range(40))
    # Not a value of a trial changed, whenever it was computed.
    pd.testing.assert_frame_equal(
        whole.sort_values("number").reset_index(drop=True), resumed.sort_values("number").reset_index(drop=True)
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimize", "spiral/dale_backprp"], "dale_backprop"),
        (["optimize", "missing.yaml"], "missing.yaml"),
        (["optimize", "spiral/perceptron", "--sampler", "nope"], "sampler"),
        (["optimize", "spiral/perceptron", "--trials", "0"], "trials"),
        (["resume", "nowhere"], "nowhere"),
        (["best", "nowhere"], "nowhere"),
        (["train", "missing.yaml", "--data", "spiral"], "missing.yaml"),
        (["check", "missing.yaml"], "missing.yaml"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2_and_leaves_nothing(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = eiann(*arguments, check=2)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_ctrl_c_says_that_it_stopped(tmp_path: Path) -> None:
    network = tmp_path / "net.yaml"
    network.write_text(
        "layers: {Input: {E: 2}, H1: {E: 200}, Output: {E: 4}}\n"
        "projections: {E <- below.E: rule Backprop}\n"
        "training: {learning_rate: 0.01, tau: 3, forward_steps: 15}\n"
    )
    command = [sys.executable, "-m", "optimize.cli", "train", str(network), "--data", "spiral", "--seeds", "100", "-v"]
    with subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as training:
        assert training.stdout is not None
        assert "executor" in training.stdout.readline()  # it is under way, and has minutes to go
        training.send_signal(signal.SIGINT)
        _, said = training.communicate(timeout=120)
    assert (training.returncode, said) == (130, "stopped; nothing was written\n")
    assert list(tmp_path.iterdir()) == [network]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("layer_config: [", "YAML"),
        ("network: x\nparamters: {}\n", "paramters"),
    ],
)
def test_a_broken_file_is_named_with_its_line(text: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    done = eiann("check", file, check=2)
    assert "broken.yaml" in done.stderr
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_study_name_that_exists_is_refused(tmp_path: Path) -> None:
    arguments = ["optimize", "spiral/perceptron", "--trials", "2", "--instances", "1", "--trainer", STUB,
                 "--studies", str(tmp_path), "--name", "twice"]  # fmt: skip
    eiann(*arguments)
    done = eiann(*arguments, check=2)
    assert "twice" in done.stderr
    assert len(Study.open(tmp_path / "twice").trials()) == 2


def test_every_command_has_help_with_an_example() -> None:
    for command in (
        "train",
        "check",
        "spaces",
        "optimize",
        "resume",
        "status",
        "best",
        "table",
        "replay",
        "reevaluate",
    ):
        assert f"eiann {command}" in eiann(command, "--help").stdout, command


def test_it_says_its_version() -> None:
    assert eiann("--version").stdout == f"eiann {metadata.version('eiann')}\n"


def test_verbose_training_says_the_executor_before_the_result(tmp_path: Path) -> None:
    network = tmp_path / "net.yaml"
    network.write_text(
        "layer_config: {Input: {E: {size: 2}}, Output: {E: {size: 4}}}\n"
        "projection_config: {Output: {E: {Input: {E: {learning_rule: Backprop}}}}}\n"
        "training_kwargs: {learning_rate: 0.1}\n"
    )
    said = eiann("train", str(network), "--data", "spiral", "--steps", "20", "-v", "--out", str(tmp_path / "out"))
    assert said.stdout.index("executor native: the fastest") < said.stdout.index("accuracy")


def test_going_on_refuses_what_the_study_was_not_made_with(toy_file: Path, tmp_path: Path) -> None:
    first = [
        "optimize",
        toy_file,
        "--trials",
        "4",
        "--trainer",
        STUB,
        "--studies",
        tmp_path,
        "--name",
        "toy",
        "--resume",
    ]
    made = ["--sampler", "tpe", "--instances", "2", "--seed", "3"]
    eiann(*first, *made)
    spec = (tmp_path / "toy" / "spec.yaml").read_bytes()
    for changed, words in (
        (["--sampler", "random"], "--sampler: found random, and the study"),
        (["--sampler", "tpe", "--sampler-option", "n_startup_trials=5"], "found tpe n_startup_trials=5"),
        (["--instances", "3"], "--instances: found 3, and the study"),
        (["--steps", "20"], "--steps: found 20, and the study"),
        (["--seed", "4"], "--seed: found 4, and the study"),
        (["--race", "first=2"], "--race: found first 2"),
    ):
        done = eiann(*first, *changed, check=2)
        assert words in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
    eiann(*first, *made)
    eiann(*first)
    done = eiann("resume", tmp_path / "toy", "--trials", "3", check=2)
    assert "--trials: found 3, and 4 trials have ended already" in done.stderr
    assert len(Study.open(tmp_path / "toy").trials()) == 4
    assert (tmp_path / "toy" / "spec.yaml").read_bytes() == spec


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sampler": "tpee"}, "tpee"),
        ({"data": {"name": "spiral", "protocl": "separate"}}, "protocl"),
        ({"data": {"name": "digits"}}, "found inputs of shape"),
        ({"run": {"steps": 40, "val_interval": [90, -1, 5], "window": 20}}, "interval"),
        ({"race": {"first": 9}}, "race.first: found 9"),
    ],
)
def test_check_refuses_what_a_search_would(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    file = tmp_path / "space.yaml"
    file.write_text(yaml.safe_dump(toy_document(**change)))
    done = eiann("check", file, check=2)
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
