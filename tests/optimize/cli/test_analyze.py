"""``eiann analyze``: every kind answers, writes its table, and says what is wrong in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from optimize.cli.app import run
from optimize.space import SearchSpace
from optimize.study import Resources, Study
from optimize.tune.inline import run_inline
from tests.optimize.conftest import STUB, toy_document

Captured = pytest.CaptureFixture[str]

KINDS = {
    "front": ([], {"hypervolume", "front", "best.accuracy"}),
    "champions": (["--top", "3"], {"role", "balance", "rank"}),
    "confidence": (["--feature", "loss"], {"chance_of_best", "rank_high"}),
    "importance": (["--target", "loss", "--method", "pedanova", "--resamples", "2"], {"importance", "noise"}),
    "sensitivity": (["--method", "pawn"], {"sensitivity", "low"}),
    "local": (["--trial", "3"], {"slope", "effect"}),
    "degeneracy": (["--tolerance", "20"], {"distance", "cluster"}),
    "slices": (["--target", "features.loss"], {"unit", "features.loss"}),
    "parallel": ([], {"quantile", "rate", "scale"}),
    "failures": (["--below", "60"], {"where", "p"}),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A finished study of forty trials."""
    studies = tmp_path_factory.mktemp("studies")
    study = Study.create(
        SearchSpace.from_dict(toy_document()), name="toy", studies=studies, trials=40, trainer=STUB,
        resources=Resources(pack=10),
    )  # fmt: skip
    run_inline(study)
    yield str(study.folder.path)
    study.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_shows_and_writes_its_table(kind: str, path: str, tmp_path: Path, capsys: Captured) -> None:
    options, columns = KINDS[kind]
    out = tmp_path / "table.csv"
    assert run(["analyze", kind, path, *options, "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert columns <= set(table.columns)
    assert len(table)
    assert f"written to {out}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def bound(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A finished study whose constraint excludes its best trials."""
    space = SearchSpace.from_dict(toy_document(constraints=["loss > 0.1"]))
    study = Study.create(
        space, name="bound", studies=tmp_path_factory.mktemp("bound"), trials=40, trainer=STUB,
        resources=Resources(pack=10),
    )  # fmt: skip
    run_inline(study)
    yield study
    study.close()


@pytest.mark.parametrize("kind", ["front", "champions", "confidence", "degeneracy", "parallel"])
def test_trials_beyond_a_constraint_are_in_no_answer_about_the_best(kind: str, bound: Study, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    assert run(["analyze", kind, str(bound.folder.path), "--out", str(out)]) == 0
    shown, able = set(pd.read_csv(out)["number"]), set(bound.feasible()["number"])
    assert shown
    assert shown <= able


def test_studies_are_compared_by_their_trials_within_the_constraints(bound: Study, tmp_path: Path) -> None:
    out = tmp_path / "table.csv"
    assert run(["analyze", "compare", str(bound.folder.path), "--out", str(out)]) == 0
    (row,) = pd.read_csv(out).to_dict("records")
    assert row["best"] == pytest.approx(bound.feasible()["objectives.accuracy"].min())
    assert row["feasible"] == len(bound.feasible()) < row["complete"]


@pytest.mark.parametrize("kind", ["front", "champions", "confidence", "degeneracy", "parallel", "local", "compare"])
def test_constraints_that_no_trial_satisfies_are_named(kind: str, tmp_path: Path, capsys: Captured) -> None:
    space = SearchSpace.from_dict(toy_document(constraints=["loss < 0"]))
    study = Study.create(space, name="none", studies=tmp_path, trials=4, trainer=STUB)
    run_inline(study)
    study.close()
    assert run(["analyze", kind, str(study.folder.path)]) == 2
    said = capsys.readouterr().err
    assert "complete trials none satisfies the constraints loss < 0" in said
    assert said.count("\n") == 1


def test_the_best_of_a_feature_that_is_maximized_are_its_highest(path: str, tmp_path: Path, capsys: Captured) -> None:
    study = Study.open(path)
    best = study.best(1, "accuracy").iloc[0]
    study.close()
    for kind in ("degeneracy", "parallel"):
        out = tmp_path / f"{kind}.csv"
        assert run(["analyze", kind, path, "--target", "features.accuracy", "--out", str(out)]) == 0
        first = pd.read_csv(out).iloc[0]
        assert first["number"] == best["number"]
        assert first["features.accuracy"] == pytest.approx(best["features.accuracy"])
    tables = {}
    for target in ("accuracy", "features.accuracy"):
        out = tmp_path / "importance.csv"
        words = ["analyze", "importance", path, "--method", "pedanova", "--resamples", "2", "--target", target]
        assert run([*words, "--out", str(out)]) == 0
        tables[target] = pd.read_csv(out)["importance"].tolist()
    assert tables["accuracy"] == pytest.approx(tables["features.accuracy"])
    out = tmp_path / "contours.csv"
    words = ["analyze", "contours", path, "rate", "scale", "--target", "features.accuracy", "--rows", "1"]
    capsys.readouterr()
    assert run([*words, "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert f"{table['expected'].max():.4g}" in capsys.readouterr().out


def test_contours_and_comparison(path: str, tmp_path: Path, capsys: Captured) -> None:
    out = tmp_path / "contours.parquet"
    assert run(["analyze", "contours", path, "rate", "scale", "--out", str(out)]) == 0
    assert len(pd.read_parquet(out)) == 25 * 25
    assert run(["analyze", "compare", path]) == 0
    assert "chance_of_best" in capsys.readouterr().out


def test_steps_around_a_trial_are_measured(tmp_path: Path, capsys: Captured) -> None:
    study = Study.create(SearchSpace.from_dict(toy_document()), name="real", studies=tmp_path, trials=2)
    run_inline(study)
    study.close()
    out = tmp_path / "slopes.csv"
    words = ["analyze", "local", str(tmp_path / "real"), "--trial", "1", "--measure", "--out", str(out)]
    assert run([*words, "--target", "features.loss"]) == 0
    assert set(pd.read_csv(out)["target"]) == {"features.loss"}
    assert run([*words, "--target", "lost"]) == 2, "before anything is trained"
    assert "did you mean" in capsys.readouterr().err
    assert run(words) == 0
    slopes = pd.read_csv(out)
    assert set(slopes["parameter"]) == {"rate", "scale"}
    assert set(slopes["target"]) == {"features.accuracy", "features.loss"}
    assert slopes["slope"].abs().max() > 0
    assert set(slopes["lost"]) == {0}


def test_a_design_becomes_a_study_and_its_indices(path: str, tmp_path: Path, capsys: Captured) -> None:
    points = tmp_path / "design.csv"
    assert run(["analyze", "design", path, "--samples", "8", "--out", str(points)]) == 0
    assert "32 points written" in capsys.readouterr().out
    table = pd.read_csv(points)
    rows = [
        {name.removeprefix("params."): float(row[name]) for name in table if name.startswith("params.")}
        for _, row in table.iterrows()
    ]
    study = Study.create(
        SearchSpace.from_dict(toy_document()), name="sobol", studies=tmp_path, trials=32, trainer=STUB, points=rows,
    )  # fmt: skip
    run_inline(study)
    tried = study.trials().sort_values("number")
    assert tried["params.rate"].tolist() == pytest.approx(table["params.rate"].tolist())
    study.close()
    assert run(["analyze", "sensitivity", str(tmp_path / "sobol"), "--method", "sobol"]) in (0, 2)
    captured = capsys.readouterr()
    # The stub lets some trials fail; with too many of them missing, that is what is said.
    assert "total_high" in captured.out or "a tenth may be missing" in captured.err


def test_kinds_are_listed_and_each_has_an_example(capsys: Captured) -> None:
    assert run(["analyze", "--help"]) == 0
    shown = capsys.readouterr().out
    for kind in (*KINDS, "contours", "compare", "design"):
        assert kind in shown
        assert run(["analyze", kind, "--help"]) == 0
        assert f"Example: eiann analyze {kind}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["importance", "--target", "acuracy"], ["'acuracy'", "accuracy"]),
        (["contours", "rat", "scale"], ["'rat'", "rate"]),
        (["confidence", "--feature", "los"], ["--feature", "'los'"]),
        (["sensitivity", "--method", "sobol"], ["sobol", "power of two"]),
        (["local", "--trial", "99"], ["no trial 99"]),
        (["local", "--step", "3"], ["--step: found 3"]),
        (["compare", "--by", "beauty"], ["--by", "'beauty'"]),
        (["failures", "--below", "-1", "--out", "x.xls"], [""]),
    ],
)
def test_wrong_questions_are_one_line(arguments: list[str], words: list[str], path: str, capsys: Captured) -> None:
    kind, *options = arguments
    assert run(["analyze", kind, path, *options]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    for word in words:
        assert word in said
