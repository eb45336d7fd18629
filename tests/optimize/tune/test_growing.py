"""A cluster that grows by itself counts with what it may come to have: its workers come when packs wait for them."""

from __future__ import annotations

import pytest

from eiann.errors import UserError
from optimize.study import Resources
from optimize.tune.cluster import _grown, packs_at_once


@pytest.mark.parametrize(
    ("there", "promised", "wanted", "slots"),
    [
        ({"CPU": 4.0}, {}, Resources(cpus=2), 2),
        ({}, {"EIANN_RAY_CPUS": "16"}, Resources(cpus=2), 8),
        ({"CPU": 4.0}, {"EIANN_RAY_CPUS": "16"}, Resources(cpus=2), 8),
        ({"CPU": 32.0}, {"EIANN_RAY_CPUS": "16"}, Resources(cpus=2), 16),
        ({}, {"EIANN_RAY_CPUS": "32", "EIANN_RAY_GPUS": "4"}, Resources(cpus=1, gpus=0.25), 16),
    ],
)
def test_slots_are_those_of_the_grown_cluster(
    there: dict[str, float],
    promised: dict[str, str],
    wanted: Resources,
    slots: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("EIANN_RAY_CPUS", "EIANN_RAY_GPUS"):
        monkeypatch.delenv(name, raising=False)
    for name, amount in promised.items():
        monkeypatch.setenv(name, amount)
    assert packs_at_once(_grown([there]), wanted) == slots


def test_what_it_can_never_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EIANN_RAY_GPUS", "0")
    with pytest.raises(UserError, match="a pack needs 1 GPUs and no machine of the Ray cluster has more than 0"):
        packs_at_once(_grown([{"CPU": 8.0}]), Resources(gpus=1))
