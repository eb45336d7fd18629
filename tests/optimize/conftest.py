"""A toy space, studies on it with the stub trainer, and one Ray cluster for the whole session."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from optimize.space import SearchSpace
from optimize.study import Resources, Study
from optimize.tune.cluster import Slots, ray_cluster
from tests.optimize.postgres import PostgresServer

STUB = "optimize.tune.stub:StubTrainer"

TOY = """
title: a perceptron on few spiral points
network:
  layer_config:
    Input: {E: {size: 2}}
    Output: {E: {size: 4, activation: relu}}
  projection_config:
    Output:
      E:
        Input:
          E:
            weight_init: half_kaiming
            weight_init_args: [1.0]
            weight_bounds: [0, null]
            learning_rule: Backprop
            learning_rule_kwargs: {learning_rate: 0.1}
data: {name: spiral, points_per_arm: 100}
parameters:
  rate: {range: [1.0e-4, 1.0, log], start: 0.05, sets: "Output.E <- Input.E: learning_rule_kwargs.learning_rate"}
  scale: {range: [0.01, 10.0], start: 1.0, sets: "Output.E <- Input.E: weight_init_args[0]"}
run: {steps: 40, val_interval: [-20, -1, 5], window: 20}
objectives: [accuracy, loss]
instances: 2
"""


def toy_document(**changes: Any) -> dict[str, Any]:
    """The toy space as plain data, some top-level keys replaced."""
    return {**yaml.safe_load(TOY), **changes}


@pytest.fixture
def toy() -> SearchSpace:
    return SearchSpace.from_dict(toy_document())


@pytest.fixture
def toy_file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.yaml"
    path.write_text(TOY)
    return path


MakeStudy = Callable[..., Study]


@pytest.fixture
def make_study(tmp_path: Path, toy: SearchSpace) -> Iterator[MakeStudy]:
    """Creates studies with the stub trainer, and closes them."""
    made: list[Study] = []

    def make(space: SearchSpace | None = None, *, name: str = "toy", pack: int = 4, **settings: Any) -> Study:
        settings = {"trainer": STUB, "trials": 12, "seed": 3, "resources": Resources(pack=pack)} | settings
        study = Study.create(space or toy, name=name, studies=tmp_path / "studies", **settings)
        made.append(study)
        return study

    yield make
    for study in made:
        study.close()


@pytest.fixture(scope="session")
def ray_slots() -> Iterator[Slots]:
    with warnings.catch_warnings(), ray_cluster(Resources()) as slots:
        yield slots


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    yield server
    server.remove()
