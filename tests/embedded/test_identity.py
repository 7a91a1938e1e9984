import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from api.kinds import EVENTS, NAMESPACES, PODS, Resource
from cluster.errors import AlreadyExistsError, InvalidError
from embedded.identity import Identities
from embedded.store import IN_MEMORY, Store


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(IN_MEMORY)
    yield store
    store.close()


def given(
    store: Store, resource: Resource = PODS, *, seed: int = 1, **metadata: Any
) -> dict[str, Any]:
    new = {"metadata": {"namespace": "n", **metadata}}
    Identities(store, clock=lambda: 0.0, rng=random.Random(seed)).give(resource, new)
    return new["metadata"]


def test_the_server_says_who_it_is(store: Store) -> None:
    claimed = {"uid": "mine", "creationTimestamp": "long ago", "generation": 9, "selfLink": ""}
    metadata = given(store, name="p", labels={"a": "b"}, annotations={}, **claimed)
    uid = metadata.pop("uid")
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uid)
    assert metadata == {
        "name": "p",
        "namespace": "n",
        "creationTimestamp": "1970-01-01T00:00:00Z",
        "generation": 1,
        "labels": {"a": "b"},
    }


def test_no_uid_comes_twice(store: Store) -> None:
    identities = Identities(store, clock=lambda: 0.0, rng=random.Random(1))
    uids = set()
    for _ in range(1000):
        new: dict[str, Any] = {"metadata": {"namespace": "n", "name": "p"}}
        identities.give(PODS, new)
        uids.add(new["metadata"]["uid"])
    assert len(uids) == 1000


def test_kinds_without_a_spec_have_no_generation(store: Store) -> None:
    assert "generation" not in given(store, EVENTS, name="e")
    assert "generation" not in given(store, NAMESPACES, name="n")


def test_a_name_is_completed(store: Store) -> None:
    assert re.fullmatch(
        r"web-[bcdfghjklmnpqrstvwxz2456789]{5}", given(store, generateName="web-")["name"]
    )
    assert len(given(store, generateName="x" * 80)["name"]) == 63
    assert given(store, name="own", generateName="web-")["name"] == "own"


def test_a_taken_name_is_not_given_again(store: Store) -> None:
    first = given(store, generateName="web-")["name"]
    store.put(PODS, {"metadata": {"name": first, "namespace": "n"}})
    assert given(store, generateName="web-")["name"] != first


class Stuck(random.Random):
    def choices(self, *_args: Any, **_options: Any) -> Any:
        return ["b"] * 5


def test_after_some_tries_it_gives_up(store: Store) -> None:
    store.put(PODS, {"metadata": {"name": "web-bbbbb", "namespace": "n"}})
    identities = Identities(store, clock=lambda: 0.0, rng=Stuck())
    with pytest.raises(AlreadyExistsError, match="no free name"):
        identities.give(PODS, {"metadata": {"namespace": "n", "generateName": "web-"}})


def test_an_object_must_have_a_name(store: Store) -> None:
    with pytest.raises(InvalidError) as refused:
        given(store)
    (cause,) = refused.value.details["causes"]
    assert (cause["field"], cause["reason"]) == ("metadata.name", "FieldValueRequired")
