"""A secret is read from a file that is the user's alone, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import ClusterError
from cluster.secrets import password_in_url, private_text, without_password


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("swordfish\n")
    return path


def test_a_private_file_is_read_without_its_line_end(file: Path) -> None:
    assert private_text(file, "the token") == "swordfish"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o604, 0o660])
def test_a_file_that_others_may_open_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(ClusterError, match=rf"others may open it \(mode {mode:o}\); mend that with: chmod 600 {file}"):
        private_text(file, "the token")


@pytest.mark.parametrize(
    ("content", "says"), [("", "holds 0 lines"), ("a\nb", "holds 2 lines"), (b"\xff\xfe", "is not text")]
)
def test_what_is_no_secret_is_refused_and_not_shown(file: Path, content: str | bytes, says: str) -> None:
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(ClusterError, match=f"^{file}: {says}"):
        private_text(file, "the token")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:swordfish@db/x", "postgresql://me:***@db/x"),
        ("postgresql://me:sword/fish@db/x", "postgresql://me:***@db/x"),
        ("postgresql://me:sword@fish@db/x", "postgresql://me:***@db/x"),
        ("postgresql://:swordfish@db/x", "postgresql://:***@db/x"),
        ("postgresql://me@db/x?password=swordfish", "postgresql://me@db/x?password=***"),
        ("postgresql://me@db/x?a=1&SSLPassword=swordfish&b=2", "postgresql://me@db/x?a=1&SSLPassword=***&b=2"),
        ("mysql://me@db/x?pass%77d=swordfish", "mysql://me@db/x?pass%77d=***"),
    ],
)
def test_a_password_is_seen_and_hidden_wherever_it_stands_in_a_url(url: str, shown: str) -> None:
    assert password_in_url(url)
    assert without_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@db:5432/x?passfile=/etc/x&host=a",
        "sqlite:////data/a:b@c/study.db",
        "journal:/data/me@lab/x.log",
        "http://head:8265",
    ],
)
def test_a_url_without_one_is_left_as_it_is(url: str) -> None:
    assert not password_in_url(url)
    assert without_password(url) == url


def test_a_missing_file_and_a_folder_are_said(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="cannot read the token: No such file or directory"):
        private_text(tmp_path / "token", "the token")
    with pytest.raises(ClusterError, match="cannot read the token: Is a directory"):
        private_text(tmp_path, "the token")
