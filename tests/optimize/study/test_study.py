"""A study's folder is there whole or not at all, and says what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from eiann.errors import ConfigError, UserError
from optimize.space import NamedWithOptions, SearchSpace
from optimize.study import Resources, Study
from optimize.tune.inline import run_inline
from tests.optimize.conftest import STUB, MakeStudy


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_new_study_reads_back_as_it_was_made(make_study: MakeStudy) -> None:
    made = make_study(points=[{"rate": 0.1, "scale": 1 / 3}], resources=Resources(pack=3, cpus=2), trials=17)
    opened = Study.open(made.folder.path)
    assert opened.spec == made.spec
    assert opened.budget == 17
    assert opened.spec.search_space.to_dict() == made.spec.search_space.to_dict()
    assert opened.spec.versions["optuna"]
    assert {"spec.yaml", "study.db", "results", "tables", "best", "logs"} <= set(everything(opened.folder.path))
    opened.close()


def test_a_name_that_exists_is_refused_and_the_study_untouched(make_study: MakeStudy, tmp_path: Path) -> None:
    make_study()
    before = everything(tmp_path)
    with pytest.raises(UserError, match="eiann resume"):
        make_study(trials=99)
    assert everything(tmp_path) == before
    assert Study.open(tmp_path / "studies" / "toy").budget == 12


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "a b", "-x"])
def test_names_that_cannot_be_folders(make_study: MakeStudy, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="study name"):
        make_study(name=name)
    assert everything(tmp_path) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"storage": "nonsense://x"},
        {"storage": "sqlite:////no/such/folder/x.db"},
        {"sampler": NamedWithOptions(name="nope")},
        {"trials": 0},
    ],
)
def test_nothing_is_left_of_a_study_that_could_not_be_made(
    make_study: MakeStudy, tmp_path: Path, wrong: dict[str, object]
) -> None:
    with pytest.raises(UserError):
        make_study(**wrong)
    assert everything(tmp_path) == []


def test_a_study_name_taken_in_the_storage_leaves_no_folder(make_study: MakeStudy, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    first = make_study(storage=url)
    first.close()
    with pytest.raises(UserError, match="'toy'"):
        Study.create(first.spec.search_space, name="toy", studies=tmp_path / "other", storage=url)
    assert not (tmp_path / "other").exists()


def test_two_studies_in_one_storage_do_not_mix(make_study: MakeStudy, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/shared.db"
    one = make_study(name="one", storage=url, trials=5)
    two = make_study(
        name="two", storage=url, trials=8, sampler=NamedWithOptions(name="nsga2", options={"population_size": 2})
    )
    run_inline(two, packs=1)
    run_inline(one)
    run_inline(two)
    assert len(one.trials()) == 5
    assert len(two.trials()) == 8


def test_another_study_under_the_same_name_is_noticed(make_study: MakeStudy, tmp_path: Path) -> None:
    made = make_study()
    made.close()
    spec = made.folder.spec
    spec.write_text(spec.read_text().replace(made.spec.study_id, "f" * 32))
    with pytest.raises(UserError, match="another study"):
        Study.open(made.folder.path).trials()


def test_a_missing_database_is_said_and_not_made(make_study: MakeStudy) -> None:
    made = make_study()
    made.close()
    (made.folder.path / "study.db").unlink()
    with pytest.raises(UserError, match=r"study\.db"):
        Study.open(made.folder.path).trials()
    assert not (made.folder.path / "study.db").exists()


def test_an_unknown_key_in_the_specification(make_study: MakeStudy) -> None:
    made = make_study()
    made.folder.spec.write_text(made.folder.spec.read_text() + "colour: red\n")
    with pytest.raises(ConfigError, match="colour") as caught:
        Study.open(made.folder.path)
    assert "\n" not in str(caught.value)


def test_a_folder_without_study(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"spec\.yaml"):
        Study.open(tmp_path)


def test_a_study_survives_being_moved(make_study: MakeStudy, tmp_path: Path) -> None:
    made = make_study(trials=4)
    run_inline(made)
    made.close()
    moved = made.folder.path.rename(tmp_path / "elsewhere")
    opened = Study.open(moved)
    assert len(opened.trials()) == 4
    opened.close()


def test_sampler_of_the_space_is_used(toy: SearchSpace, make_study: MakeStudy) -> None:
    document = {**toy.to_dict(), "sampler": {"name": "tpe", "n_startup_trials": 3}}
    made = make_study(SearchSpace.from_dict(document), trainer=STUB)
    assert made.spec.sampler == NamedWithOptions(name="tpe", options={"n_startup_trials": 3})
