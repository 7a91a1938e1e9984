"""Ready a second after its start; after GET /hang neither ready nor alive, until restarted."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WARM_UP_S = 1.0
started = time.monotonic()
hung: list[bool] = []


def is_well(path: str) -> bool:
    """What a probe of that path is told."""
    if path == "/ready":
        return not hung and time.monotonic() - started > WARM_UP_S
    return not hung


class Moods(BaseHTTPRequestHandler):
    """Probes ask /ready and /alive."""

    def do_GET(self) -> None:
        """Answer by the mood."""
        if self.path == "/hang":
            hung.append(True)
        is_fine = self.path == "/hang" or is_well(self.path)
        self.send_response(200 if is_fine else 503)
        self.end_headers()
        self.wfile.write(f"process {os.getpid()}\n".encode())


if __name__ == "__main__":
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, port), Moods).serve_forever()
