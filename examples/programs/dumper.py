"""Keep the last events posted to it; GET tells them. A stand-in for a broker or a log."""

import json
import os
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEPT = 100
events: deque[dict[str, Any]] = deque(maxlen=KEPT)


class Dumper(BaseHTTPRequestHandler):
    """CloudEvents in binary mode: attributes are headers, the body is the data."""

    def do_POST(self) -> None:
        """Keep one."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        found = {name.lower(): value for name, value in self.headers.items()}
        event = {name[3:]: value for name, value in found.items() if name.startswith("ce-")}
        events.append({**event, "data": body.decode(errors="replace")})
        print(json.dumps(events[-1]), flush=True)
        self.answer(202, b"")

    def do_GET(self) -> None:
        """Tell all."""
        self.answer(200, json.dumps(list(events), indent=2).encode() + b"\n")

    def answer(self, status: int, body: bytes) -> None:
        """One answer."""
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, port), Dumper).serve_forever()
