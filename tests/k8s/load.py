"""Requests all the time, from a client that behaves as an ingress does, and what became of them.

Of two workers one opens a connection for each request, the other keeps its own for as long as it
may; through the activators' Service or, in turn, to each of several addresses. A connection that
breaks before its answer came is tried once more (at the next address), as every ingress does with
a request that may be repeated; both are counted, and where it broke. With `patience_s` it is tried
for so long: a Service's one address leads to a dead process, too, until Kubernetes has noticed.
Whatever is answered counts as it is: nothing else is retried.
"""

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

from tests.k8s.cluster import Answer, exchange, wait_until

# What a connection does when the process at its other end is killed.
BROKEN = (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead)
_PAUSE_S = 0.02  # of a worker between two requests: the tests' own load is not the question
_JOIN_S = 70.0
_ANSWER_S = 60.0


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
        self.broken_at: Counter[str] = Counter()  # by address
        self.failures: list[str] = []
        self.slowest_s = 0.0
        self._entries = [entry] if isinstance(entry, str) else list(entry)
        self._turns = itertools.count()
        self._what = (host, path, body)
        self._patience_s = patience_s
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._workers = [
            threading.Thread(target=self._work, args=(number % 2 == 1,))
            for number in range(workers)
        ]

    @property
    def count(self) -> int:
        return self.answered.total()

    @property
    def broken(self) -> int:
        return self.broken_at.total()

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

    def _work(self, is_keeping: bool) -> None:
        connections: dict[str, http.client.HTTPConnection] = {}
        while not self._done.wait(_PAUSE_S):
            started = time.monotonic()
            failure = ""
            try:
                answer = self._ask(connections)
                if answer.status != 200:
                    failure = f"{answer.status} {answer.body[:300]!r}"
            except (OSError, http.client.HTTPException) as error:
                failure = repr(error)
            if not is_keeping or failure:
                _close(connections)
            took_s = time.monotonic() - started
            with self._lock:
                self.slowest_s = max(self.slowest_s, took_s)
                if failure:
                    self.failures.append(f"{failure} after {took_s:.1f} s")
                else:
                    self.answered[answer.headers.get("relight-revision", "")] += 1
        _close(connections)

    def _ask(self, connections: dict[str, http.client.HTTPConnection]) -> Answer:
        ends = time.monotonic() + self._patience_s
        with self._lock:
            turn = next(self._turns)
        for attempt in itertools.count():
            entry = self._entries[(turn + attempt) % len(self._entries)]
            try:
                if entry not in connections:
                    connections[entry] = http.client.HTTPConnection(entry, timeout=_ANSWER_S)
                return exchange(connections[entry], *self._what)
            except BROKEN:
                connections.pop(entry).close()
                with self._lock:
                    self.broken_at[entry] += 1
                if attempt and time.monotonic() > ends:
                    raise
        raise AssertionError


def _close(connections: dict[str, http.client.HTTPConnection]) -> None:
    for each in connections.values():
        each.close()
    connections.clear()
