"""A transformer: words to numbers, ask the predictor, numbers to words.

"25 °C" becomes [25.0], the predictor says [77.0], and out goes "77 °F".
"""

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


def fahrenheit(celsius: list[list[float]]) -> list[list[float]]:
    """What the predictor says."""
    url = f"http://{options.predictor_host}/v1/models/{options.model_name}:predict"
    body = json.dumps({"instances": celsius}).encode()
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        found: list[list[float]] = json.load(answer)["predictions"]
    return found


class Weather(BaseHTTPRequestHandler):
    """V1."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One prediction."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        rows = [[float(text.removesuffix("°C"))] for text in body["instances"]]
        told = [f"{value:.0f} °F" for (value,) in fahrenheit(rows)]
        self.answer({"predictions": told})

    def do_GET(self) -> None:
        """Whether the model is there."""
        self.answer({"name": options.model_name, "ready": True})

    def answer(self, said: object) -> None:
        """JSON."""
        data = json.dumps(said, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


if __name__ == "__main__":
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, options.http_port), Weather).serve_forever()
