"""kubectl, called with lists of arguments; each failure one clear line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from cluster.errors import ClusterError

_SECONDS: Final = 60.0
# kubectl's advice to send what was not checked; nobody here can follow it.
_BAD_ADVICE: Final = "; if you choose to ignore these errors"


@dataclass(frozen=True)
class Kubectl:
    """kubectl for one namespace.

    Every call raises `ClusterError`: kubectl is not installed, the cluster does not answer, or it says no.
    """

    namespace: str
    context: str | None = None

    def create(self, manifest: str) -> None:
        """Create what the manifest says; an unknown field or an object that exists already is an error."""
        self._run("create", "--validate=strict", "--filename=-", given=manifest)

    def delete(self, manifest: str, *, wait_seconds: int) -> None:
        """Delete what the manifest names, and wait until it is gone; what does not exist is no error."""
        self._run(
            "delete", "--ignore-not-found", "--wait=true", f"--timeout={wait_seconds}s", "--filename=-",
            given=manifest, seconds=wait_seconds + _SECONDS,
        )  # fmt: skip

    def rayjobs(self, selector: str) -> dict[str, dict[str, Any]]:
        """The RayJobs with a label, by name: one question for all of them."""
        answer = self._run("get", "rayjobs.ray.io", f"--selector={selector}", "--output=json")
        try:
            items = json.loads(answer)["items"]
            return {item["metadata"]["name"]: item for item in items}
        except (json.JSONDecodeError, KeyError, TypeError):
            raise ClusterError("kubectl: gave something else than a list of RayJobs; is it another program?") from None

    def log_lines(self, *what: str, follow: bool) -> Iterator[str]:
        """The lines of a log, without line ends."""
        options = ["--tail=-1", *(["--follow"] if follow else [])]
        process = subprocess.Popen(
            self._command("logs", *options, *what),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            for line in process.stdout:
                yield line.rstrip("\n")
            complaint = process.stderr.read()
            if process.wait() != 0:
                raise ClusterError(f"kubectl: {_last_line(complaint)}")
        finally:
            process.kill()  # a reader that has seen enough
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def _run(self, *arguments: str, given: str = "", seconds: float = _SECONDS) -> str:
        try:
            done = subprocess.run(
                self._command(*arguments), input=given, capture_output=True, text=True, timeout=seconds, check=False
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"kubectl: the cluster did not answer within {seconds:.0f} s") from None
        if done.returncode != 0:
            raise ClusterError(f"kubectl: {_last_line(done.stderr)}")
        return done.stdout

    def _command(self, *arguments: str) -> list[str]:
        program = shutil.which("kubectl")
        if program is None:
            raise ClusterError(
                "kubectl is not installed here; apply what 'eiann submit ... --dry-run' prints where it is"
            )
        where = [f"--namespace={self.namespace}"]
        return [program, *([f"--context={self.context}"] if self.context else []), *where, *arguments]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ").partition(_BAD_ADVICE)[0][:300] if lines else "failed without a word"
