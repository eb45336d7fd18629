"""A manifest is what KubeRay's own definitions allow, and holds what the profile asks for and no secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from cluster import ClusterError, JobSpec, Resources, load_profile
from cluster.kubernetes import KubernetesProfile, KubernetesRunner
from cluster.kubernetes.manifest import object_name
from tests.cluster.kubernetes.crds import problems

SMALL = "kind: kubernetes\nnamespace: lab\nimage: registry.example.org/eiann:0.1.0\nvolume: {claim: studies}\n"
PROFILES = {
    "small": SMALL,
    "cpu": SMALL + "workers: {min: 1, max: 8, cpus: 16, memory_gb: 32}\nvolume: {claim: studies, shared: true}\n",
    "gpu": SMALL
    + """
workers:
  max: 4
  cpus: 8
  memory_gb: 64
  gpus: 1
  node_selector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-40GB}
  tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
secrets: {PGPASSWORD: {name: eiann-db, key: password}}
labels: {kueue.x-k8s.io/queue-name: lab}
walltime_seconds: 86400
""",
    "sidecar": SMALL + "submission_mode: SidecarMode\nworkers: {min: 2, max: 2}\nimage_pull_secret: registry\n"
    "service_account: studies\n",
}  # fmt: skip
JOB = JobSpec(
    name="Dale_backprop",
    command=("python", "-m", "optimize.cli", "optimize", "space.yaml", "--name", "it's"),
    files={"space.yaml": "title: a space\n"},
)


def profile(text: str, folder: Path) -> KubernetesProfile:
    file = folder / "kubernetes.yaml"
    lines = text.splitlines()
    keys = [line.partition(":")[0] for line in lines]
    # Of a key that is given twice, the later one.
    file.write_text("\n".join(line for i, line in enumerate(lines) if line[:1] == " " or keys[i] not in keys[i + 1 :]))
    loaded = load_profile(file)
    assert isinstance(loaded, KubernetesProfile)
    return loaded


def rendered(which: str, folder: Path, job: JobSpec = JOB) -> tuple[list[dict[str, Any]], str]:
    text = KubernetesRunner(profile(PROFILES[which], folder), folder / "jobs").render(job)
    return list(yaml.safe_load_all(text)), text


@pytest.mark.parametrize("which", PROFILES)
def test_kuberay_takes_the_manifest(which: str, tmp_path: Path) -> None:
    documents, _ = rendered(which, tmp_path)
    config_map, job = documents
    assert (config_map["kind"], config_map["data"]) == ("ConfigMap", JOB.files)
    assert problems(job) == []
    assert list(tmp_path.iterdir()) == [tmp_path / "kubernetes.yaml"]


def test_the_check_of_manifests_bites(tmp_path: Path) -> None:
    _, job = rendered("gpu", tmp_path)[0]
    job["spec"]["backofLimit"] = 3
    job["spec"]["rayClusterSpec"]["authOptions"]["mode"] = "tokens"
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]["resource"] = {}
    job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]["volumes"][0]["name"] = 3
    found = " ".join(problems(job))
    for word in ("backofLimit", "tokens", "resource", "3 is not of type 'string'"):
        assert word in found


def test_a_gpu_job_is_what_its_profile_says(tmp_path: Path) -> None:
    spec = rendered("gpu", tmp_path)[0][1]["spec"]
    assert spec["entrypoint"] == "exec python -m optimize.cli optimize space.yaml --name 'it'\"'\"'s'"
    assert (spec["submissionMode"], spec["backoffLimit"], spec["activeDeadlineSeconds"]) == ("K8sJobMode", 3, 86400)
    cluster = spec["rayClusterSpec"]
    assert cluster["authOptions"] == {"mode": "token"}
    assert cluster["enableInTreeAutoscaling"] is True
    (group,) = cluster["workerGroupSpecs"]
    assert (group["minReplicas"], group["maxReplicas"]) == (0, 4)
    worker = group["template"]["spec"]
    assert worker["containers"][0]["resources"]["limits"] == {"cpu": "8", "memory": "65536Mi", "nvidia.com/gpu": "1"}
    assert worker["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-40GB"}
    assert worker["automountServiceAccountToken"] is False
    head = cluster["headGroupSpec"]
    assert head["rayStartParams"]["num-cpus"] == "0"
    mounts = {mount["name"]: mount["mountPath"] for mount in head["template"]["spec"]["containers"][0]["volumeMounts"]}
    assert mounts == {"shm": "/dev/shm", "studies": "/studies", "job-files": "/eiann-job"}
    assert yaml.safe_load(spec["runtimeEnvYAML"])["env_vars"] == {
        "RAY_JOB_STOP_WAIT_TIME_S": "60",
        "EIANN_RAY_CPUS": "32",
        "EIANN_RAY_GPUS": "4",
    }


def test_only_the_drivers_pod_gets_the_secret_and_only_by_name(tmp_path: Path) -> None:
    (_, job), text = rendered("gpu", tmp_path)
    cluster = job["spec"]["rayClusterSpec"]
    head = cluster["headGroupSpec"]["template"]["spec"]["containers"][0]
    named = {"name": "PGPASSWORD", "valueFrom": {"secretKeyRef": {"name": "eiann-db", "key": "password"}}}
    assert named in head["env"]
    worker = cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"][0]
    assert {variable["name"] for variable in worker["env"]} == {"RAY_USAGE_STATS_ENABLED"}
    assert text.count("PGPASSWORD") == 1


def test_workers_mount_the_volume_only_where_several_nodes_may(tmp_path: Path) -> None:
    for which, shared in (("cpu", True), ("small", False)):
        cluster = rendered(which, tmp_path)[0][1]["spec"]["rayClusterSpec"]
        volumes = cluster["workerGroupSpecs"][0]["template"]["spec"]["volumes"]
        assert any("persistentVolumeClaim" in volume for volume in volumes) is shared


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"environment": {"PGPASSWORD": "swordfish"}}, "environment has PGPASSWORD, and a manifest is no place"),
        ({"resources": Resources(cpus=4)}, "asks for cpus; on Kubernetes that stands in the profile"),
        ({"files": {"space.yaml": "x" * 1_000_000}}, "its files have 976 KiB and a ConfigMap takes 900"),
    ],
)
def test_what_a_manifest_must_not_say_is_refused(tmp_path: Path, more: dict[str, Any], says: str) -> None:
    with pytest.raises(ClusterError, match=f"^Dale_backprop: {says}") as caught:
        rendered("small", tmp_path, JOB.model_copy(update=more))
    assert "swordfish" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: kubernetes\n", ":1: namespace: "),
        (
            SMALL + "submission_mode: HTTPMode\n",
            ":5: submission_mode: found 'HTTPMode'; input should be 'K8sJobMode' or",
        ),
        (SMALL + "workers: {min: 5, max: 4}\n", ":5: workers: "),
        (SMALL + "workers:\n  max: 4\n  gpu: 1\n", ":7: workers.gpu: unknown key; did you mean gpus?"),
        (
            SMALL + "environment: {PGPASSWORD: x}\n",
            ":5: environment: the variable PGPASSWORD is a secret by its name, and profiles",
        ),
        (SMALL.replace("{claim: studies}", "{claim: studies, mount: studies}"), ":4: volume.mount: "),
        (SMALL + "secrets: {PGPASSWORD: {name: eiann-db}}\n", ":5: secrets.PGPASSWORD"),
        (SMALL.replace("namespace: lab", "namespace: My Lab"), ":2: namespace: found 'My Lab'; "),
    ],
)
def test_a_wrong_profile_is_answered_with_its_line(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(text)
    with pytest.raises(ClusterError) as caught:
        load_profile(file)
    assert str(caught.value).startswith(f"{file}{says}")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["Dale_backprop", "a" * 100, "2.layers", "x--", "___"])
def test_names_of_objects_are_what_kubernetes_takes(name: str) -> None:
    made = object_name(name, "abc123")
    assert len(made) <= 47
    assert made[0].isalpha()
    assert made.endswith("-abc123")
    assert set(made) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")
