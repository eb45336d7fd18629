"""A profile is read typed, and a wrong one is answered with one line: file, line, key, what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import ClusterError, HereProfile, HereRunner, load_profile, runner_for
from cluster.kinds import KINDS

KNOWN = ", ".join(KINDS)


def test_one_line_is_a_whole_profile(tmp_path: Path) -> None:
    path = tmp_path / "here.yaml"
    path.write_text("kind: here\n")
    profile = load_profile(path)
    assert profile == HereProfile()
    runner = runner_for(profile, tmp_path / "jobs")
    assert isinstance(runner, HereRunner)
    assert not runner.folder.exists()


def test_every_key_is_read(tmp_path: Path) -> None:
    path = tmp_path / "here.yaml"
    path.write_text("kind: here\ngrace_seconds: 5\nenvironment: {OMP_NUM_THREADS: '1'}\n")
    assert load_profile(str(path)) == HereProfile(grace_seconds=5, environment={"OMP_NUM_THREADS": "1"})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ":1: a profile is a mapping such as 'kind: here'"),
        ("- here", ":1: a profile is a mapping such as 'kind: here'"),
        ("environment: {}", f":1: kind: missing; available: {KNOWN}"),
        ("# site\nkind: pbs", f":2: kind: found 'pbs'; available: {KNOWN}"),
        ("kind: [here]", f":1: kind: found ['here']; available: {KNOWN}"),
        ("kind: here\ngrace_second: 3", ":2: grace_second: unknown key; did you mean grace_seconds?"),
        ("kind: here\nqueue: long", ":2: queue: unknown key; known: kind, environment, python, storage, grace_seconds"),
        ("kind: here\ngrace_seconds: -1", ":2: grace_seconds: found -1; input should be greater than or equal to 0"),
        ("kind: here\nenvironment:\n  A: x\n  B: [1]", ":4: environment.B: found [1]; input should be a valid string"),
        ("kind: here\n\tx: 1", ":2: not YAML: "),
        ("kind: !!python/name:os.system ''", ":1: not YAML: could not determine a constructor for the tag"),
    ],
)
def test_a_wrong_profile_is_answered_with_file_line_and_key(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    with pytest.raises(ClusterError) as caught:
        load_profile(path)
    assert str(caught.value).startswith(f"{path}{says}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.yaml", "cannot read the profile: No such file or directory"),
        (".", "cannot read the profile: Is a directory"),
    ],
)
def test_an_unreadable_profile_is_named(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ClusterError, match=says):
        load_profile(tmp_path / name)


def test_a_binary_file_is_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_bytes(b"\xff\xfe\x00kind")
    with pytest.raises(ClusterError, match="is not a text file"):
        load_profile(path)
