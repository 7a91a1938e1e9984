"""Lists, selectors, pages and watches."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from api.kinds import SERVICES
from tests.conformance.servers import DEADLINE_S, Api
from tests.conformance.test_objects import refused, service


def names(found: dict[str, Any]) -> list[str]:
    return [each["metadata"]["name"] for each in found["items"]]


async def fill(api: Api, count: int) -> None:
    for index in range(count):
        labels = {"index": str(index), "parity": "odd" if index % 2 else "even"}
        await api.do("create", SERVICES, body=service(f"s{index}", labels=labels))


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("parity=odd", ["s1", "s3"]),
        ("parity==odd", ["s1", "s3"]),
        ("parity!=odd", ["s0", "s2"]),
        ("parity in (odd, even),index notin (0,1)", ["s2", "s3"]),
        ("index,!nothing", ["s0", "s1", "s2", "s3"]),
        ("!index", []),
    ],
    ids=["is", "equals", "is not", "in and not in", "has and has not", "has none"],
)
async def test_labels_select(api: Api, selector: str, found: list[str]) -> None:
    await fill(api, 4)
    assert names(await api.do("list", SERVICES, labelSelector=selector)) == found


async def test_fields_select(api: Api) -> None:
    await fill(api, 2)
    assert names(await api.do("list", SERVICES, fieldSelector="metadata.name=s1")) == ["s1"]
    assert names(await api.do("list", SERVICES, fieldSelector="metadata.name!=s1")) == ["s0"]
    error = await refused(api.do("list", SERVICES, fieldSelector="spec.nothing=1"))
    assert error.status == 400
    assert "spec.nothing" in error.message


@pytest.mark.parametrize(
    "selector",
    ["a b", "a in b", "=1", "a in (", "-a"],
    ids=["two words", "no brackets", "no key", "no end", "no name"],
)
async def test_a_selector_that_is_none_is_refused(api: Api, selector: str) -> None:
    error = await refused(api.do("list", SERVICES, labelSelector=selector))
    assert error.status == 400


async def test_a_list_comes_in_pages(api: Api) -> None:
    await fill(api, 5)
    found: list[str] = []
    page = await api.do("list", SERVICES, limit="2")
    assert page["metadata"]["remainingItemCount"] == 3
    while True:
        found += names(page)
        token = page["metadata"].get("continue", "")
        if not token:
            break
        page = await api.do("list", SERVICES, limit="2", **{"continue": token})
    assert found == ["s0", "s1", "s2", "s3", "s4"]


async def test_pages_show_one_moment(api: Api) -> None:
    await fill(api, 4)
    first = await api.do("list", SERVICES, limit="2")
    await api.do("delete", SERVICES, "s3")
    await api.do("create", SERVICES, body=service("s9"))
    token = first["metadata"]["continue"]
    rest = await api.do("list", SERVICES, limit="9", **{"continue": token})
    assert names(rest) == ["s2", "s3"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_token_that_is_none_is_refused(api: Api) -> None:
    error = await refused(api.do("list", SERVICES, limit="2", **{"continue": "nonsense"}))
    assert error.status == 400


async def test_many_are_deleted_at_once(api: Api) -> None:
    await fill(api, 4)
    await api.do("deletecollection", SERVICES, labelSelector="parity=odd")
    assert names(await api.do("list", SERVICES)) == ["s0", "s2"]


async def events(api: Api, **query: str) -> AsyncIterator[tuple[str, str]]:
    async for event in api.watch(SERVICES, **query):
        yield event["type"], event["object"]["metadata"].get("name", "")


async def first(count: int, found: AsyncIterator[tuple[str, str]]) -> list[tuple[str, str]]:
    """So many events, then the watch is left."""
    seen = []
    async with aclosing(found) as stream, asyncio.timeout(DEADLINE_S):  # type: ignore[type-var] # a generator
        async for event in stream:
            seen.append(event)
            if len(seen) == count:
                break
    return seen


async def test_a_watch_tells_what_comes_after_its_start(api: Api) -> None:
    start = (await api.do("list", SERVICES))["metadata"]["resourceVersion"]
    await api.do("create", SERVICES, body=service("a"))
    await api.do("patch", SERVICES, "a", {"metadata": {"labels": {"x": "y"}}})
    await api.do("delete", SERVICES, "a")
    found = await first(3, events(api, resourceVersion=start))
    assert found == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


async def test_a_watch_without_a_start_begins_with_what_is_there(api: Api) -> None:
    await fill(api, 2)
    assert sorted(await first(2, events(api))) == [("ADDED", "s0"), ("ADDED", "s1")]


async def test_an_object_comes_into_a_watch_by_its_labels_and_leaves(api: Api) -> None:
    made = await api.do("create", SERVICES, body=service("a"))
    start = made["metadata"]["resourceVersion"]
    await api.do("patch", SERVICES, "a", {"metadata": {"labels": {"in": "1"}}})
    await api.do("patch", SERVICES, "a", {"metadata": {"labels": {"in": None}}})
    found = await first(2, events(api, resourceVersion=start, labelSelector="in"))
    assert found == [("ADDED", "a"), ("DELETED", "a")]


@pytest.mark.needs("watch-list")
async def test_a_watch_can_take_the_place_of_a_list(api: Api) -> None:
    await fill(api, 2)
    query = {
        "sendInitialEvents": "true",
        "allowWatchBookmarks": "true",
        "resourceVersionMatch": "NotOlderThan",
    }
    found: list[dict[str, Any]] = []
    async with aclosing(api.watch(SERVICES, **query)) as stream, asyncio.timeout(DEADLINE_S):  # type: ignore[type-var] # a generator
        async for event in stream:
            found.append(event)
            if event["type"] == "BOOKMARK":
                break
    assert [e["type"] for e in found] == ["ADDED", "ADDED", "BOOKMARK"]
    annotations = found[-1]["object"]["metadata"]["annotations"]
    assert annotations["k8s.io/initial-events-end"] == "true"


# exception: codes-of-refusals
async def test_a_version_that_is_none_is_refused(api: Api) -> None:
    error = await refused(first(1, events(api, resourceVersion="x")))
    assert 'Invalid value: "x"' in error.message


# exception: exact-versions
async def test_the_present_can_be_asked_for_exactly(api: Api) -> None:
    await fill(api, 1)
    version = (await api.do("list", SERVICES))["metadata"]["resourceVersion"]
    found = await api.do(
        "list", SERVICES, resourceVersion=version, resourceVersionMatch="Exact", limit="5"
    )
    assert names(found) == ["s0"]
