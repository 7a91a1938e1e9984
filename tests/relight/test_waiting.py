import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import kinds
from cluster.direct import DirectClient
from cluster.errors import UnavailableError
from embedded.apiserver import ApiServer
from embedded.store import Store
from relight.waiting import follow, until
from relight.watching import View


@pytest.fixture
async def client(tmp_path: Any) -> AsyncIterator[DirectClient]:
    store = Store(tmp_path / "objects.db")
    yield DirectClient(ApiServer(store, clock=lambda: 0.0, rng=random.Random(1)))
    store.close()


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def test_until_answers_as_soon_as_it_can(client: DirectClient) -> None:
    views = [View(client, kinds.NAMESPACES, None, name=name) for name in ("a", "b")]
    asked: list[list[bool]] = []

    def both() -> str | None:
        asked.append([bool(view.objects) for view in views])
        return "both" if all(view.objects for view in views) else None

    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(until(views, both, timeout_s=10))
        for name in ("a", "b"):
            await client.create(kinds.NAMESPACES, namespace(name))
        assert await waiting == "both"
    assert asked[-1] == [True, True]


async def test_until_gives_up(client: DirectClient) -> None:
    view = View(client, kinds.NAMESPACES, None)
    assert await until([view], lambda: None, timeout_s=0.01) is None


async def test_until_asks_again_without_a_change_when_it_repaints(client: DirectClient) -> None:
    view = View(client, kinds.NAMESPACES, None)
    asked = iter(range(10))
    answer = await until(
        [view], lambda: "enough" if next(asked) == 5 else None, timeout_s=10, repaint_s=0.001
    )
    assert answer == "enough"


class Unreachable(DirectClient):
    async def list(self, *args: Any, **kwargs: Any) -> Any:
        raise UnavailableError("nobody there")


async def test_a_server_that_is_gone_ends_the_wait(client: DirectClient) -> None:
    gone = Unreachable(client._handler)
    views = [View(client, kinds.NAMESPACES, None), View(gone, kinds.NAMESPACES, None)]
    with pytest.raises(ExceptionGroup) as caught:
        await until(views, lambda: None, timeout_s=10)
    assert caught.group_contains(UnavailableError, match="nobody there")


async def test_follow_tells_which_view_changed(client: DirectClient) -> None:
    view = View(client, kinds.NAMESPACES, None, name="default")
    told: asyncio.Queue[Any] = asyncio.Queue()
    async with asyncio.TaskGroup() as group:
        following = group.create_task(
            follow([view], lambda view, changes: told.put_nowait((view, changes)))
        )
        changed, changes = await told.get()
        following.cancel()
    assert changed is view
    assert [change.type for change in changes] == ["ADDED"]
