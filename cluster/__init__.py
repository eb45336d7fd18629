"""Runs a command line on a machine of the user's choice, and knows it by name afterwards.

Knows command lines, resources and environments; nothing of models or searches. There is the kind ``here``, this
machine. A further kind is a profile and a runner that keeps the contract of `Runner`, joined in `cluster.kinds.KINDS`.

Example:
    ```python
    profile = cluster.load_profile("here.yaml")
    jobs = cluster.Jobs(Path("jobs"))
    jobs.submit(profile, cluster.JobSpec(name="demo", command=("eiann", "optimize", "spiral/dale_backprop")))
    for line in jobs.find("demo").logs(follow=True):
        print(line)
    ```
"""

from cluster.errors import ClusterError
from cluster.here import HereProfile, HereRunner
from cluster.job import Job, JobSpec, JobState, JobStatus, Resources
from cluster.jobs import Jobs
from cluster.kinds import load_profile, runner_for
from cluster.profile import Profile
from cluster.runner import Runner

__all__ = [
    "ClusterError",
    "HereProfile",
    "HereRunner",
    "Job",
    "JobSpec",
    "JobState",
    "JobStatus",
    "Jobs",
    "Profile",
    "Resources",
    "Runner",
    "load_profile",
    "runner_for",
]
