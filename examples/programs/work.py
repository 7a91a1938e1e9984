"""Take as long as asked: GET /?ms=200."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Work(BaseHTTPRequestHandler):
    """Any path, with ms in the query."""

    def do_GET(self) -> None:
        """Take that long."""
        asked = parse_qs(urlsplit(self.path).query)
        took_ms = int(asked.get("ms", ["0"])[0])
        time.sleep(took_ms / 1000)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{took_ms} ms of work by process {os.getpid()}\n".encode())


if __name__ == "__main__":
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, port), Work).serve_forever()
