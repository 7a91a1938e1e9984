"""Say hello to $TARGET."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TARGET = os.environ.get("TARGET", "World")  # noqa: TID251 - it is the program's only setting


class Hello(BaseHTTPRequestHandler):
    """Any path."""

    def do_GET(self) -> None:
        """Hello."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"Hello {TARGET}!\n".encode())


if __name__ == "__main__":
    port = int(os.environ["PORT"])  # noqa: TID251 - the port it is given
    host = os.environ.get("HOST", "127.0.0.1")  # noqa: TID251 - in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, port), Hello).serve_forever()
