"""Requests all the time, from a client that behaves as an ingress does, and what became of them.

Each request has a connection of its own, through the activators' Service or, in turn, to each
of several addresses. A connection that breaks before its answer came is tried once more (at the
next address), as every ingress does with a request that may be repeated; both are counted. With
`patience_s` it is tried for so long: a Service's one address leads to a dead process, too, until
Kubernetes has noticed. Whatever is answered counts as it is: nothing else is retried.
"""

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tests.k8s.cluster import Answer, send, wait_until

# What a connection does when the process at its other end is killed.
BROKEN = (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead)
_PAUSE_S = 0.02  # of a worker between two requests: the tests' own load is not the question
_JOIN_S = 70.0


class Load:
    """A load for the time of a `with`; at its end nothing may have failed unless told so."""

    def __init__(
        self,
        entry: str | Sequence[str],
        host: str,
        path: str = "/",
        body: Any = None,
        *,
        workers: int = 4,
        patience_s: float = 0.0,
    ) -> None:
        self.answered: Counter[str] = Counter()  # by Revision
        self.broken = 0
        self.failures: list[str] = []
        self.slowest_s = 0.0
        self._entries = [entry] if isinstance(entry, str) else list(entry)
        self._turns = itertools.count()
        self._what = (host, path, body)
        self._patience_s = patience_s
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._workers = [threading.Thread(target=self._work) for _ in range(workers)]

    @property
    def count(self) -> int:
        return self.answered.total()

    def __enter__(self) -> "Load":
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        for worker in self._workers:
            worker.join(_JOIN_S)

    def more(self, count: int = 50, deadline_s: float = 60) -> None:
        """Wait until so many more were answered."""
        wanted = self.count + count
        wait_until(lambda: self.count >= wanted, deadline_s, f"{count} more answers")

    def until(self, condition: Callable[[], Any], deadline_s: float, what: str) -> None:
        wait_until(condition, deadline_s, what)

    def told(self) -> str:
        """One line for the report."""
        return (
            f"{self.count} answered, {self.broken} connections broke, {len(self.failures)} failed "
            f"after one retry, slowest {self.slowest_s:.1f} s"
        )

    def _work(self) -> None:
        while not self._done.wait(_PAUSE_S):
            started = time.monotonic()
            failure = ""
            try:
                answer = self._ask()
                if answer.status != 200:
                    failure = f"{answer.status} {answer.body[:300]!r}"
            except (OSError, http.client.HTTPException) as error:
                failure = repr(error)
            took_s = time.monotonic() - started
            with self._lock:
                self.slowest_s = max(self.slowest_s, took_s)
                if failure:
                    self.failures.append(f"{failure} after {took_s:.1f} s")
                else:
                    self.answered[answer.headers.get("relight-revision", "")] += 1

    def _ask(self) -> Answer:
        ends = time.monotonic() + self._patience_s
        with self._lock:
            turn = next(self._turns)
        for attempt in itertools.count():
            try:
                return send(self._entries[(turn + attempt) % len(self._entries)], *self._what)
            except BROKEN:
                with self._lock:
                    self.broken += 1
                if attempt and time.monotonic() > ends:
                    raise
        raise AssertionError
