"""Show what the program was given: two variables, and every file below $SETTINGS."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ENVIRONMENT = os.environ  # noqa: TID251 - showing it is what the program is for


def given() -> dict[str, Any]:
    """Read anew each time: mounted files follow their ConfigMap and Secret."""
    folder = Path(ENVIRONMENT["SETTINGS"])
    return {
        "COLOUR": ENVIRONMENT.get("COLOUR"),
        "PASSWORD": ENVIRONMENT.get("PASSWORD"),  # an example: never show a real one
        "files": {
            str(path.relative_to(folder)): path.read_text()
            for path in sorted(folder.glob("*/*"))
            if path.is_file()
        },
    }


class Settings(BaseHTTPRequestHandler):
    """Any path."""

    def do_GET(self) -> None:
        """What is there now."""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(given(), indent=2).encode() + b"\n")


if __name__ == "__main__":
    host = ENVIRONMENT.get("HOST", "127.0.0.1")  # in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, int(ENVIRONMENT["PORT"])), Settings).serve_forever()
