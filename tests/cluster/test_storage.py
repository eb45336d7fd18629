"""A storage that a cluster's driver would lose, or could not reach, is refused with the reason."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from cluster import ClusterError, load_profile
from cluster.storage import Place

HERE = Place(submitter=True)
SHARED_DISK = Place()
RAY = Place(passing_folder=True)
POD = Place(volume=PurePosixPath("/studies"))
PODS = Place(volume=PurePosixPath("/studies"), several_writers=True)
HOME = "/nfs/me/studies"

GOOD = [
    (HERE, None, "studies"),
    (HERE, "postgresql://me:secret@localhost/eiann", "studies"),
    (SHARED_DISK, None, HOME),
    (SHARED_DISK, "sqlite:////nfs/me/study.db", HOME),
    (SHARED_DISK, "sqlite:///study.db", HOME),
    (RAY, "sqlite:////nfs/me/study.db", HOME),
    (SHARED_DISK, "journal:/nfs/me/study.journal", HOME),
    (SHARED_DISK, "postgresql://me@db.example.org:5432/eiann", HOME),
    (SHARED_DISK, "postgresql+psycopg://me@/eiann?host=/nfs/sockets", HOME),
    (POD, None, "/studies"),
    (POD, "sqlite:////studies/study.db", "/studies"),
    (PODS, "journal:/studies/study.journal", "/studies"),
    (PODS, "postgresql://me@db/eiann", "/studies"),
]
WRONG = [
    (SHARED_DISK, "postgresql://me:secret@db/eiann", HOME, "a password in postgresql://me:***@db/eiann would stand in"),
    (SHARED_DISK, "postgresql://me@localhost:5432/eiann", HOME, "the host localhost is the node that the driver"),
    (SHARED_DISK, "postgresql://127.0.0.1/eiann", HOME, "the host 127.0.0.1 is the node"),
    (SHARED_DISK, "postgresql:///eiann", HOME, "the host that is left out is the node"),
    (SHARED_DISK, "study.db", HOME, "found 'study.db'; postgresql://USER@HOST/DATABASE or journal:/PATH is right"),
    (RAY, "sqlite:///study.db", HOME, "found the path study.db for SQLite; the whole path on the cluster is right"),
    (SHARED_DISK, "postgresql:me:secret@db/x", HOME, "found something else; postgresql://USER@HOST/DATABASE or"),
    (POD, "journal:study.journal", "/studies", "found the path study.journal for a journal; the whole path"),
    (SHARED_DISK, "sqlite:////tmp/study.db", HOME, "/tmp/study.db exists on one machine only and not for long"),
    (SHARED_DISK, "journal:/dev/shm/study.journal", HOME, "/dev/shm/study.journal exists on one machine only"),
    (POD, "sqlite:////data/study.db", "/studies", "/data/study.db is on the pod's own disk and vanishes with it"),
    (POD, None, "/srv/ray/studies", "/srv/ray/studies is on the pod's own disk"),
    (PODS, None, "/studies", "SQLite's locks do not hold between nodes that mount one volume"),
    (PODS, "sqlite:////studies/study.db", "/studies", "SQLite's locks do not hold"),
]


@pytest.mark.parametrize(("place", "url", "studies"), GOOD)
def test_what_fits_is_taken(place: Place, url: str | None, studies: str) -> None:
    assert place.refusal(url, PurePosixPath(studies)) is None


@pytest.mark.parametrize(("place", "url", "studies", "says"), WRONG)
def test_what_does_not_is_refused_with_the_reason(place: Place, url: str | None, studies: str, says: str) -> None:
    refusal = place.refusal(url, PurePosixPath(studies))
    assert refusal is not None
    assert refusal.startswith(says)
    assert "secret" not in refusal


@pytest.mark.parametrize("kind", ["kind: here\n", "kind: slurm\n", "kind: ray\naddress: http://head:8265\n"])
def test_no_profile_holds_a_password(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    for line, says in (
        ("storage: postgresql://me:swordfish@db/eiann", "storage: found 'postgresql://me:***@db/eiann'; a URL without"),
        (
            "storage: postgresql://me@db/x?password=swordfish",
            "found 'postgresql://me@db/x?password=***'; a URL without",
        ),
        ("environment: {DB_PASSWORD: swordfish}", "environment: the variable DB_PASSWORD is a secret by its name"),
    ):
        path.write_text(f"{kind}{line}\n")
        with pytest.raises(ClusterError) as caught:
            load_profile(path)
        assert says in str(caught.value)
        assert "swordfish" not in str(caught.value)


def test_a_profile_with_a_storage_that_does_not_fit_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text("kind: slurm\nnodes: 2\nstorage: postgresql://me@localhost/eiann\n")
    with pytest.raises(ClusterError, match=f"^{path}:3: storage: the host localhost is the node that the driver"):
        load_profile(path)
