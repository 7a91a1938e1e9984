import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from cluster.errors import ForbiddenError, UnavailableError
from controller.concerns import Task, Work
from controller.manager import Manager
from controller.reconciler import StaleError

DEADLINE_S = 10
A, B, C = ((Task.SERVICE, ("default", name)) for name in "abc")


@asynccontextmanager
async def working(
    reconcile: Callable[[Work], Awaitable[float | None]], workers_max: int = 4
) -> AsyncIterator[Manager]:
    manager = Manager(reconcile, workers_max=workers_max)
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(manager.run())
        yield manager
        task.cancel()


async def test_a_failure_is_tried_again_and_others_go_on() -> None:
    seen: Counter[Work] = Counter()
    done = asyncio.Event()
    errors = [StaleError("behind"), UnavailableError("down"), ZeroDivisionError("our own")]

    async def reconcile(work: Work) -> float | None:
        seen[work] += 1
        if work == A and errors:
            raise errors.pop()
        if seen[A] == 4:
            done.set()
        return None

    async with working(reconcile) as manager:
        manager.enqueue(A)
        manager.enqueue(B)
        await done.wait()
    assert seen == {A: 4, B: 1}
    found = manager.statistics()
    assert (found.stale, found.failed) == (1, 2)


async def test_what_can_not_be_made_as_its_namespace_ends_is_no_failure() -> None:
    done = asyncio.Event()
    causes = {"causes": [{"reason": "NamespaceTerminating"}]}
    errors = [ForbiddenError("not here", causes), ForbiddenError("not here", causes)]

    async def reconcile(work: Work) -> float | None:
        if errors:
            raise errors.pop()
        done.set()
        return None

    async with working(reconcile) as manager:
        manager.enqueue(A)
        await done.wait()
    assert manager.statistics().failed == 0


async def test_no_object_is_worked_on_twice_at_once_and_no_more_than_allowed() -> None:
    now: Counter[Work] = Counter()
    most, rounds = 0, 0
    done = asyncio.Event()

    async def reconcile(work: Work) -> float | None:
        nonlocal most, rounds
        now[work] += 1
        most = max(most, now.total())
        assert now[work] == 1
        manager.enqueue(work)
        await asyncio.sleep(0)
        now[work] -= 1
        rounds += 1
        if rounds > 30:
            done.set()
        return None

    async with working(reconcile, workers_max=2) as manager:
        for work in (A, B, C):
            manager.enqueue(work)
        await done.wait()
    assert most == 2


async def test_another_look_is_taken_when_it_was_asked_for() -> None:
    seen = 0
    done = asyncio.Event()

    async def reconcile(work: Work) -> float | None:
        nonlocal seen
        seen += 1
        if seen == 3:
            done.set()
            return None
        return 0.001

    async with working(reconcile) as manager:
        manager.enqueue(A)
        await done.wait()
    assert seen == 3


async def test_stopping_stops_what_is_being_worked_on() -> None:
    started, stopped = asyncio.Event(), asyncio.Event()

    async def reconcile(work: Work) -> float | None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return None

    async with working(reconcile) as manager:
        manager.enqueue(A)
        await started.wait()
        assert manager.statistics().queue.working == 1
    assert stopped.is_set()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", logger="controller.manager")
