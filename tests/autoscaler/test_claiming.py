import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

from api.kinds import PODS
from autoscaler import claiming
from autoscaler.claim_calls import CallError, Told
from autoscaler.claiming import Claiming
from cluster.direct import DirectClient
from cluster.errors import ConflictError, NotFoundError, UnavailableError
from embedded.apiserver import ApiServer
from tests.autoscaler.claims import DEPLOYMENT, Calls, Sets, replica_set, status_of, warm_pod
from tests.autoscaler.world import EPOCH_S, World

KEY = ("default", "r")
DEADLINE_S = 10.0


@pytest.fixture
def server() -> Any:
    with World.made() as made:
        yield made.server


class Claimant:
    """One claimant beside a real API server."""

    def __init__(self, server: ApiServer, user: str = "one") -> None:
        self.client = Sets(server, user)
        self.calls = Calls()
        self.told: list[tuple[str, str]] = []
        self.settled = asyncio.Event()
        self.claiming = Claiming(self.client, wall_s=lambda: EPOCH_S, calls=self.calls)
        self.claiming.on_news(lambda _key, kind, reason, _message: self.told.append((kind, reason)))

    async def lead(self, replicas: int) -> bool:
        return await self.claiming.lead(KEY, DEPLOYMENT, replicas, self.settled.set)

    async def heard_of(self, version: int) -> None:
        """It knows of that state of the ReplicaSet, and has done what follows from it."""
        known = self.claiming._sets.objects
        await until(lambda: known["default", "r-1"]["metadata"]["resourceVersion"] == str(version))
        for _ in range(50):
            await asyncio.sleep(0)


@asynccontextmanager
async def claimants(*made: Claimant) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each.claiming.run()) for each in made]
        for each in made:
            await each.claiming.synced()
        yield
        for task in running:
            task.cancel()


async def make(server: ApiServer, *names: str) -> None:
    client = DirectClient(server, user="test")
    for name in names:
        made = await client.create(PODS, {**warm_pod(name), "metadata": _bare(warm_pod(name))})
        await client.replace(PODS, {**made, "status": status_of()}, subresource="status")


def _bare(raw: dict[str, Any]) -> dict[str, Any]:
    kept = ("name", "namespace", "labels")
    return {key: value for key, value in raw["metadata"].items() if key in kept}


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


def labels(server: ApiServer, name: str) -> dict[str, str]:
    found: dict[str, str] = server.get(PODS, "default", name)["metadata"]["labels"]
    return found


def has(server: ApiServer, name: str) -> bool:
    try:
        return not server.get(PODS, "default", name)["metadata"].get("deletionTimestamp")
    except NotFoundError:
        return False


async def test_a_claim_goes_before_the_scale_and_the_adoption_after_it(server: ApiServer) -> None:
    await make(server, "a")
    one = Claimant(server)
    one.calls.gate.clear()
    async with claimants(one):
        assert await one.lead(1)  # the scale may wait
        assert labels(server, "a") == {"serving.knative.dev/revision": "r", "app": "r"}
        assert not one.settled.is_set()
        one.calls.gate.set()
        await asyncio.wait_for(one.settled.wait(), DEADLINE_S)
        assert not await one.lead(1)  # it serves: nothing to wait for, and nothing more to claim
        assert "pod-template-hash" not in labels(server, "a")
        one.client.become(replica_set(1, version=2, observed=1))  # wanted, and not seen to be
        await one.heard_of(2)
        assert one.claiming.statistics().adopted == 0
        one.client.become(replica_set(1, version=3))
        await until(lambda: "pod-template-hash" in labels(server, "a"))
        await until(lambda: one.claiming.statistics().adopted == 1)
    (call,) = one.calls.made
    assert (call.address, call.key, call.revision) == ("10.0.0.1:8081", "key-a", "r")
    annotations = server.get(PODS, "default", "a")["metadata"]["annotations"]
    assert set(orjson.loads(annotations["relight.dev/start-timing"])) == {"claim_ms", "load_ms"}
    assert annotations["relight.dev/claimed"].startswith("2027-")
    assert one.told == [("Normal", "ClaimedWarmPod")]


async def test_two_claimants_never_get_one_pod(server: ApiServer) -> None:
    pods = [f"p{number}" for number in range(6)]
    await make(server, *pods)
    both = [Claimant(server, "one"), Claimant(server, "two")]
    async with claimants(*both):
        await asyncio.gather(both[0].lead(4), both[1].lead(4))
    counts = [each.claiming.statistics() for each in both]
    assert sum(each.claimed for each in counts) == 6
    assert sum(each.missed for each in counts) == 2
    called = [call.key for each in both for call in each.calls.made]
    assert sorted(called) == sorted(f"key-{name}" for name in pods)


async def test_only_what_is_missing_is_claimed(server: ApiServer) -> None:
    await make(server, "a", "b", "c")
    one = Claimant(server)
    one.client.current = replica_set(1)
    async with claimants(one):
        await one.lead(2)
        await one.lead(2)
        assert one.claiming.statistics().claimed == 1
        await one.lead(3)
        assert one.claiming.statistics().claimed == 2
        assert not await one.lead(0)


async def test_a_pod_is_adopted_when_there_is_room_for_it_and_not_before(
    server: ApiServer,
) -> None:
    await make(server, "a", "b")
    one = Claimant(server)
    one.client.current = replica_set(1)
    async with claimants(one):
        await one.lead(2)
        await one.heard_of(1)
        assert one.claiming.statistics().adopted == 0  # it would be one too many
        one.client.become(replica_set(2, version=2))
        await until(lambda: one.claiming.statistics().adopted == 1)
        await one.lead(3)  # that one is a replica like others now
        assert one.claiming.statistics().claimed == 2


async def test_a_pod_that_can_not_be_adopted_is_deleted(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(server, "a")
    one = Claimant(server)
    async with claimants(one):
        await one.lead(1)

        async def patch(*_: Any, **__: Any) -> Any:
            raise UnavailableError("away")

        monkeypatch.setattr(one.client.inner, "patch", patch)
        one.client.become(replica_set(1, version=2))
        await until(lambda: not has(server, "a"))
    assert one.claiming.statistics().adopted == 0


async def test_without_enough_warm_pods_the_scale_does_not_wait(server: ApiServer) -> None:
    await make(server, "a")
    one = Claimant(server)
    one.calls.gate.clear()
    async with claimants(one):
        assert not await one.lead(3)
        counts = one.claiming.statistics()
        assert (counts.claimed, counts.missed) == (1, 2)


async def test_without_a_pool_nothing_is_patched(server: ApiServer) -> None:
    one = Claimant(server)
    async with claimants(one):
        assert not await one.lead(1)
        assert not await one.claiming.lead(KEY, "other-deployment", 1, one.settled.set)
    assert not one.client.patches


async def test_before_it_runs_nothing_is_claimed(server: ApiServer) -> None:
    await make(server, "a")
    assert not await Claimant(server).lead(1)


async def test_a_pod_that_does_not_take_its_claim_is_deleted(server: ApiServer) -> None:
    await make(server, "a")
    one = Claimant(server)
    one.calls.answers = [CallError("no answer")]
    async with claimants(one):
        await one.lead(1)
        await until(lambda: not has(server, "a"))
        await asyncio.wait_for(one.settled.wait(), DEADLINE_S)
        assert not await one.lead(1)
    assert one.claiming.statistics().failed == 1
    assert ("Warning", "ClaimFailed") in one.told


async def test_one_whose_model_fails_is_left_to_tell_and_never_adopted(server: ApiServer) -> None:
    await make(server, "a")
    one = Claimant(server)
    one.calls.answers = [Told(is_serving=False, failed="no such model")]
    async with claimants(one):
        await one.lead(1)
        await until(lambda: ("Warning", "ClaimFailed") in one.told)
        one.client.become(replica_set(1, version=2))
        await one.heard_of(2)
        assert not await one.lead(1)
    assert "pod-template-hash" not in labels(server, "a")
    assert one.claiming.statistics().adopted == 0


async def test_a_pod_that_no_replica_set_wants_is_deleted(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "_ADOPT_S", 0.05)
    await make(server, "a")
    one = Claimant(server)
    async with claimants(one):
        await one.lead(1)
        await until(lambda: not has(server, "a"))
    assert one.claiming.statistics().given_up == 1


async def test_a_pod_that_changed_meanwhile_is_lost_and_the_next_one_taken(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(server, "a", "b")
    one = Claimant(server)
    inner = one.client.inner.patch

    async def patch(resource: Any, namespace: Any, name: str, body: Any, **words: Any) -> Any:
        if name == "a":
            raise ConflictError("it changed")
        return await inner(resource, namespace, name, body, **words)

    monkeypatch.setattr(one.client.inner, "patch", patch)
    async with claimants(one):
        await one.lead(1)
    counts = one.claiming.statistics()
    assert (counts.lost, counts.claimed) == (1, 1)
    assert [call.key for call in one.calls.made] == ["key-b"]


async def test_a_server_that_is_away_costs_the_claim_alone(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(server, "a")
    one = Claimant(server)

    async def patch(*_: Any, **__: Any) -> Any:
        raise UnavailableError("away")

    async with claimants(one):
        with monkeypatch.context() as away:
            away.setattr(one.client.inner, "patch", patch)
            assert not await one.lead(1)
        assert one.claiming.statistics().failed == 1
        assert has(server, "a")
        await one.lead(1)  # the Pod is as warm as before
    assert one.claiming.statistics().claimed == 1


async def test_a_patch_without_an_answer_gives_its_pod_up(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claiming, "_PATCH_S", 0.02)
    await make(server, "a")
    one = Claimant(server)
    never = asyncio.Event()

    async def patch(*_: Any, **__: Any) -> Any:
        await never.wait()

    monkeypatch.setattr(one.client.inner, "patch", patch)
    async with claimants(one):
        assert not await one.lead(1)
        await until(lambda: not has(server, "a"))
