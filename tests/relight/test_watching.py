import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api import kinds
from cluster.client import WatchEvent
from cluster.direct import DirectClient
from cluster.errors import GoneError
from embedded.apiserver import ApiServer
from embedded.store import Store
from relight.watching import View, key_of


@pytest.fixture
async def client(tmp_path: Any) -> AsyncIterator[DirectClient]:
    store = Store(tmp_path / "objects.db")
    yield DirectClient(ApiServer(store, clock=lambda: 0.0, rng=random.Random(1)))
    store.close()


def namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


async def test_a_view_lists_then_tells_each_change(client: DirectClient) -> None:
    await client.create(kinds.NAMESPACES, namespace("a"))
    view = View(client, kinds.NAMESPACES, None)
    changes = view.changes()
    first = await anext(changes)
    assert {change.object["metadata"]["name"] for change in first} == {"a", "default"}
    assert view.is_listed
    await client.create(kinds.NAMESPACES, namespace("b"))
    [added] = await anext(changes)
    assert (added.type, key_of(added.object)) == ("ADDED", ("", "b"))
    await client.delete(kinds.NAMESPACES, None, "b")
    while ("", "b") in view.objects:
        await anext(changes)
    await changes.aclose()


async def test_one_name_is_all_a_view_by_name_sees(client: DirectClient) -> None:
    await client.create(kinds.NAMESPACES, namespace("a"))
    view = View(client, kinds.NAMESPACES, None, name="a")
    changes = view.changes()
    [only] = await anext(changes)
    assert only.object["metadata"]["name"] == "a"
    await changes.aclose()


class Forgetful(DirectClient):
    """A client whose first watch finds that the server has forgotten."""

    def __init__(self, handler: Any) -> None:
        super().__init__(handler)
        self.forgets = True

    async def watch(self, *args: Any, **kwargs: Any) -> AsyncIterator[WatchEvent]:
        if self.forgets:
            self.forgets = False
            await self.delete(kinds.NAMESPACES, None, "a")
            await self.create(kinds.NAMESPACES, namespace("b"))
            raise GoneError("too old")
        async for event in super().watch(*args, **kwargs):
            yield event


async def test_what_was_missed_is_told_after_listing_again(client: DirectClient) -> None:
    forgetful = Forgetful(client._handler)
    await forgetful.create(kinds.NAMESPACES, namespace("a"))
    view = View(forgetful, kinds.NAMESPACES, None)
    changes = view.changes()
    await anext(changes)
    missed = {change.object["metadata"]["name"]: change.type for change in await anext(changes)}
    assert missed["b"] == "ADDED"
    assert missed.get("a") in ("DELETED", "MODIFIED")  # a namespace may linger while it goes
    assert "default" not in missed
    await changes.aclose()
