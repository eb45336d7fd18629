"""Every kind of storage keeps the same contract, and Optuna itself reads what was written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from eiann.errors import UserError
from optimize.study.opening import open_storage
from optimize.study.storage import Ending, StorageConflictError, StudyExistsError, TakenOverError, TrialStorage
from tests.optimize.postgres import PostgresServer

Open = Callable[[], TrialStorage]
DISTRIBUTIONS = {
    "rate": FloatDistribution(1e-4, 1.0, log=True),
    "size": IntDistribution(1, 100),
    "rule": CategoricalDistribution(("a", "b")),
}
PARAMS = {"rate": 0.1 + 0.2, "size": 7, "rule": "b"}


@pytest.fixture(params=["sqlite", "postgresql", "journal"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path}/study.db"
        case "journal":
            return f"journal:{tmp_path}/study.log"
        case _:
            server: PostgresServer = request.getfixturevalue("postgres")
            return server.create(f"d{uuid4().hex}")


@pytest.fixture
def reopen(url: str) -> Iterator[Open]:
    """Opens the study anew each time, as another process would."""
    opened: list[TrialStorage] = []

    def again() -> TrialStorage:
        opened.append(open_storage(url, "toy"))
        return opened[-1]

    again().create_study(2)
    yield again
    for storage in opened:
        storage.close()


def template(number: int, state: TrialState = TrialState.RUNNING) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        state=state,
        value=None,
        datetime_start=None,
        datetime_complete=None,
        params=dict(PARAMS),
        distributions=dict(DISTRIBUTIONS),
        user_attrs={"attempt": 1},
        system_attrs={"generation": 3},
        intermediate_values={},
        trial_id=-1,
    )


def test_created_trials_are_there_with_all_they_have(reopen: Open) -> None:
    reopen().create([template(0), template(1)])
    trials = reopen().trials()
    assert [trial.number for trial in trials] == [0, 1]
    for trial in trials:
        assert trial.state is TrialState.RUNNING
        assert trial.params == PARAMS
        assert trial.distributions == DISTRIBUTIONS
        assert trial.user_attrs == {"attempt": 1}
        assert trial.system_attrs == {"generation": 3}


def test_an_end_is_recorded_once(reopen: Open) -> None:
    (trial_id,) = reopen().create([template(0)])
    first = Ending(trial_id, TrialState.COMPLETE, (1.0, 2.0), {"result": {"a": [1, None]}}, {"generation": 4})
    assert reopen().end([first]) == [True]
    assert reopen().end([Ending(trial_id, TrialState.FAIL, None, {"result": "late"})]) == [False]
    (trial,) = reopen().trials()
    assert trial.values == [1.0, 2.0]
    assert trial.user_attrs == {"attempt": 1, "result": {"a": [1, None]}}
    assert trial.system_attrs == {"generation": 4}
    assert trial.datetime_complete is not None


def test_a_failed_trial_has_no_values(reopen: Open) -> None:
    (trial_id,) = reopen().create([template(0)])
    assert reopen().end([Ending(trial_id, TrialState.FAIL)]) == [True]
    (trial,) = reopen().trials()
    assert trial.state is TrialState.FAIL
    assert trial.values is None


def test_a_trial_of_somebody_else_is_noticed(reopen: Open) -> None:
    ours, theirs = reopen(), reopen()
    theirs.create([template(0)])
    with pytest.raises(StorageConflictError, match="trial 0 became trial 1"):
        ours.create([template(0)])


def test_sampler_attributes_of_the_study_come_with_the_trials(reopen: Open) -> None:
    reopen().create([template(0)], {"parents": [1, 2]})
    reopen().create([template(1)], {"parents": [3], "other": None})
    assert reopen().system_attributes() == {"parents": [3], "other": None}


@pytest.mark.parametrize(
    "write",
    [
        lambda storage: storage.create([template(1)]),
        lambda storage: storage.end([Ending(storage.trial_ids[0], TrialState.FAIL)]),
        lambda storage: storage.set_trial_attribute(storage.trial_ids[0], "attempt", 2),
        lambda storage: storage.set_attribute("budget", 7),
    ],
    ids=["create", "end", "set_trial_attribute", "set_attribute"],
)
def test_who_was_replaced_writes_nothing_more(reopen: Open, write: Callable[[Any], object]) -> None:
    old, new = reopen(), reopen()
    old.swap("driver", None, {"token": "a", "renewed": 1})
    old.guard("driver", "a")
    old.trial_ids = old.create([template(0)])  # type: ignore[attr-defined]
    new.swap("driver", {"token": "a", "renewed": 1}, {"token": "b", "renewed": 2})
    with pytest.raises(TakenOverError, match="another driver"):
        write(old)
    (trial,) = reopen().trials()
    assert trial.state is TrialState.RUNNING
    assert trial.user_attrs == {"attempt": 1}
    assert reopen().attributes() == {"driver": {"token": "b", "renewed": 2}}
    new.guard("driver", "b")
    new.create([template(1)])
    old.guard("driver", None)
    old.set_attribute("budget", 7)
    assert reopen().attributes()["budget"] == 7


def test_one_of_many_swaps_succeeds(reopen: Open) -> None:
    storages = [reopen() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for number in range(5):
            expected = {"n": number} if number else None
            values = [{"n": number + 1} if i == 0 else {"n": number + 1, "by": i} for i in range(4)]
            swapped = list(pool.map(lambda pair: pair[0].swap("x", expected, pair[1]), zip(storages, values)))  # noqa: B023, B905
            assert sum(swapped) == 1
            found = storages[0].attributes()["x"]
            assert found == values[swapped.index(True)]
            storages[0].swap("x", found, {"n": number + 1})


def test_a_transaction_that_fails_half_way_leaves_nothing(reopen: Open) -> None:
    storage = reopen()
    storage.create([template(0)])
    with pytest.raises(StorageConflictError):
        storage.create([template(1), template(2), template(7)], {"parents": [1]})
    for opened in (storage, reopen()):
        assert [trial.number for trial in opened.trials()] == [0]
        assert opened.system_attributes() == {}
    storage.create([template(1)])
    assert len(reopen().trials()) == 2


def test_swap_only_from_the_expected_value(reopen: Open) -> None:
    storage = reopen()
    assert storage.swap("driver", None, {"token": "a"})
    assert not reopen().swap("driver", None, {"token": "b"})
    assert not reopen().swap("driver", {"token": "c"}, {"token": "b"})
    assert reopen().swap("driver", {"token": "a"}, {"token": "b"})
    assert reopen().attributes()["driver"] == {"token": "b"}
    assert reopen().swap("driver", {"token": "b"}, None)
    assert reopen().swap("driver", None, {"token": "d"})


def test_a_second_study_of_that_name_is_refused(reopen: Open) -> None:
    with pytest.raises(StudyExistsError, match="'toy'"):
        reopen().create_study(1)


def test_a_study_that_is_not_there(url: str) -> None:
    storage = open_storage(url, "other")
    with pytest.raises(UserError, match="'other'"):
        storage.trials()
    storage.close()


def test_optuna_reads_and_continues_what_was_written_in_bulk(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/study.db"
    storage = open_storage(url, "toy")
    storage.create_study(2)
    ids = storage.create([template(0), template(1)])
    storage.end([Ending(ids[0], TrialState.COMPLETE, (0.5, 0.25))])
    study = optuna.load_study(study_name="toy", storage=url)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE", "RUNNING"]
    assert study.best_trials[0].params == PARAMS
    study.tell(1, [0.1, 0.2])
    assert study.ask().number == 2
    assert study.trials[0].datetime_start <= study.trials[0].datetime_complete
    storage.close()


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "postgresql://nobody:secret@127.0.0.1:9/none",
        "postgresql://nobody@127.0.0.1:9/none?password=secret",
        "postgresql://nobody@127.0.0.1:9/none",
        "sqlite:////no/such/place.db",
        "journal:/no/such/place.log",
    ],
)
def test_a_storage_that_cannot_be_reached_is_one_line_without_password(url: str) -> None:
    with pytest.raises(UserError) as caught:
        open_storage(url, "toy")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
