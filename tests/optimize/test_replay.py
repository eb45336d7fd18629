"""A trial computed again: every bit on the same executor, up to rounding on another."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from eiann.errors import UserError
from optimize.cli.app import run
from optimize.replay import replay
from optimize.space import SearchSpace
from optimize.study import Resources, Study
from optimize.study.ledger import RESULT
from optimize.tune.inline import run_inline
from tests.optimize.conftest import toy_document


@pytest.fixture(scope="module")
def native(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study whose networks were trained by the native executor."""
    space = SearchSpace.from_dict(toy_document())
    studies = tmp_path_factory.mktemp("studies")
    study = Study.create(
        space, name="native", studies=studies, trials=4, resources=Resources(pack=2), executor="native", seed=1
    )
    run_inline(study)
    yield study
    study.close()


@pytest.mark.parametrize("number", range(4))
def test_every_bit_is_the_same_on_the_same_executor(native: Study, number: int) -> None:
    done = replay(native, number)
    assert done.computed.executor == "native"
    assert done.identical
    assert done.largest == 0
    assert done.agrees(0)


def test_another_executor_agrees_up_to_rounding(native: Study) -> None:
    done = replay(native, 1, executor="torch")
    assert done.computed.executor == "torch"
    assert done.agrees(1e-4)
    assert not done.agrees(-1.0)
    assert native.trials().loc[1, "objectives.loss"] == replay(native, 1).computed.objectives[1]  # type: ignore[index]


def test_the_command_says_how_far_executors_agree(native: Study, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(native.folder.path)
    assert run(["replay", path, "0", "--executor", "torch", "--tolerance", "0.001"]) == 0
    shown = capsys.readouterr().out
    assert "by executor torch" in shown
    assert "agrees with the record" in shown or "identical" in shown


def test_a_record_that_was_changed_is_noticed_whatever_the_tolerance(native: Study) -> None:
    done = replay(native, 2)
    first, *others = done.recorded
    changed = type(first)(first.network_seed, first.data_seed, {**first.features, "loss": first.features["loss"] + 1})
    assert not type(done)(2, (changed, *others), done.computed).agrees(0.1)
    dead = type(first)(first.network_seed, first.data_seed, first.features, "loss is not finite")
    assert not type(done)(2, (dead, *others), done.computed).agrees(0.9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["--executor", "abacus"], "abacus"), (["--tolerance", "7"], "--tolerance: found 7")],
)
def test_wrong_options_are_one_line(
    native: Study, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["replay", str(native.folder.path), "0", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_the_record_names_its_executor(native: Study) -> None:
    for path in sorted(native.folder.results.glob("*.json")):
        assert json.loads(path.read_text())["executor"] == "native"
    assert all(trial.user_attrs[RESULT]["executor"] == "native" for trial in native.storage.trials())


def test_a_trial_that_is_not_there_is_said(native: Study) -> None:
    with pytest.raises(UserError, match="has no trial 9"):
        replay(native, 9)
