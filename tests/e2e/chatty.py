"""A program that is slow, switches protocols and takes events, as its path says."""

import json
import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

EVENTS: list[dict[str, str]] = []


class Chatty(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("upgrade"):
            self.switch()
            return
        if self.path == "/sleep":
            time.sleep(20)
        self.say(json.dumps(EVENTS).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        EVENTS.append({name.lower(): value for name, value in self.headers.items()})
        self.say(b"")

    def say(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def switch(self) -> None:
        """Shout back whatever comes."""
        self.wfile.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        )
        while data := self.rfile.read1(1000):  # type: ignore[attr-defined] # it is buffered
            self.wfile.write(data.upper())
        self.close_connection = True


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Chatty).serve_forever()
