"""Answer every request with what was asked: a program that knows nothing of Relight but $PORT."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GREETING = os.environ.get("GREETING", "")  # noqa: TID251 - it is the program's only setting


class Echo(BaseHTTPRequestHandler):
    """GET and POST alike."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Say what was asked."""
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = {"greeting": GREETING, "path": self.path, "body": body.decode(errors="replace")}
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST  # noqa: N815 - the name http.server looks for


if __name__ == "__main__":
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, port), Echo).serve_forever()
