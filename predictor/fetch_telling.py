"""Tell over HTTP how far a fetch is: `GET /` on a port of the Pod, one line of JSON.

For: whoever waits for the step and may not read its log.
Must not know: who asks, or what is fetched.
"""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from typing_extensions import override

_PATIENCE_S = 5.0  # with whoever connects and does not ask


class Telling:
    """A server while it is entered. `said` is asked in other threads."""

    def __init__(self, said: Callable[[], str], *, port: int, host: str = "0.0.0.0") -> None:  # noqa: S104 - of the Pod
        """OSError where the port is taken; 0 takes a free one."""

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps({"text": said()}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            @override
            def log_message(self, format: str, *args: Any) -> None:
                """Nothing: it is asked every second."""

        Answer.timeout = _PATIENCE_S
        self._server = ThreadingHTTPServer((host, port), Answer)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
