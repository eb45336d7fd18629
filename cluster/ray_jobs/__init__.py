"""The kind ``ray``: jobs on a Ray cluster that runs already, through its Jobs API."""

from cluster.ray_jobs.profile import RayProfile
from cluster.ray_jobs.runner import RayRunner

__all__ = ["RayProfile", "RayRunner"]
