"""Runs a command line on a machine of the user's choice, and knows it by name afterwards.

Knows command lines, resources and environments; nothing of models or searches. There is the kind ``here``, this
machine. A further kind is a profile (see `cluster.profile.KINDS`) and a runner that keeps the contract of `Runner`.

Example:
    ```python
    profile = cluster.load_profile("here.yaml")
    runner = cluster.runner_for(profile, Path("jobs"))
    job = runner.submit(cluster.JobSpec(name="demo", command=("eiann", "optimize", "spiral/dale_backprop")))
    for line in job.logs(follow=True):
        print(line)
    ```
"""

from pathlib import Path

from cluster.errors import ClusterError
from cluster.here import HereRunner
from cluster.job import Job, JobSpec, JobState, JobStatus, Resources
from cluster.profile import HereProfile, Profile, load_profile
from cluster.runner import Runner

__all__ = [
    "ClusterError",
    "HereProfile",
    "HereRunner",
    "Job",
    "JobSpec",
    "JobState",
    "JobStatus",
    "Profile",
    "Resources",
    "Runner",
    "load_profile",
    "runner_for",
]


def runner_for(profile: Profile, folder: Path) -> Runner:
    """The runner of the profile's kind, with its records in ``folder``."""
    return HereRunner(profile, folder)
