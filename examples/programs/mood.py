"""A predictor of one's own, in the V1 protocol: is a text cheerful?"""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CHEERFUL = {"good", "great", "happy", "joy", "love", "sun"}
GLOOMY = {"bad", "grey", "hate", "rain", "sad", "tired"}


def mood(text: str) -> str:
    """By its words."""
    words = set(text.lower().split())
    difference = len(words & CHEERFUL) - len(words & GLOOMY)
    return "cheerful" if difference > 0 else "gloomy" if difference < 0 else "neutral"


class Mood(BaseHTTPRequestHandler):
    """POST /v1/models/NAME:predict."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """One prediction."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer({"predictions": [mood(each) for each in body["instances"]]})

    def do_GET(self) -> None:
        """Whether the model is there."""
        self.answer({"name": self.path.rpartition("/")[2], "ready": True})

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
    ThreadingHTTPServer((host, port), Mood).serve_forever()
