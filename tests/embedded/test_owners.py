from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, Resource
from embedded.history import Change
from embedded.owners import Owners, is_blocking, place_of


def reference(uid: str, kind: Resource = DEPLOYMENTS, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": kind.api_version, "kind": kind.kind, "name": "x", "uid": uid, **fields}


def obj(uid: str, *owners: dict[str, Any], namespace: str = "n") -> dict[str, Any]:
    metadata = {"name": uid, "namespace": namespace, "uid": uid, "ownerReferences": list(owners)}
    return {"metadata": metadata}


def observed(
    owners: Owners,
    resource: Resource,
    new: dict[str, Any],
    old: Any = None,
    *,
    is_last: bool = False,
) -> None:
    type_: Any = "DELETED" if is_last else "ADDED" if old is None else "MODIFIED"
    owners.observe(Change(version=1, type=type_, resource=resource, object=new, old=old))


def test_dependents_are_found_by_the_owners_uid() -> None:
    owners = Owners()
    child = obj("pod", reference("dep"))
    observed(owners, DEPLOYMENTS, obj("dep"))
    observed(owners, PODS, child)
    assert owners.place("dep") == (DEPLOYMENTS, "n", "dep")
    assert owners.dependents("dep") == [place_of(PODS, child)]
    observed(owners, PODS, obj("pod", reference("other")), child)
    assert owners.dependents("dep") == []
    assert owners.missing() == ["other"]
    observed(
        owners, PODS, obj("pod", reference("other")), obj("pod", reference("other")), is_last=True
    )
    assert owners.missing() == []
    assert owners.place("pod") is None


def test_owners_that_are_gone_are_dead() -> None:
    owners = Owners()
    observed(owners, DEPLOYMENTS, obj("dep"))
    assert owners.dead(obj("pod", reference("dep"))) == []
    assert owners.dead(obj("pod", reference("gone"))) == [reference("gone")]


def test_an_owner_counts_only_as_what_and_where_it_is() -> None:
    owners = Owners()
    observed(owners, DEPLOYMENTS, obj("dep"))
    observed(owners, NAMESPACES, {"metadata": {"name": "n", "uid": "ns"}})
    elsewhere = obj("pod", reference("dep"), namespace="other")
    assert owners.dead(elsewhere) == [reference("dep")]
    assert owners.dead(obj("pod", reference("dep", PODS))) == [reference("dep", PODS)]
    assert owners.dead(obj("pod", reference("ns", NAMESPACES))) == []


def test_an_owner_of_a_kind_not_served_is_taken_to_exist() -> None:
    stranger = reference("x") | {"apiVersion": "example.com/v1", "kind": "Thing"}
    assert Owners().dead(obj("pod", stranger)) == []


def test_blocking_is_said_by_the_reference() -> None:
    assert is_blocking(obj("p", reference("d", blockOwnerDeletion=True)), "d")
    assert not is_blocking(obj("p", reference("d")), "d")
    assert not is_blocking(obj("p", reference("e", blockOwnerDeletion=True)), "d")


UIDS = st.sampled_from("abcd")


@given(st.lists(st.tuples(UIDS, st.none() | st.sets(UIDS))))
def test_the_index_agrees_with_a_search(steps: list[tuple[str, set[str] | None]]) -> None:
    owners, objects = Owners(), {}
    for uid, wanted in steps:
        old = objects.get(uid)
        if wanted is None:
            if old is not None:
                observed(owners, PODS, old, old, is_last=True)
                del objects[uid]
            continue
        objects[uid] = obj(uid, *(reference(each, PODS) for each in sorted(wanted)))
        observed(owners, PODS, objects[uid], old)
    for uid in "abcd":
        expected = {
            place_of(PODS, each)
            for each in objects.values()
            if any(owner["uid"] == uid for owner in each["metadata"]["ownerReferences"])
        }
        assert set(owners.dependents(uid)) == expected
        assert (owners.place(uid) is not None) is (uid in objects)
