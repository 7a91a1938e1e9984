"""Whether each request met the fate it had to, and each replica got what it may have.

For: the invariants of the request path, from outside: by what clients and replicas see.
Must not know: how the activator decides.
"""

from collections.abc import Callable

from tests.simulation.book import Assignment, Book
from tests.simulation.clients import LEFT, LOST, REFUSED, Request
from tests.simulation.platform import Platform
from tests.simulation.replicas import Execution, Machine
from tests.simulation.trace import Trace

GRAIN_S = 0.45  # how late a deadline may be noticed: the activator's grain of 0.2, twice
_TIMEOUT_MAX_S = 30.0


class Judge:
    """`stale_s` and `patience_s` say how far behind the activator may be, in this weather."""

    def __init__(
        self,
        book: Book,
        machine: Machine,
        trace: Trace,
        now_s: Callable[[], float],
    ) -> None:
        self._book = book
        self._machine = machine
        self._trace = trace
        self._now_s = now_s
        self._executions: dict[str, Execution] = {}
        self._killed_s: list[float] = []  # when the activator was killed
        self._started_s: list[float] = []
        self.stale_s = 60.0
        self.patience_s = 20.0
        self.fates = {
            "200": self._answered,
            "404": self._unknown,
            "429": lambda request: None,  # the throttler's twin has looked at the queue
            "502": self._died,
            "503": self._unavailable,
            "504": self._late,
            LEFT: lambda request: None,
            LOST: self._lost,
            REFUSED: self._refused,
        }

    def expect_fair_weather(self) -> None:
        """Nothing keeps the activator from knowing what is so."""
        self.stale_s, self.patience_s = 1.0, 5.0

    def activator_killed(self) -> None:
        self._killed_s.append(self._now_s())

    def activator_started(self) -> None:
        self._started_s.append(self._now_s())

    # -- replicas -------------------------------------------------------------------------------

    def began(self, execution: Execution, in_flight: int, limit: int) -> None:
        self._trace.note(
            f"execute {execution.request} on {execution.replica[:8]} of {execution.revision}"
            f" {in_flight}/{limit}"
        )
        if limit and in_flight > limit:
            self._trace.violate(f"{execution.replica} runs {in_flight} requests, limit {limit}")
        if execution.request in self._executions:
            self._trace.violate(f"{execution.request} was executed twice")
        self._executions[execution.request] = execution

    def look(self, platform: Platform, waiting: dict[str, Request]) -> None:
        """Nobody waits too long, and nobody waits while a ready replica has room."""
        now_s = self._now_s()
        for request in waiting.values():
            longest_s = request.timeout_s or 2 * _TIMEOUT_MAX_S
            if now_s > request.at_s + longest_s + GRAIN_S:
                self._trace.violate(f"{request.name} is past its deadline and has no answer")
        since_s = platform.up_since_s("activator")
        if since_s is None or now_s - since_s < self.patience_s:
            return
        assert platform.activator is not None
        for name, seen in platform.activator.statistics().revisions.items():
            if seen.queued:
                self._check_room(name.partition("/")[2], now_s)

    def _check_room(self, revision: str, now_s: float) -> None:
        for process in self._machine.ready(revision):
            uid = process.pod
            since_s = process.room_since_s
            is_free = since_s is not None and now_s - since_s > self.patience_s
            if is_free and uid not in self._book.pods_going:
                self._trace.violate(f"requests wait for {revision}, but {process.name} has room")

    # -- fates ----------------------------------------------------------------------------------

    def judge(self, request: Request) -> None:
        rule = self.fates.get(request.fate)
        if rule is None:
            self._wrong(request, "no request may end so")
            return
        longest_s = request.timeout_s or 2 * _TIMEOUT_MAX_S
        if self._now_s() > request.at_s + longest_s + GRAIN_S:
            self._wrong(request, "it waited longer than its deadline")
        rule(request)

    def _wrong(self, request: Request, why: str) -> None:
        self._trace.violate(
            f"{request.name} to {request.host}: {request.fate} {request.reason} {request.detail}"
            f" {request.revision}: {why}"
        )

    def _said(self, request: Request) -> list[Assignment]:
        return self._book.assignments(request.route, at_s=request.at_s, stale_s=self.stale_s)

    def _said_openly(self, request: Request) -> list[Assignment]:
        return [each for each in self._said(request) if each.is_public]

    def _answered(self, request: Request) -> None:
        execution = self._executions.get(request.name)
        if execution is None or execution.revision != request.revision:
            self._wrong(request, "no such replica executed it")
        self._check_target(request)

    def _check_target(self, request: Request) -> None:
        said = self._said_openly(request)
        if request.tag:
            allowed = [each.tags.get(request.tag) for each in said]
        else:
            allowed = [revision for each in said for revision in each.main]
        if request.revision not in allowed:
            self._wrong(request, f"the Route allows {sorted(filter(None, allowed))}")

    def _unknown(self, request: Request) -> None:
        for said in self._said(request):
            is_there = said.exists and said.is_public
            if not is_there or (request.tag and request.tag not in said.tags):
                return
        self._wrong(request, "the Route has been there all the time")

    def _died(self, request: Request) -> None:
        execution = self._executions.get(request.name)
        if execution is None:  # sent to the socket of a process that was no more
            crashes = self._machine.crashes.get(request.revision, ())
            if not any(request.at_s - self.stale_s < each <= request.done_s for each in crashes):
                self._wrong(request, "no replica died")
        elif not execution.has_died:
            self._wrong(request, "its replica did not die")
        self._check_target(request)

    def _unavailable(self, request: Request) -> None:
        stale_s = self.stale_s
        if request.reason == "RouteNotReady":
            is_right = any(not each.main for each in self._said(request))
        elif request.reason == "RevisionFailed":
            self._check_target(request)
            since_s = request.done_s - request.at_s + stale_s
            is_right = self._book.was_failed(request.revision, at_s=request.done_s, stale_s=since_s)
        elif request.reason == "ShuttingDown":
            is_right = self._was_killed_under(request)
        else:
            known = self._book.revisions.get(request.revision)
            # One that is not known yet is answered like one that is known no more.
            is_right = known is None or (known.gone_s or known.born_s) > request.at_s - stale_s
        if not is_right:
            self._wrong(request, "nothing says so")

    def _late(self, request: Request) -> None:
        self._check_target(request)
        due_s = [
            self._due_s(request, timeout_s)
            for timeout_s in dict.fromkeys(self._machine.timeouts[request.revision])
        ]
        if not any(each - 1e-6 <= request.done_s <= each + GRAIN_S for each in due_s):
            self._wrong(request, f"its deadline was at {due_s}, now is {request.done_s:.3f}")

    def _due_s(self, request: Request, timeout_s: float) -> float:
        """Its own time covers wait and execution; a Revision's each of the two."""
        execution = self._executions.get(request.name)
        started_s = request.at_s if execution is None else execution.started_s
        if request.timeout_s is None:
            return started_s + timeout_s
        own_s = request.at_s + request.timeout_s
        return own_s if execution is None else min(own_s, started_s + timeout_s)

    def _lost(self, request: Request) -> None:
        if not self._was_killed_under(request):
            self._wrong(request, "the activator did not die under it")

    def _was_killed_under(self, request: Request) -> bool:
        return any(request.at_s <= each <= request.done_s for each in self._killed_s)

    def _refused(self, request: Request) -> None:
        """Between a kill and the moment when the next activator knows enough to listen."""
        killed = [each for each in self._killed_s if each <= request.at_s]
        if len(self._started_s) and not killed and request.at_s - self._started_s[0] > 20.0:
            self._wrong(request, "the activator was up")
        if killed and request.at_s - max(killed) > 30.0:
            self._wrong(request, "the activator should be up again")
