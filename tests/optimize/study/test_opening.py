"""A password is never part of what is written down; a storage's place does not depend on the current folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from eiann.errors import UserError
from optimize.cli.app import run
from optimize.study import Study
from optimize.study.opening import (
    PASSWORD_FILE,
    _engine_options,
    check_url,
    file_of,
    lasting_url,
    open_storage,
    without_password,
)
from tests.optimize.conftest import MakeStudy

SECRET = "postgresql+psycopg://lab:hunter2@db.example.org/studies"


@pytest.mark.parametrize("url", [SECRET, "postgresql://lab@db.example.org/studies?password=hunter2"])
def test_a_url_with_a_password_is_refused_and_said_without_it(make_study: MakeStudy, tmp_path: Path, url: str) -> None:
    with pytest.raises(UserError, match="PGPASSWORD") as caught:
        make_study(storage=url)
    assert "hunter2" not in str(caught.value)
    assert "lab@db.example.org/studies" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["postgresql://lab@db.example.org/studies?passfile=/etc/x", "sqlite:///a.db"])
def test_other_urls_may_be_written_down(url: str) -> None:
    check_url(url)


RIGHT = "sqlite:///FILE, journal:FILE or postgresql://USER@HOST/DATABASE is right"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("foo", f"found 'foo'; {RIGHT}"),
        ("", f"found ''; {RIGHT}"),
        ("postgresql:lab:hunter2@db/x", f"found a URL that cannot be read; {RIGHT}"),
        ("postgresql://lab:hunter2@db:54x2/x", f"found a URL that cannot be read; {RIGHT}"),
        ("postgresql://lab@db:54x2/x?password=hunter2", f"found a URL that cannot be read; {RIGHT}"),
        ("foo://lab@db/x", f"found 'foo', which is no kind of database here; {RIGHT}"),
        ("journal:", "found 'journal:', which names no file; journal:FILE is right"),
        ("journal:/", "found 'journal:/', which names no file; journal:FILE is right"),
    ],
)
def test_what_is_no_url_of_a_storage_is_one_line_with_what_is_right(
    url: str, says: str, toy_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studies = ["--studies", str(tmp_path / "studies")]
    assert run(["optimize", str(toy_file), "--storage", url, "--dry-run", *studies]) == 2
    assert capsys.readouterr().err == f"error: storage: {says}\n"
    with pytest.raises(UserError) as caught:
        open_storage(url, "toy")
    assert str(caught.value) == f"storage: {says}"


def test_an_option_that_a_driver_cannot_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"^storage sqlite:///{tmp_path}/x.db.*: .*'soon'"):
        open_storage(f"sqlite:///{tmp_path}/x.db?timeout=soon", "toy")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://lab:hunter2@db/x", "postgresql://lab@db/x"),
        ("postgresql://lab@db/x?PASSWORD=hunter2&host=a", "postgresql://lab@db/x?host=a"),
        ("postgresql://lab:hunt@er2@db/x", "postgresql://USER@HOST/DATABASE"),
        ("postgresql://lab:hunter2@db:54x2/x", "***"),
        ("lab:hunter2@db", "***"),
        ("sqlite:////data/a@b/x.db", "sqlite:////data/a@b/x.db"),
        ("journal:a.log", "journal:a.log"),
    ],
)
def test_nothing_of_a_password_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown
    if "***" not in shown and shown != url:
        with pytest.raises(UserError, match="with a password; write") as caught:
            check_url(url)
        assert shown in str(caught.value)


def test_the_password_comes_from_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlalchemy

    file = tmp_path / "password"
    file.write_text("hunter 2\n")
    file.chmod(0o600)
    monkeypatch.setenv(PASSWORD_FILE, str(file))
    options = _engine_options(sqlalchemy.make_url("postgresql+psycopg://lab@db.example.org/studies"))
    assert options["connect_args"]["password"] == "hunter 2"


@pytest.mark.parametrize(
    ("mode", "others"),
    [(0o400, False), (0o600, False), (0o700, False), (0o640, True), (0o604, True), (0o620, True), (0o644, True)],
)
def test_a_password_that_others_may_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, others: bool
) -> None:
    import sqlalchemy

    file = tmp_path / "password"
    file.write_text("hunter2\n")
    file.chmod(mode)
    monkeypatch.setenv(PASSWORD_FILE, str(file))
    if not others:
        options = _engine_options(sqlalchemy.make_url("postgresql+psycopg://lab@db.example.org/studies"))
        assert options["connect_args"]["password"] == "hunter2"
        return
    with pytest.raises(UserError) as caught:  # before the server is asked
        open_storage("postgresql://lab@127.0.0.1:1/studies", "demo")
    assert str(caught.value) == (
        f"{PASSWORD_FILE}: others may open {file} (mode {mode:o}); mend that with: chmod 600 {file}"
    )


def test_a_file_of_a_password_that_is_none_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "binary").chmod(0o600)
    for name, reason in (("missing", "cannot read"), ("", "Is a directory"), ("binary", "is not text")):
        monkeypatch.setenv(PASSWORD_FILE, str(tmp_path / name))
        with pytest.raises(UserError, match=f"^{PASSWORD_FILE}: .*{reason}"):
            open_storage("postgresql://lab@127.0.0.1:1/studies", "demo")


def test_paths_of_files_are_made_absolute(
    make_study: MakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert lasting_url("sqlite:///a.db") == f"sqlite:///{tmp_path}/a.db"
    assert file_of("journal:b.log") == Path("b.log")
    made = make_study(storage="journal:b.log")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    opened = Study.open(made.folder.path)
    assert opened.budget == 12
    assert opened.spec.storage == f"journal:{tmp_path}/b.log"
    opened.close()
    (tmp_path / "b.log").unlink()
    with pytest.raises(UserError, match="is missing"):
        Study.open(made.folder.path).trials()
    assert not (tmp_path / "b.log").exists()
