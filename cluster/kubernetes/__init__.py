"""The kind ``kubernetes``: a study as a RayJob of the KubeRay operator, applied with kubectl."""

from cluster.kubernetes.profile import KubernetesProfile
from cluster.kubernetes.runner import KubernetesRunner

__all__ = ["KubernetesProfile", "KubernetesRunner"]
