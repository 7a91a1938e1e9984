"""The production throttler, with a dumb twin beside it that checks each of its steps.

For: first in first out, nobody held while there is room, 429 only from a full queue.
Must not know: requests, replicas, or anything but the throttler's own words.
"""

from collections.abc import Collection, Sequence
from typing import Any

from activator.throttler import Forward, Refusal, Refuse, Throttler


class WatchedThrottler(Throttler[Any, Any]):
    """An assertion here fails in the activator's callback, which the run notices."""

    def __init__(self, *, capacity: int, depth_max: int, bytes_max: int) -> None:
        super().__init__(capacity=capacity, depth_max=depth_max, bytes_max=bytes_max)
        self._limits = capacity, depth_max
        self._line: list[Any] = []

    def admit(self, request: Any) -> Any:
        before = list(self._line)
        endpoint = super().admit(request)
        assert endpoint is None or not before, "a request overtook those that are held"
        self._check()
        return endpoint

    def hold(self, request: Any, *, size: int, deadline_s: float) -> Refusal | None:
        refusal = super().hold(request, size=size, deadline_s=deadline_s)
        if refusal is None:
            self._line.append(request)
        else:
            assert refusal is Refusal.QUEUE_FULL, "nothing here is large"
            assert len(self._line) >= self._limits[1], "429, but the queue has room"
        self._check()
        return refusal

    def finished(self, request: Any) -> Sequence[Forward[Any, Any]]:
        return self._forwarded(super().finished(request))

    def abandoned(self, request: Any) -> Sequence[Forward[Any, Any]]:
        if request in self._line:
            self._line.remove(request)
            super().abandoned(request)
            self._check()
            return ()
        return super().abandoned(request)  # it calls finished

    def returned(
        self, request: Any, *, size: int, deadline_s: float, is_usable: bool
    ) -> Sequence[Forward[Any, Any]]:
        self._line.insert(0, request)
        return self._forwarded(
            super().returned(request, size=size, deadline_s=deadline_s, is_usable=is_usable)
        )

    def endpoints_changed(self, ready: Collection[Any]) -> Sequence[Forward[Any, Any]]:
        return self._forwarded(super().endpoints_changed(ready))

    def expire(self, *, now_s: float) -> list[Refuse[Any]]:
        refused = super().expire(now_s=now_s)
        for request, _ in refused:
            assert request.deadline_s <= now_s, "504 before the deadline"
            self._line.remove(request)
        for request in self._line:
            assert request.deadline_s > now_s, "held beyond its deadline"
        self._check()
        return refused

    def give_up(self, why: Refusal) -> list[Refuse[Any]]:
        refused = super().give_up(why)
        assert [request for request, _ in refused] == self._line, "some were not told"
        self._line = []
        return refused

    def _forwarded(self, forwards: Sequence[Forward[Any, Any]]) -> Sequence[Forward[Any, Any]]:
        for request, _ in forwards:
            assert request is self._line.pop(0), "a held request was overtaken"
        self._check()
        return forwards

    def _check(self) -> None:
        capacity = self._limits[0]
        assert self.queued == len(self._line), "the queue's length"
        for endpoint in self._balancer.ready:
            in_use = self.in_use(endpoint)
            assert not capacity or in_use <= capacity, "an endpoint has too many requests"
            if self._line:
                is_full = capacity and in_use == capacity
                assert is_full, "held, though a ready replica has room"
