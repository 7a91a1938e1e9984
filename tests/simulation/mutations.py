"""Breaks of production code that the simulation has to find, each made by a patch.

For: proving that it can fail. `python -m tests.simulation --mutations` tries them all.
Must not know: how a break is noticed.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import activator.balancing
import activator.endpoints
import activator.holding
import activator.proxy
import activator.reporting
import activator.targets
import autoscaler.decider
import autoscaler.pilot
import cluster.informer
import controller.assigning
import controller.collecting
import controller.rollout
import controller.view
import embedded.containerlife
import embedded.freezing
import embedded.residence
import embedded.resting
import embedded.store
from autoscaler.idling import Verdict
from controller.rollout import Target
from tests.simulation.throttling import WatchedThrottler


def _limit_ignored() -> AbstractContextManager[Any]:
    """The activator forgets container concurrency."""
    made = activator.balancing.Balancer.__init__

    def unlimited(self: Any, capacity: int) -> None:
        made(self, 0)

    return patch.object(activator.balancing.Balancer, "__init__", unlimited)


def _no_drain() -> AbstractContextManager[Any]:
    """A replica is stopped while requests run there."""

    async def release(self: Any, namespace: str, pod_name: str) -> None:
        """Say at once that nothing runs."""

    return patch.object(activator.endpoints.Endpoints, "release", release)


def _unready_traffic() -> AbstractContextManager[Any]:
    """A Route follows the newest Revision, whether or not it is ready."""
    view = controller.view.View
    route = view.route

    def newest(self: Any, key: Any, **settings: Any) -> Any:
        seen = route(self, key, **settings)
        if seen is not None:
            for raw in seen.configurations.values():
                status = raw.get("status") or {}
                if status.get("latestCreatedRevisionName"):
                    status["latestReadyRevisionName"] = status["latestCreatedRevisionName"]
        return seen and route(self, key, **settings)

    stack = ExitStack()
    stack.enter_context(patch.object(view, "route", newest))
    stack.enter_context(
        patch.object(controller.assigning.Known, "_unready", lambda self, name: None)
    )
    return stack


def _rollout_stuck() -> AbstractContextManager[Any]:
    """A gradual rollout gets no further than its first percent."""

    def wait(target: Target, now_ns: int) -> Target:
        return replace(target, pace=replace(target.pace, next_ns=now_ns + target.pace.step_ns))

    return patch.object(controller.rollout, "_stepped", wait)


def _too_much_collected() -> AbstractContextManager[Any]:
    """Whatever is old enough goes, whoever needs it."""
    return patch.object(controller.collecting, "_is_idle", lambda revision, seen: True)


def _nothing_collected() -> AbstractContextManager[Any]:
    """Revisions are kept for ever."""
    return patch.object(controller.collecting, "_is_idle", lambda revision, seen: False)


def _never_zero() -> AbstractContextManager[Any]:
    """The last replica stays."""
    settle = autoscaler.pilot.settle

    def stay(*facts: Any, **more: Any) -> Verdict:
        verdict = settle(*facts, **more)
        return Verdict(want=1, replicas=1) if verdict.replicas == 0 else verdict

    return patch.object(autoscaler.pilot, "settle", stay)


def _max_scale_ignored() -> AbstractContextManager[Any]:
    """As many replicas as the load asks for."""
    decider = autoscaler.decider
    bounded = decider.bounded

    def unbounded(spec: Any, recommended: Any, **more: Any) -> Any:
        number, reason = bounded(spec, recommended, **more)
        return (recommended if reason and reason.value == "max-scale" else number), reason

    @contextmanager
    def both() -> Iterator[None]:
        with (
            patch.object(decider, "bounded", unbounded),
            patch.object(autoscaler.pilot, "bounded", unbounded),
        ):
            yield

    return both()


def _poke_forgotten() -> AbstractContextManager[Any]:
    """Nobody is told that requests wait at zero, nor how many."""
    reporter = activator.reporting.Reporter

    def silent(self: Any, *_: Any, **__: Any) -> None:
        """Tell nobody."""

    @contextmanager
    def both() -> Iterator[None]:
        with patch.object(reporter, "poke", silent), patch.object(reporter, "_report_all", silent):
            yield

    return both()


def _deadlines_ignored() -> AbstractContextManager[Any]:
    """Held requests wait for ever."""
    return patch.object(activator.holding.Holder, "_arm", lambda self: None)


def _sent_twice() -> AbstractContextManager[Any]:
    """A request whose replica died is sent to the next one."""

    def again(self: Any, why: str) -> None:
        self._connection = None
        self.replica.suspect()
        self.replica = None
        self._keeper.returned(self)

    return patch.object(activator.proxy.Passage, "on_answer_lost", again)


def _last_in_first_out() -> AbstractContextManager[Any]:
    """The youngest request is served first."""
    drain = WatchedThrottler._drain

    def reverse(self: Any) -> Any:
        queue = list(self._queue.items())
        self._queue.clear()
        self._queue.update(reversed(queue))
        return drain(self)

    return patch.object(WatchedThrottler, "_drain", reverse)


def _split_ignored() -> AbstractContextManager[Any]:
    """Everything goes to the first line of a split."""
    return patch.object(
        activator.targets.Target,
        "pick",
        lambda self: self._revisions[0] if self._revisions else None,
    )


def _writes_lost() -> AbstractContextManager[Any]:
    """The database forgets what was acknowledged: one write in five is in memory only."""
    opened = embedded.store._open

    class Forgetful:
        def __init__(self, database: Any) -> None:
            self._database = database
            self._writes = 0

        def execute(self, statement: str, *more: Any) -> Any:
            if statement.startswith("INSERT OR REPLACE"):
                self._writes += 1
                if self._writes % 5 == 0:
                    return None
            return self._database.execute(statement, *more)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._database, name)

    return patch.object(embedded.store, "_open", lambda path: Forgetful(opened(path)))


def _deletions_missed() -> AbstractContextManager[Any]:
    """An informer that lists again keeps what is gone."""

    async def keep(self: Any) -> None:
        found = await self._client.list(
            self._resource, self._namespace, label_selector=self._label_selector
        )
        for obj in found.items:
            self._set(cluster.informer._key(obj), obj)
        self._version = found.resource_version
        self._synced.set()

    return patch.object(cluster.informer.Informer, "_list", keep)


def _no_restart() -> AbstractContextManager[Any]:
    """A replica that crashed is not started again."""
    return patch.object(embedded.containerlife, "backoff_s", lambda restarts: 1e9)


@contextmanager
def _frozen_for_anyone() -> Iterator[None]:
    """A frozen replica goes on for whatever Pod starts next."""
    freezer = embedded.freezing.Freezer
    with (
        patch.object(embedded.resting, "key_of", lambda *_: "any"),
        patch.object(freezer, "may_have", lambda self, pod: bool(self._parked)),
    ):
        yield


@contextmanager
def _stopped_at_work() -> Iterator[None]:
    """A replica is frozen without waiting for what runs there."""

    async def at_once(self: Any) -> None:
        """Do not ask the activator."""

    async def is_settled(news: Any) -> bool:
        return True

    with (
        patch.object(embedded.residence.Residence, "release", at_once),
        patch.object(embedded.resting, "_is_settled", is_settled),
    ):
        yield


MUTATIONS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "limit-ignored": _limit_ignored,
    "no-drain": _no_drain,
    "unready-traffic": _unready_traffic,
    "never-zero": _never_zero,
    "rollout-stuck": _rollout_stuck,
    "too-much-collected": _too_much_collected,
    "nothing-collected": _nothing_collected,
    "max-scale-ignored": _max_scale_ignored,
    "poke-forgotten": _poke_forgotten,
    "deadlines-ignored": _deadlines_ignored,
    "sent-twice": _sent_twice,
    "last-in-first-out": _last_in_first_out,
    "split-ignored": _split_ignored,
    "writes-lost": _writes_lost,
    "deletions-missed": _deletions_missed,
    "no-restart": _no_restart,
    "frozen-for-anyone": _frozen_for_anyone,
    "stopped-at-work": _stopped_at_work,
}
