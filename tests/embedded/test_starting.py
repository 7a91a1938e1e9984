from collections.abc import Iterator
from typing import Any

import pytest

from api.kinds import PODS
from cluster.client import WatchEvent
from cluster.errors import ApiError, BadRequestError, GoneError
from cluster.options import Selection, WatchOptions
from embedded.selection import parse
from embedded.starting import events
from embedded.store import IN_MEMORY, Store


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(IN_MEMORY, history_events_max=3)
    yield store
    store.close()


def put(store: Store, name: str, **labels: str) -> str:
    metadata = {"name": name, "namespace": "n", "labels": labels}
    version: str = store.put(PODS, {"metadata": metadata})["metadata"]["resourceVersion"]
    return version


def started(store: Store, *, labels: str = "", **options: Any) -> list[WatchEvent]:
    return events(store, PODS, parse(PODS, Selection(labels=labels)), WatchOptions(**options))


def shown(found: list[WatchEvent]) -> list[tuple[str, str]]:
    return [(each.type, each.object["metadata"].get("name", "")) for each in found]


@pytest.mark.parametrize("version", ["", "0"])
def test_without_a_start_it_begins_with_what_is_there(store: Store, version: str) -> None:
    put(store, "b")
    put(store, "a", x="y")
    assert shown(started(store, resource_version=version)) == [("ADDED", "a"), ("ADDED", "b")]
    assert shown(started(store, resource_version=version, labels="x")) == [("ADDED", "a")]


def test_from_a_version_it_begins_with_what_came_after(store: Store) -> None:
    first = put(store, "a")
    put(store, "b")
    put(store, "a", x="y")
    found = started(store, resource_version=first)
    assert shown(found) == [("ADDED", "b"), ("MODIFIED", "a")]
    assert shown(started(store, resource_version=first, labels="x")) == [("ADDED", "a")]
    assert started(store, resource_version=str(store.version)) == []


def test_initial_events_end_with_a_bookmark(store: Store) -> None:
    put(store, "a")
    found = started(store, send_initial_events=True, has_bookmarks=True)
    assert shown(found) == [("ADDED", "a"), ("BOOKMARK", "")]
    last = found[-1].object["metadata"]
    assert last["resourceVersion"] == str(store.version)
    assert last["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert shown(started(store, send_initial_events=True)) == [("ADDED", "a")]


def test_too_long_ago_is_gone(store: Store) -> None:
    first = put(store, "a")
    for name in "bcde":
        put(store, name)
    with pytest.raises(GoneError, match=f"too old resource version: {first}"):
        started(store, resource_version=first)


def test_the_future_is_gone_too(store: Store) -> None:
    with pytest.raises(GoneError, match="in the future"):
        started(store, resource_version=str(store.version + 1))
    with pytest.raises(ApiError, match="Too large resource version") as refused:
        started(store, resource_version=str(store.version + 1), send_initial_events=True)
    assert refused.value.status == 504


@pytest.mark.parametrize("version", ["abc", "-1", "1.5", "9" * 30, "\u0661"])
def test_what_is_no_version_is_refused(store: Store, version: str) -> None:
    with pytest.raises(BadRequestError, match="resourceVersion: Invalid value"):
        started(store, resource_version=version)
