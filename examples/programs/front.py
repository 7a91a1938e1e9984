"""Pass on what another Service, $BACK, says.

Inside a cluster its name leads there. On one machine it leads nowhere: everything goes through
the activator, whose address Relight puts into $RELIGHT_ACTIVATOR.
"""

import os
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ENVIRONMENT = os.environ  # noqa: TID251 - the program's settings
BACK = ENVIRONMENT.get("BACK", "")
ACTIVATOR = ENVIRONMENT.get("RELIGHT_ACTIVATOR", BACK)


class Front(BaseHTTPRequestHandler):
    """Any path."""

    def do_GET(self) -> None:
        """Ask, and tell."""
        connection = HTTPConnection(ACTIVATOR, timeout=30)
        connection.request("GET", self.path, headers={"Host": BACK})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
        self.send_response(answer.status)
        self.end_headers()
        self.wfile.write(b"back says: " + said)


if __name__ == "__main__":
    host = ENVIRONMENT.get("HOST", "127.0.0.1")  # in a Pod: 0.0.0.0
    ThreadingHTTPServer((host, int(ENVIRONMENT["PORT"])), Front).serve_forever()
