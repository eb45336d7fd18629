"""A Slurm profile is read typed, and what a site would choke on is refused with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest

import cluster
from cluster import ClusterError, load_profile
from cluster.slurm.profile import Restart, SlurmProfile
from cluster.walltime import seconds_of

PROFILES = Path(cluster.__file__).parent / "profiles"


@pytest.mark.parametrize("path", sorted(PROFILES.glob("slurm_*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_profiles(path: Path) -> None:
    profile = load_profile(path)
    assert isinstance(profile, SlurmProfile)
    assert profile.walltime in ("12:00:00", "1-00:00:00")
    assert profile.restart is Restart.REQUEUE


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("30", 1800), ("12:00:00", 43_200), ("1:30", 90), ("2-12:00:00", 216_000), ("'30'", 1800), ("2-12", 216_000)],
)
def test_a_walltime_means_what_it_means_to_slurm(tmp_path: Path, written: str, seconds: int) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"kind: slurm\nsignal_seconds: 10\nwalltime: {written}\n")
    profile = load_profile(path)
    assert isinstance(profile, SlurmProfile)
    assert profile.walltime is not None
    assert seconds_of(profile.walltime) == seconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("partion: gpu", ":2: partion: unknown key; did you mean partition?"),
        ("partition: a b", ":2: partition: found 'a b'; string should match pattern"),
        ("nodes: 0", ":2: nodes: found 0; input should be greater than 0"),
        ("nodes: 2\nmin_nodes: 3", ":1: min_nodes is 3 and nodes 2; at most nodes is right"),
        ("gpu_type: a100", ":1: gpu_type needs gpus: how many on each node"),
        ("walltime: soon", ":2: walltime: found 'soon'; 'soon' is no time; write minutes, H:MM:SS or D-HH:MM:SS"),
        ("walltime: 1:90:00", ":2: walltime: found '1:90:00'; '1:90:00' is no time"),
        ("walltime: 00:02:00", ":1: signal_seconds is 180 and walltime 00:02:00; less is right"),
        ("directives: [exclusive]", ":2: directives.0: found 'exclusive'; an option of sbatch is right, such as"),
        ('directives: ["--x\\nrm -rf ~"]', ":2: directives.0: found '--x\\nrm -rf ~'; string should match pattern"),
        ("scratch: tmp", ":2: scratch: found 'tmp'; an absolute folder, or a variable such as $TMPDIR, is right"),
        (f"scratch: /{'x' * 60}", f":2: scratch: found '/{'x' * 60}'; at most 40 characters are right"),
        ("restart: always", ":2: restart: found 'always'; input should be 'requeue', 'successor' or 'none'"),
    ],
)
def test_a_wrong_profile_is_answered_with_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"kind: slurm\n{text}\n")
    with pytest.raises(ClusterError) as caught:
        load_profile(path)
    assert str(caught.value).startswith(f"{path}{says}")
    assert "\n" not in str(caught.value)
