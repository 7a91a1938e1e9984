import base64
from collections.abc import Iterator
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kinds import NAMESPACES, PODS, Resource
from cluster.client import ObjectList
from cluster.errors import ApiError, BadRequestError, GoneError
from cluster.options import ListOptions, Selection
from embedded.listing import MOMENTS_MAX, Lists, selected
from embedded.selection import parse
from embedded.store import IN_MEMORY, Store

_LISTS: WeakKeyDictionary[Store, Lists] = WeakKeyDictionary()


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(IN_MEMORY, history_events_max=5)
    for namespace, name in (("a", "x"), ("a", "y"), ("b", "x"), ("c", "z")):
        put(store, name, namespace)
    yield store
    store.close()


def put(store: Store, name: str, namespace: str = "a") -> None:
    store.put(PODS, {"metadata": {"name": name, "namespace": namespace}})


def listed(
    store: Store, *, fields: str = "", namespace: str | None = None, **options: Any
) -> ObjectList:
    selector = parse(PODS, Selection(namespace=namespace, fields=fields))
    lists = _LISTS.setdefault(store, Lists(store))
    return lists.page(PODS, selector, ListOptions(**options))


def places(found: ObjectList) -> list[str]:
    return [f"{obj['metadata']['namespace']}/{obj['metadata']['name']}" for obj in found.items]


def test_everything_comes_at_once_without_a_limit(store: Store) -> None:
    found = listed(store)
    assert places(found) == ["a/x", "a/y", "b/x", "c/z"]
    assert (found.continue_token, found.remaining) == ("", None)
    assert found.resource_version == str(store.version)


def test_pages_follow_one_another(store: Store) -> None:
    first = listed(store, limit=3)
    assert (places(first), first.remaining) == (["a/x", "a/y", "b/x"], 1)
    put(store, "between", "b")
    put(store, "before", "a")
    put(store, "zz", "c")
    store.remove(PODS, {"metadata": {"name": "z", "namespace": "c"}})
    last = listed(store, limit=3, continue_token=first.continue_token)
    assert places(last) == ["c/z"]
    # A watch from the version of the first page brings what the pages missed.
    assert last.resource_version == first.resource_version
    missed = store.changes_since(PODS, int(first.resource_version))
    names = [each.object["metadata"]["name"] for each in missed]
    assert names == ["between", "before", "zz", "z"]


@given(st.integers(1, 6))
def test_pages_of_any_size_are_the_whole(limit: int) -> None:
    with_pages = Store(IN_MEMORY)
    for at in range(6):
        put(with_pages, f"p{at}", "ab"[at % 2])
    whole, found, token = places(listed(with_pages)), [], ""
    while True:
        each = listed(with_pages, limit=limit, continue_token=token)
        found += places(each)
        token = each.continue_token
        if not token:
            break
    assert found == whole
    with_pages.close()


def test_a_page_within_a_namespace_stays_there(store: Store) -> None:
    first = listed(store, namespace="a", limit=1)
    assert first.remaining == 1
    rest = listed(store, namespace="a", continue_token=first.continue_token)
    assert places(rest) == ["a/y"]


def test_a_token_of_the_forgotten_past_is_gone(store: Store) -> None:
    token = listed(store, limit=1).continue_token
    for at in range(6):
        put(store, f"p{at}")
    with pytest.raises(GoneError, match="too old to display a consistent list") as caught:
        listed(store, limit=1, continue_token=token)
    # The answer has a token that goes on, with what is there now.
    going_on = caught.value.to_status()["metadata"]["continue"]
    rest = listed(store, continue_token=going_on)
    assert places(rest) == ["a/y", "b/x", "c/z"]
    assert rest.resource_version == str(store.version)


def test_lists_begun_are_bounded(store: Store) -> None:
    first = listed(store, limit=1).continue_token
    for _ in range(MOMENTS_MAX):
        listed(store, limit=1)
    with pytest.raises(GoneError):
        listed(store, continue_token=first)


def test_a_token_names_its_own_version(store: Store) -> None:
    token = listed(store, limit=1).continue_token
    with pytest.raises(BadRequestError, match="not allowed when using continue"):
        listed(store, continue_token=token, resource_version="1")


@pytest.mark.parametrize(
    "token", ["?", "e30=", base64.urlsafe_b64encode(b'["1","a","b"]').decode(), "é"]
)
def test_what_is_no_token_is_refused(store: Store, token: str) -> None:
    with pytest.raises(BadRequestError, match="continue"):
        listed(store, continue_token=token)


def test_versions_that_can_be_met_are(store: Store) -> None:
    now = str(store.version)
    for options in (
        {"resource_version": "0"},
        {"resource_version": now},
        {"resource_version": "1", "resource_version_match": "NotOlderThan"},
        {"resource_version": now, "resource_version_match": "Exact"},
    ):
        assert len(listed(store, **options).items) == 4


@pytest.mark.parametrize(
    ("version", "match", "error", "words"),
    [
        ("999999999", "", ApiError, "Too large resource version"),
        ("1", "Exact", GoneError, "too old"),
        ("0", "Exact", BadRequestError, "forbidden for resourceVersion 0"),
        ("", "Exact", BadRequestError, "forbidden unless"),
        ("1", "Newest", BadRequestError, "want Exact or NotOlderThan"),
        ("x", "", BadRequestError, 'resourceVersion: Invalid value: "x"'),
    ],
)
def test_versions_that_cannot_be_met_are_refused(
    store: Store, version: str, match: str, error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        listed(store, resource_version=version, resource_version_match=match)


class Unsearched(Store):
    """A store in which looking through all objects is a failure."""

    def select(self, *args: Any, **options: Any) -> Iterator[dict[str, Any]]:
        raise AssertionError(f"searched {args}")


def test_one_object_asked_for_by_name_is_not_sought() -> None:
    store = Unsearched(IN_MEMORY)
    put(store, "x")
    store.put(NAMESPACES, {"metadata": {"name": "n"}})

    def found(resource: Resource, **selection: Any) -> int:
        return len(list(selected(store, resource, parse(resource, Selection(**selection)))))

    assert found(PODS, namespace="a", fields="metadata.name=x") == 1
    assert found(PODS, namespace="a", fields="metadata.name=x", labels="no") == 0
    assert found(PODS, namespace="b", fields="metadata.name=x") == 0
    assert found(NAMESPACES, fields="metadata.name=n") == 1
    with pytest.raises(AssertionError, match="searched"):
        found(PODS, fields="metadata.name=x")
    store.close()
