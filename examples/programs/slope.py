"""An explainer: how much the prediction moves when the input does, by asking the predictor."""

import argparse
import json
import os
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--model_name", required=True)
parser.add_argument("--predictor_host", required=True)
parser.add_argument("--http_port", type=int, required=True)
options, _ = parser.parse_known_args()  # KServe may pass more


def predictions(instances: list[list[float]]) -> list[list[float]]:
    """What the predictor says."""
    url = f"http://{options.predictor_host}/v1/models/{options.model_name}:predict"
    body = json.dumps({"instances": instances}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[list[float]] = json.load(answer)["predictions"]
    return found


def slopes(instances: list[list[float]]) -> list[float]:
    """The change of the output for 1 more of the input."""
    higher = [[value + 1 for value in row] for row in instances]
    found = predictions([*instances, *higher])
    before, after = found[: len(instances)], found[len(instances) :]
    return [round(b[0] - a[0], 3) for a, b in zip(before, after, strict=True)]


class Slope(BaseHTTPRequestHandler):
    """V1: POST /v1/models/NAME:explain."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One explanation."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer({"explanations": [{"slope": each} for each in slopes(body["instances"])]})

    def do_GET(self) -> None:
        """Whether it is there."""
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
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, options.http_port), Slope).serve_forever()
