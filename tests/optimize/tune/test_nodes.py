"""Results on machines without the study's folder: kept there, fetched once, removed when they are safe elsewhere."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from eiann.errors import UserError
from optimize.study import Resources, Spool, Study
from optimize.tune import nodes
from optimize.tune.cluster import Slots, packs_at_once
from optimize.tune.inline import run_inline
from optimize.tune.pack import Pack, compute
from optimize.tune.stub import StubTrainer
from tests.optimize.conftest import MakeStudy

CPU2, GPU2, BOTH = {"CPU": 2.0}, {"CPU": 1.0, "GPU": 2.0}, {"CPU": 8.0, "GPU": 1.0}


@pytest.mark.parametrize(
    ("machines", "cpus", "gpus", "packs"),
    [
        ([CPU2], 1, 0, 2),
        ([CPU2, CPU2], 2, 0, 2),
        ([{"CPU": 3.0}, CPU2], 2, 0, 2),
        ([{"CPU": 0.3}], 0.1, 0, 3),
        ([BOTH], 1, 0.25, 4),
        ([BOTH], 4, 0.25, 2),
        ([{"CPU": 8.0, "GPU": 2.0}], 1, 0.4, 4),
        ([{"CPU": 8.0, "GPU": 3.0}], 1, 2, 1),
        ([CPU2, BOTH], 1, 0.5, 2),
        ([GPU2, BOTH], 1, 1, 2),
    ],
)
def test_packs_that_a_cluster_has_room_for(
    machines: list[dict[str, float]], cpus: float, gpus: float, packs: int
) -> None:
    assert packs_at_once(machines, Resources(cpus=cpus, gpus=gpus)) == packs


@pytest.mark.parametrize(
    ("machines", "cpus", "gpus", "words"),
    [
        ([CPU2, CPU2], 3, 0, "needs 3 CPUs and no machine of the Ray cluster has more than 2"),
        ([CPU2], 1, 0.5, "needs 0.5 GPUs and no machine of the Ray cluster has more than 0"),
        ([CPU2, GPU2], 2, 1, "2 CPUs and 1 GPUs, and no machine of the Ray cluster has both"),
    ],
)
def test_a_pack_that_has_room_nowhere_is_said(
    machines: list[dict[str, float]], cpus: float, gpus: float, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        packs_at_once(machines, Resources(cpus=cpus, gpus=gpus))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(nodes.FOLDER_VARIABLE, str(tmp_path / "node"))
    return tmp_path / "node"


def test_a_worker_that_sees_the_study_writes_there(make_study: MakeStudy, elsewhere: Path) -> None:
    study = make_study()
    assert nodes.spool_for(str(study.folder.results), study.spec.study_id).folder == study.folder.results
    assert not elsewhere.exists()


@pytest.mark.parametrize("case", ["absent", "another study's", "without specification"])
def test_a_worker_that_does_not_see_it_writes_on_its_machine(
    make_study: MakeStudy, elsewhere: Path, case: str, tmp_path: Path
) -> None:
    study = make_study()
    results = {"absent": tmp_path / "x", "another study's": make_study(name="b").folder.results}.get(case, tmp_path)
    spool = nodes.spool_for(str(results), study.spec.study_id)
    assert spool.folder == nodes.local_folder(study.spec.study_id)
    assert spool.folder.is_dir()
    assert spool.folder.stat().st_mode & 0o077 == 0
    assert elsewhere in spool.folder.parents


def _is_a_link(folder: Path) -> None:
    (folder.parent / "somewhere").mkdir(mode=0o700)
    folder.symlink_to(folder.parent / "somewhere")


def _is_another_users(folder: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs to be root")
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, -1)


TAKEN: dict[str, Callable[[Path], object]] = {
    "open to a group": lambda folder: (folder.mkdir(), folder.chmod(0o770)),
    "open to all": lambda folder: (folder.mkdir(), folder.chmod(0o1777)),
    "a link": _is_a_link,
    "a link to nowhere": lambda folder: folder.symlink_to("/no/such/folder"),
    "a file": Path.touch,
    "another user's": _is_another_users,
}


@pytest.mark.parametrize("make", TAKEN.values(), ids=TAKEN)
def test_a_folder_that_others_could_have_made_or_filled_is_refused(
    elsewhere: Path, make: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = nodes.local_folder("x").parent
    elsewhere.mkdir()
    make(folder)
    with pytest.raises(UserError, match=f"^{folder} is not a folder of this user's alone") as caught:
        nodes.spool_for("/no/such/folder", "x")
    assert "\n" not in str(caught.value)
    assert not (folder / "x").exists()


def test_only_the_user_sees_which_studies_have_results(elsewhere: Path) -> None:
    before = os.umask(0o022)
    try:
        spool = nodes.spool_for("/no/such/folder", "x")
    finally:
        os.umask(before)
    assert [stat.S_IMODE(place.stat().st_mode) for place in (spool.folder, spool.folder.parent)] == [0o700, 0o700]


def test_a_folder_of_an_older_version_is_taken_and_closed(make_study: MakeStudy, elsewhere: Path) -> None:
    study = make_study()
    own = _left_behind(study, 2).folder.parent
    for use in (lambda: nodes.take(study.spec.study_id, []), lambda: nodes.spool_for("/no/such/folder", "x")):
        own.chmod(0o755)
        assert use()
        assert stat.S_IMODE(own.stat().st_mode) == 0o700


def test_results_in_a_folder_that_others_could_have_filled_are_not_taken(
    make_study: MakeStudy, elsewhere: Path
) -> None:
    study = make_study()
    spool = _left_behind(study, 2)
    assert len(nodes.take(study.spec.study_id, [])) == 2
    spool.folder.parent.chmod(0o770)
    assert nodes.take(study.spec.study_id, []) == []
    assert len(list(spool.folder.iterdir())) == 2, "whoever made them can make it right and have them"


def _left_behind(study: Study, count: int) -> Spool:
    """Results of a driver that died before it heard of them, on a machine without the study's folder."""
    with study.driven() as (ledger, _):
        jobs = ledger.propose(4)
    spool = nodes.spool_for("/no/such/folder", study.spec.study_id)
    spool.write(compute(study.spec, StubTrainer(study.spec), Pack(0, tuple(jobs)))[:count])
    return spool


def test_what_lies_elsewhere_is_told_and_not_computed_again(
    make_study: MakeStudy, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = make_study(trials=8)
    undisturbed = make_study(trials=8, name="undisturbed")
    run_inline(undisturbed)
    spool = _left_behind(study, 3)
    monkeypatch.setattr(nodes, "_from_others", lambda *_: [])
    with study.driven(lambda own: nodes.collect(study.spec.study_id, own)) as (ledger, _):
        assert ledger.ended == 3
        assert [job.number for job in ledger.adopted] == [3]
    assert len(list(spool.folder.iterdir())) == 3, "kept until it is known to be safe"
    nodes.collect(study.spec.study_id, study.spool)
    assert not spool.folder.exists()
    run_inline(study)
    columns = ["number", "state", "params.rate", "params.scale", "objectives.loss", "failure"]
    assert study.trials()[columns].equals(undisturbed.trials()[columns])
    assert study.trials()["attempt"].tolist() == [1, 1, 1, 3, 1, 1, 1, 1]


def test_a_torn_file_is_no_result(make_study: MakeStudy, elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study()
    spool = _left_behind(study, 2)
    torn = spool.path(0, 1)
    torn.write_bytes(torn.read_bytes()[:40])
    monkeypatch.setattr(nodes, "_from_others", lambda *_: [])
    assert nodes.collect(study.spec.study_id, study.spool) == 1
    assert study.spool.read(0) is None


@pytest.mark.filterwarnings("default:::ray")
def test_without_anything_to_fetch_nothing_is_made(make_study: MakeStudy, elsewhere: Path, ray_slots: Slots) -> None:
    study = make_study()
    assert nodes.collect(study.spec.study_id, study.spool) == 0
    assert not elsewhere.exists()
