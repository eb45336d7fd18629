"""The dashboard's server: one process, ended by Ctrl-C or by its pid."""

from __future__ import annotations

import errno
import json
import socket
import threading
import urllib.request
from collections.abc import Iterable
from socketserver import ThreadingMixIn
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from typing_extensions import override

from eiann.errors import UserError
from optimize.dashboard.view import StudyView
from optimize.study import Study

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8080
RAY: Final = "http://127.0.0.1:8265"
"""Where Ray puts its dashboard if nothing else is said."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _ServerV6(_Server):
    address_family = socket.AF_INET6


class _Quiet(WSGIRequestHandler):
    @override
    def log_message(self, format: str, *args: object) -> None:
        """Requests are nobody's news."""


class DashboardServer:
    """Serves optuna-dashboard on a study, read only.

    Args:
        study: to be shown.
        host: address to listen on.
        port: 0 for any free one.
        ray: address of Ray's dashboard, to be linked; left out, where Ray puts it, if it answers there.

    Raises:
        UserError: the port is taken, or the address is none of this machine.

    Example:
        >>> with DashboardServer(Study.open("studies/demo"), port=0) as server:  # doctest: +SKIP
        ...     print(server.url)
    """

    def __init__(self, study: Study, *, host: str = LOOPBACK, port: int = PORT, ray: str | None = None) -> None:
        from optuna_dashboard import wsgi

        found = ray or (RAY if answers(RAY) else None)
        self._view = view = StudyView(study, {"Ray's dashboard": found} if found else {})
        kind = _ServerV6 if ":" in host else _Server
        try:
            app = _only_reading(wsgi(view, artifact_store=view.pictures))
            self._server = make_server(host, port, app, server_class=kind, handler_class=_Quiet)
        except (OSError, OverflowError) as error:
            if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
                raise UserError(
                    f"--port: found {port}, which is taken on {host}; choose another, or 0 for any"
                ) from error
            raise UserError(f"--host, --port: cannot listen on {host}, port {port}: {error}") from error
        self.ray = found
        self._path = f"/dashboard/studies/{study.storage.study_id}"

    @property
    def url(self) -> str:
        """Address of the study's page."""
        host, port = str(self._server.server_address[0]), self._server.server_port
        return f"http://{f'[{host}]' if ':' in host else host}:{port}{self._path}"

    def serve(self) -> None:
        """Serve until ``close`` or Ctrl-C."""
        self._server.serve_forever(poll_interval=0.2)

    def close(self) -> None:
        """Stop serving and let go of the port, and of the storage."""
        self._server.server_close()
        self._view.close()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self.close()


def _only_reading(app: WSGIApplication) -> WSGIApplication:
    """Everything but looking is refused before it reaches the dashboard; the view would refuse it too."""

    def reading(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "application/json")])
        return [json.dumps({"reason": "this dashboard shows a study and changes nothing"}).encode()]

    return reading


def answers(url: str, timeout: float = 0.5) -> bool:
    """Whether Ray's dashboard is there."""
    try:
        with urllib.request.urlopen(f"{url}/api/version", timeout=timeout) as answer:  # noqa: S310
            return bool(answer.status == 200)
    except (OSError, ValueError):
        return False


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address.

    Example:
        >>> is_loopback("127.0.0.1"), is_loopback("0.0.0.0")
        (True, False)
    """
    return host == "localhost" or host == "::1" or host.startswith("127.")
