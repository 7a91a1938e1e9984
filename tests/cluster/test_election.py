import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api.kinds import LEASES
from cluster.candidacy import Post, Terms
from cluster.direct import DirectClient
from cluster.election import Election
from cluster.errors import UnavailableError
from cluster.running import EndedError
from tests.cluster.serving import Served, namespace

# Virtual time: a candidate of a machine that stands still for half a second has lost its Lease.
pytestmark = pytest.mark.looptime
DEADLINE_S = 10.0
TERMS = Terms(lease_s=1.0, renew_s=0.5, retry_s=0.02)


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    yield served
    served.close()


class Cut(DirectClient):
    """A client whose server can be out of reach."""

    is_cut = False
    unanswered = 0  # writes that work although nobody hears of it

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.is_silent = asyncio.Event()

    async def get(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if self.is_cut:
            raise UnavailableError("cut off")
        return await super().get(*args, **kwargs)

    async def replace(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if self.is_cut:
            raise UnavailableError("cut off")
        written = await super().replace(*args, **kwargs)
        if self.unanswered:
            self.unanswered -= 1
            self.is_silent.set()
            await asyncio.Event().wait()
        return written


class Candidate:
    def __init__(self, served: Served, name: str) -> None:
        self.client = Cut(served.server)
        self.stop = asyncio.Event()
        self.begun = asyncio.Event()
        self.is_working = False
        self.exits: list[int] = []
        post = Post(name="autoscaler", namespace="default", identity=name, address=f"{name}:1")
        self.election = Election(
            self.client,
            post,
            TERMS,
            rng=random.Random(name),
            clock=time.time,
            end=self.exits.append,
        )

    async def run(self) -> None:
        await self.election.run(self.stop, self.work)

    async def work(self) -> None:
        self.is_working = True
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.is_working = False


@asynccontextmanager
async def running(*candidates: Candidate) -> AsyncIterator[None]:
    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        for each in candidates:
            group.create_task(each.run())
        yield
        for each in candidates:
            each.stop.set()


async def until(holds: Any) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.005)


async def lease(served: Served) -> dict[str, Any]:
    return await served.direct.get(LEASES, "default", "autoscaler")


async def test_one_of_two_works_and_its_address_is_told(served: Served) -> None:
    one, two = Candidate(served, "one"), Candidate(served, "two")
    async with running(one, two):
        await until(lambda: one.is_working or two.is_working)
        await until(lambda: two.election.statistics().address and one.election.statistics().address)
        leader, other = (one, two) if one.is_working else (two, one)
        assert not other.is_working
        assert other.election.statistics().address == f"{leader.election._post.identity}:1"
        assert leader.election.statistics().is_leading
        leader.election.fence()
        with pytest.raises(UnavailableError, match="not ours"):
            other.election.fence()


async def test_who_is_stopped_lets_go_and_the_next_one_need_not_wait(served: Served) -> None:
    one, two = Candidate(served, "one"), Candidate(served, "two")
    async with running(one):
        await one.begun.wait()
    assert not one.is_working
    released = await lease(served)
    assert released["spec"]["holderIdentity"] == ""
    async with running(two):
        await two.begun.wait()  # its clock has not moved: no Lease has run out
        assert (await lease(served))["spec"]["leaseTransitions"] == 1


async def test_who_is_stopped_while_it_renews_lets_go_all_the_same(served: Served) -> None:
    one = Candidate(served, "one")
    async with running(one):
        await one.begun.wait()
        one.client.unanswered = 1
        await one.client.is_silent.wait()
    assert (await lease(served))["spec"]["holderIdentity"] == ""


@pytest.mark.parametrize("order", ["stop first", "cancel first", "cancel while it ends"])
async def test_who_is_told_twice_to_end_lets_go_all_the_same(served: Served, order: str) -> None:
    one = Candidate(served, "one")
    ending = asyncio.Event()

    async def work() -> None:
        one.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ending.set()
            await asyncio.sleep(0.01)  # it has to put something away

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        running = group.create_task(one.election.run(one.stop, work))
        await one.begun.wait()
        if order == "cancel first":
            running.cancel()
        one.stop.set()
        if order == "cancel while it ends":
            await ending.wait()
        if order != "cancel first":
            running.cancel()
    assert running.cancelled()
    assert (await lease(served))["spec"]["holderIdentity"] == ""


async def test_a_candidate_that_never_leads_can_be_stopped(served: Served) -> None:
    one, two = Candidate(served, "one"), Candidate(served, "two")
    async with running(one):
        await one.begun.wait()
        async with running(two):
            await until(lambda: two.election.statistics().holder == "one")
        assert not two.begun.is_set()
        assert one.is_working
    assert (await lease(served))["spec"]["holderIdentity"] == ""


async def test_a_lease_that_can_not_be_renewed_ends_the_process_before_another_leads(
    served: Served,
) -> None:
    one, two = Candidate(served, "one"), Candidate(served, "two")

    async def lost() -> None:
        with pytest.raises(BaseExceptionGroup) as raised:
            await one.run()
        assert raised.group_contains(EndedError, match="default/autoscaler is lost")
        assert not one.is_working
        assert not two.is_working

    async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
        losing = group.create_task(lost())
        await one.begun.wait()
        group.create_task(two.run())
        await until(lambda: two.election.statistics().holder == "one")
        one.client.is_cut = True
        await losing
        assert one.exits == []  # it ended by itself, so nobody had to force it
        await two.begun.wait()
        two.stop.set()


async def test_a_lease_that_another_took_ends_the_process(served: Served) -> None:
    one = Candidate(served, "one")

    async def usurp() -> None:
        await one.begun.wait()
        while one.is_working:
            stored = await lease(served)
            stored = {**stored, "spec": {**stored["spec"], "holderIdentity": "usurper"}}
            try:
                await served.direct.replace(LEASES, stored)
            except Exception:  # noqa: BLE001 - it was renewed meanwhile: again
                continue
            await asyncio.sleep(0.01)

    async def both() -> None:
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as group:
            group.create_task(usurp())
            await one.run()

    with pytest.raises(BaseExceptionGroup) as raised:
        await both()
    assert raised.group_contains(EndedError)
    assert (await lease(served))["spec"]["holderIdentity"] == "usurper"


async def test_a_server_that_is_away_for_less_than_the_deadline_costs_nothing(
    served: Served,
) -> None:
    one = Candidate(served, "one")
    async with running(one):
        await one.begun.wait()
        one.client.is_cut = True
        await until(lambda: one.election.statistics().failures > 2)
        one.client.is_cut = False
        version = (await lease(served))["metadata"]["resourceVersion"]
        while (await lease(served))["metadata"]["resourceVersion"] == version:
            await asyncio.sleep(0.005)
        assert one.is_working


async def test_work_that_fails_fails_the_process_and_frees_the_lease(served: Served) -> None:
    one = Candidate(served, "one")

    async def failing() -> None:
        raise OSError("the port is taken")

    with pytest.raises(BaseExceptionGroup) as raised:
        await one.election.run(one.stop, failing)
    assert raised.group_contains(OSError, match="port is taken")
    assert (await lease(served))["spec"]["holderIdentity"] == ""


async def test_a_namespace_that_is_not_there_is_said_and_tried_again(served: Served) -> None:
    one = Candidate(served, "one")
    one.election._post = Post(name="autoscaler", namespace="later", identity="one")
    async with running(one):
        await until(lambda: one.election.statistics().failures > 1)
        from api.kinds import NAMESPACES

        await served.direct.create(NAMESPACES, namespace("later"))
        await one.begun.wait()
