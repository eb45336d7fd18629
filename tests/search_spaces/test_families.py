"""What models share stands in one place: a parameter added to a family is a parameter of all of its models."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import search_spaces
from optimize.space import SearchSpace


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(search_spaces.folder(), tmp_path / "search_spaces"))


def test_a_parameter_added_to_a_family_is_one_of_all_its_models(copy: Path) -> None:
    family = copy / "families" / "dale.yaml"
    text = family.read_text(encoding="utf-8")
    added = "parameters:\n  decay:\n    range: [1.0, 9.0]\n    start: 3.0\n    sets: {'training: tau': value}\n"
    added = added.replace("{'training: tau': value}", "'training: tau'")
    family.write_text(text.replace("parameters:\n", added, 1), encoding="utf-8")
    for name in ("spiral/dale_backprop", "mnist/dale_backprop_all", "fmnist/dale_backprop_learned_bias"):
        space = SearchSpace.load(copy / f"{name}.yaml")
        assert "decay" in {parameter.name for parameter in space.searched}
        # Published points do not know it and take its start.
        point = space.starting_points["optimized"].params
        assert space.apply(point).training_kwargs.tau == 3.0
    unrelated = SearchSpace.load(copy / "mnist" / "btsp.yaml")
    assert "decay" not in {parameter.name for parameter in unrelated.parameters}


def test_files_of_the_package_are_found_from_anywhere(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy / "families")
    assert SearchSpace.load("mnist/btsp").name == "mnist/btsp"
