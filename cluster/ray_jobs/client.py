"""The Ray Jobs API over HTTP: the few calls that a runner needs, each failure one clear line.

Spoken by hand and not through Ray: this package must not import it, and a login node then needs no Ray to submit. The
calls are those of Ray's own command line; https://docs.ray.io/en/latest/cluster/running-applications/job-submission.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import requests
from requests.auth import AuthBase

from cluster.errors import ClusterError

_CONNECT_SECONDS: Final = 10.0
_ANSWER_SECONDS: Final = 60.0
_NOT_FOUND: Final = 404
# A login page of a proxy, a redirect to another service: what answers at this address speaks something else.
_NOT_RAY: Final = "something else than a Ray dashboard answers there"


class RayUnreachableError(ClusterError):
    """Nobody answers at the address, or not in time: what was asked for may have happened or not."""


@dataclass(frozen=True)
class RayJob:
    """What a cluster says of a job.

    Attributes:
        status: PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED.
        message: in Ray's words.
        exit_code: of the command; None where it has not ended, or was never started.
        started, ended: Unix time in milliseconds.
    """

    status: str
    message: str
    exit_code: int | None
    started: int | None
    ended: int | None


class RayJobsClient:
    """Calls to one cluster.

    Args:
        address: ``http://host:port`` or ``https://...`` of its dashboard.
        token: of the cluster, if it asks for one. It goes into a header and nowhere else.
        ca_file: certificates to trust for https; left out, those of the system.

    Every call raises `ClusterError`: the address does not answer, it is no Ray, or the token is missing or wrong.
    """

    def __init__(self, address: str, token: str | None = None, ca_file: Path | None = None) -> None:
        self._address = address.rstrip("/")
        self._session = requests.Session()
        # Without this a ~/.netrc would replace the token, and a proxy of the environment would see it.
        self._session.trust_env = False
        self._session.verify = str(ca_file.expanduser()) if ca_file else True
        self._session.auth = _Bearer(token)
        self._has_token = token is not None

    def version(self) -> str:
        """Version of Ray on the cluster; the cheapest question, asked first."""
        return str(self._json(self._call("GET", "/api/version"), "ray_version"))

    def has_package(self, name: str) -> bool:
        """Whether the cluster holds a package; it then keeps it for some minutes more, until a job refers to it."""
        return self._call("GET", f"/api/packages/gcs/{name}", accept={_NOT_FOUND}).status_code != _NOT_FOUND

    def put_package(self, name: str, content: bytes) -> None:
        """Upload a package."""
        self._call("PUT", f"/api/packages/gcs/{name}", data=content)

    def submit(self, request: Mapping[str, Any]) -> None:
        """Submit a job; see `cluster.ray_jobs.request` for what it says."""
        self._call("POST", "/api/jobs/", json=request)

    def job(self, submission_id: str) -> RayJob | None:
        """What the cluster knows of a job; None where it knows none of that id, e.g. since it was started anew."""
        answer = self._call("GET", f"/api/jobs/{submission_id}", accept={_NOT_FOUND})
        return None if answer.status_code == _NOT_FOUND else _read_job(self._object(answer))

    def jobs(self) -> dict[str, RayJob]:
        """All jobs that came through this API, by their ids."""
        found = self._decode(self._call("GET", "/api/jobs/"))
        if not isinstance(found, list):
            raise ClusterError(f"{self._address}: {_NOT_RAY}")
        return {str(one["submission_id"]): _read_job(one) for one in found if one.get("submission_id")}

    def log(self, submission_id: str) -> str:
        """All that the job has written so far."""
        return str(self._json(self._call("GET", f"/api/jobs/{submission_id}/logs"), "logs"))

    def stop(self, submission_id: str) -> None:
        """Tell a job to end: SIGTERM, and SIGKILL after the time that its environment sets."""
        self._call("POST", f"/api/jobs/{submission_id}/stop", accept={_NOT_FOUND})

    def delete(self, submission_id: str) -> None:
        """Let the cluster forget an ended job."""
        self._call("DELETE", f"/api/jobs/{submission_id}", accept={_NOT_FOUND})

    def _call(
        self, method: str, path: str, accept: frozenset[int] | set[int] = frozenset(), **body: Any
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                self._address + path,
                timeout=(_CONNECT_SECONDS, _ANSWER_SECONDS),
                allow_redirects=False,
                **body,
            )
        except requests.exceptions.SSLError as error:
            raise ClusterError(
                f"{self._address}: its certificate is not trusted ({_reason(error)}); see ca_file"
            ) from None
        except requests.exceptions.ConnectionError as error:
            raise RayUnreachableError(
                f"{self._address}: no Ray cluster can be reached there: {_reason(error)}"
            ) from None
        except requests.exceptions.Timeout:
            raise RayUnreachableError(f"{self._address}: did not answer within {_ANSWER_SECONDS:.0f} s") from None
        except requests.exceptions.RequestException as error:
            raise ClusterError(f"{self._address}: cannot be asked: {_reason(error)}") from None
        if (answer.ok and not answer.is_redirect) or answer.status_code in accept:
            return answer
        raise ClusterError(self._refusal(method, path, answer))

    def _refusal(self, method: str, path: str, answer: requests.Response) -> str:
        code = answer.status_code
        if code == requests.codes.unauthorized:
            return f"{self._address}: the cluster wants a token; give token_file in the profile or set RAY_AUTH_TOKEN"
        if code == requests.codes.forbidden:
            which = "the token is wrong" if self._has_token else "access is forbidden"
            return (
                f"{self._address}: {which}; it is the one that the cluster was started with (RAY_AUTH_TOKEN_PATH there)"
            )
        if "already exists" in answer.text:
            return f"{self._address}: the cluster has a job of that id already; submit again under another name"
        if answer.is_redirect or code == _NOT_FOUND:
            return f"{self._address}: {_NOT_RAY} ({method} {path} gave {code})"
        # A traceback of the server: its last line says what was wrong.
        lines = [line.strip() for line in answer.text.splitlines() if line.strip(" .")]
        return f"{self._address}: {method} {path} gave {code}: {lines[-1][:300] if lines else answer.reason}"

    def _decode(self, answer: requests.Response) -> Any:
        try:
            return answer.json()
        except json.JSONDecodeError:
            raise ClusterError(f"{self._address}: {_NOT_RAY}") from None

    def _object(self, answer: requests.Response) -> dict[str, Any]:
        found = self._decode(answer)
        if not isinstance(found, dict):
            raise ClusterError(f"{self._address}: {_NOT_RAY}")
        return found

    def _json(self, answer: requests.Response, key: str) -> Any:
        found = self._object(answer)
        if key not in found:
            raise ClusterError(f"{self._address}: {_NOT_RAY}")
        return found[key]


class _Bearer(AuthBase):
    """The token's header. As an ``auth`` it is never sent on to another host, and never shown with the session."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _read_job(found: Mapping[str, Any]) -> RayJob:
    return RayJob(
        status=str(found.get("status", "")),
        message=" ".join(str(found.get("message") or "").split()),
        exit_code=found.get("driver_exit_code"),
        started=found.get("start_time"),
        ended=found.get("end_time"),
    )


def _reason(error: BaseException) -> str:
    """The innermost reason, without the names of the classes around it."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        last, inner = inner, inner.__cause__ or inner.__context__
    return " ".join(str(last).split())[-200:]
