"""Send requests for a while and count: `python3 examples/load.py URL --seconds 10 --clients 20`.

Standard library only. A body (`--data`) makes it POST.
"""

import argparse
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import SplitResult, urlsplit


@dataclass(slots=True)
class Seen:
    """What came back."""

    answers: Counter[str] = field(default_factory=Counter)  # by status, or by name of the error
    revisions: Counter[str] = field(default_factory=Counter)
    took_ms: list[float] = field(default_factory=list)


def client(url: SplitResult, body: bytes | None, ends: float, seen: Seen) -> None:
    """One after the other, until the time is over."""
    host = url.hostname or "localhost"
    # Not every resolver knows that names in localhost are this machine.
    reached = "127.0.0.1" if host.endswith("localhost") else host
    connection = HTTPConnection(reached, url.port or 80, timeout=120)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    headers = {"Host": url.netloc, "Content-Type": "application/json"}
    while time.monotonic() < ends:
        started = time.monotonic()
        try:
            connection.request("POST" if body else "GET", path, body, headers)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException) as error:
            seen.answers[type(error).__name__] += 1
            connection.close()
            continue
        seen.answers[str(answer.status)] += 1
        seen.revisions[answer.headers.get("relight-revision", "nobody")] += 1
        seen.took_ms.append((time.monotonic() - started) * 1000)


def run(url: str, *, clients: int, seconds: float, body: bytes | None = None) -> Seen:
    """That many clients at once, each on a connection of its own."""
    seen = Seen()
    ends = time.monotonic() + seconds
    args = (urlsplit(url), body, ends, seen)
    threads = [threading.Thread(target=client, args=args) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def main() -> int:
    """Run, and print; 0 if everything was 200."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--clients", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--data", help="body of each request")
    options = parser.parse_args()
    body = options.data.encode() if options.data else None
    seen = run(options.url, clients=options.clients, seconds=options.seconds, body=body)
    total = sum(seen.answers.values())
    print(f"{total} requests in {options.seconds:g} s: {total / options.seconds:.1f} per second")
    if len(seen.took_ms) > 1:
        cuts = statistics.quantiles(seen.took_ms, n=100, method="inclusive")
        print(f"milliseconds: half {cuts[49]:.1f}, 95 of 100 {cuts[94]:.1f}, 99 {cuts[98]:.1f}")
    for name, count in sorted(seen.answers.items()):
        print(f"  answered {name}: {count}")
    for name, count in sorted(seen.revisions.items()):
        print(f"  by {name}: {count}")
    return 0 if set(seen.answers) == {"200"} else 1


if __name__ == "__main__":
    sys.exit(main())
