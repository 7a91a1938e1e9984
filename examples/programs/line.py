"""A server for a format of one's own: a file with the `slope` and `offset` of a line, as JSON."""

import argparse
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--model_name", required=True)
parser.add_argument("--model_dir", type=Path, required=True)
options = parser.parse_args()
line = json.loads((options.model_dir / "model.line").read_text())


class Line(BaseHTTPRequestHandler):
    """POST /v1/models/NAME:predict."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One prediction."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        values = [line["slope"] * value + line["offset"] for value in body["instances"]]
        self.answer({"predictions": values})

    def do_GET(self) -> None:
        """Whether the model is there."""
        self.answer({"name": options.model_name, "ready": True})

    def answer(self, said: object) -> None:
        """JSON."""
        data = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, port), Line).serve_forever()
