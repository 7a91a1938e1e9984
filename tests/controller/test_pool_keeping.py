import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from api import keys
from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, REVISIONS
from cluster.direct import DirectClient
from cluster.errors import InvalidError, NotFoundError, UnavailableError
from cluster.informer import Informer
from controller import pool_keeping
from controller.pool_keeping import PoolKeeper
from controller.view import ours_whole
from embedded.apiserver import ApiServer
from tests.autoscaler.world import EPOCH_S, World
from tests.controller.pools import deployment, revision

DEADLINE_S = 10.0
CLAIM = {
    "metadata": {
        "labels": {keys.POOL: None},
        "annotations": {keys.CLAIMED: "2027-01-15T08:00:00Z"},
    }
}
_READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_keeping, "_AFTER_S", 0.01)


@pytest.fixture
def server() -> Any:
    with World.made() as made:
        yield made.server


@asynccontextmanager
async def keeping(client: DirectClient, size: int = 0) -> AsyncIterator[None]:
    informers = {each: Informer(client, each) for each in (DEPLOYMENTS, REVISIONS)}
    informers[PODS] = Informer(client, PODS, keep=ours_whole)  # as the controller's
    count = itertools.count()
    keeper = PoolKeeper(
        client,
        informers,
        size=size,
        wall_s=lambda: EPOCH_S,
        token=lambda length: f"{next(count):0{length}}",
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(each.run()) for each in informers.values()]
        running.append(tasks.create_task(keeper.run()))
        yield
        for task in running:
            task.cancel()


async def warm_pods(client: DirectClient) -> list[dict[str, Any]]:
    found = await client.list(PODS, "default", label_selector=keys.POOL)
    return [each for each in found.items if not each["metadata"].get("deletionTimestamp")]


async def until(client: DirectClient, condition: Callable[[list[dict[str, Any]]], bool]) -> Any:
    async with asyncio.timeout(DEADLINE_S):
        while not condition(found := await warm_pods(client)):
            await asyncio.sleep(0.005)
    return found


async def annotate(client: DirectClient, size: str) -> None:
    patch = {"metadata": {"annotations": {keys.WARM_POOL: size}}}
    await client.patch(NAMESPACES, None, "default", patch)


async def revised(client: DirectClient, name: str = "r", **words: Any) -> None:
    await client.create(REVISIONS, revision(name))
    await client.create(DEPLOYMENTS, deployment(name, **words))


async def test_a_pool_is_filled_refilled_and_emptied(server: ApiServer) -> None:
    client = DirectClient(server, user="test")
    await revised(client)
    async with keeping(client, size=2):
        pods = await until(client, lambda found: len(found) == 2)
        assert len({each["spec"]["containers"][0]["env"][0]["value"] for each in pods}) == 2
        name = pods[0]["metadata"]["name"]
        claimed = {
            "labels": {keys.POOL: None},
            "annotations": {keys.CLAIMED: "2027-01-15T08:00:00Z"},
        }
        await client.patch(PODS, "default", name, {"metadata": claimed})
        after = await until(client, lambda found: len(found) == 2)
        assert name not in {each["metadata"]["name"] for each in after}
        await client.delete(DEPLOYMENTS, "default", "r-deployment")
        await until(client, lambda found: not found)
        assert await client.get(PODS, "default", name)  # what was claimed is not the pool's


async def test_the_namespace_says_how_many(server: ApiServer) -> None:
    client = DirectClient(server, user="test")
    await annotate(client, "3")
    await revised(client)
    async with keeping(client):
        await until(client, lambda found: len(found) == 3)
        await annotate(client, "1")
        await until(client, lambda found: len(found) == 1)
        await annotate(client, "some")  # makes no sense: the default, which is none
        await until(client, lambda found: not found)


async def test_auto_begins_with_one_and_learns(server: ApiServer) -> None:
    client = DirectClient(server, user="test")
    await annotate(client, "auto")
    await revised(client)
    async with keeping(client):
        await until(client, lambda found: len(found) == 1)
        await client.patch(DEPLOYMENTS, "default", "r-deployment", {"spec": {"replicas": 4}})
        await until(client, lambda found: len(found) == 4)


async def test_revisions_of_one_class_share_a_pool(server: ApiServer) -> None:
    client = DirectClient(server, user="test")
    for name in ("r", "s"):
        await revised(client, name)
    await revised(client, "t", image="relight/predictor:2")
    await revised(client, "u", image="example.com/other:1")
    async with keeping(client, size=1):
        pods = await until(client, lambda found: len(found) == 2)
        images = sorted(each["spec"]["containers"][0]["image"] for each in pods)
        assert images == ["relight/predictor:1", "relight/predictor:2"]


async def test_one_that_ends_before_it_is_claimed_is_replaced_later(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pool_planning._BACK_OFF_S", (0.02, 0.05))
    client = DirectClient(server, user="test")
    await revised(client)
    async with keeping(client, size=1):
        (pod,) = await until(client, lambda found: len(found) == 1)
        await client.replace(PODS, {**pod, "status": {"phase": "Failed"}}, subresource="status")
        name = pod["metadata"]["name"]
        (other,) = await until(
            client, lambda found: len(found) == 1 and found[0]["metadata"]["name"] != name
        )
        await client.replace(PODS, {**other, "status": _READY}, subresource="status")


async def test_what_is_refused_is_tried_again_with_patience(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pool_planning._BACK_OFF_S", (0.01, 0.02))
    client = DirectClient(server, user="test")
    await revised(client)
    inner = client.create
    refused: list[Any] = []

    async def create(resource: Any, obj: Any) -> Any:
        if resource == PODS and len(refused) < 3:
            refused.append(obj)
            raise InvalidError("exceeded quota")
        return await inner(resource, obj)

    monkeypatch.setattr(client, "create", create)
    async with keeping(client, size=1):
        await until(client, lambda found: len(found) == 1)
    assert len(refused) == 3


async def test_a_pod_that_was_claimed_meanwhile_is_not_deleted(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = DirectClient(server, user="test")
    await revised(client)
    inner = client.patch
    claimed = asyncio.Event()

    async def patch(resource: Any, namespace: Any, name: str, body: Any, **words: Any) -> Any:
        if words.get("kind") == "json" and not claimed.is_set():
            claimed.set()
            await inner(resource, namespace, name, CLAIM)
        return await inner(resource, namespace, name, body, **words)

    monkeypatch.setattr(client, "patch", patch)
    async with keeping(client, size=1):
        (pod,) = await until(client, lambda found: len(found) == 1)
        await client.delete(DEPLOYMENTS, "default", "r-deployment")
        await asyncio.wait_for(claimed.wait(), DEADLINE_S)
        await until(client, lambda found: not found)
        name = pod["metadata"]["name"]
        assert not (await client.get(PODS, "default", name))["metadata"].get("deletionTimestamp")


async def test_one_that_could_not_be_deleted_is_deleted_later(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = DirectClient(server, user="test")
    await revised(client)
    inner = client.delete
    failures: list[str] = []

    async def delete(resource: Any, namespace: Any, name: str, **words: Any) -> Any:
        if resource == PODS and not failures:
            failures.append(name)
            raise UnavailableError("no answer")
        return await inner(resource, namespace, name, **words)

    monkeypatch.setattr(client, "delete", delete)
    async with keeping(client, size=1):
        (pod,) = await until(client, lambda found: len(found) == 1)
        await client.delete(DEPLOYMENTS, "default", "r-deployment")
        async with asyncio.timeout(DEADLINE_S):
            while await is_there(client, pod["metadata"]["name"]):
                await asyncio.sleep(0.005)
    assert failures == [pod["metadata"]["name"]]


async def is_there(client: DirectClient, name: str) -> bool:
    try:
        found = await client.get(PODS, "default", name)
    except NotFoundError:
        return False
    return not found["metadata"].get("deletionTimestamp")


async def test_many_that_are_refused_at_once_are_one_trouble(
    server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.pool_planning._BACK_OFF_S", (0.01, 300.0))
    client = DirectClient(server, user="test")
    await revised(client)
    inner = client.create
    refused: list[Any] = []
    is_back = asyncio.Event()

    async def create(resource: Any, obj: Any) -> Any:
        if resource == PODS and not is_back.is_set():
            refused.append(obj)
            asyncio.get_running_loop().call_soon(is_back.set)
            raise UnavailableError("no answer")
        return await inner(resource, obj)

    monkeypatch.setattr(client, "create", create)
    async with keeping(client, size=10):
        await until(client, lambda found: len(found) == 1)
    assert len(refused) == 1
