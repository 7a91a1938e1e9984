from typing import Any

import pytest

from api.kinds import NAMESPACES, PODS, SERVICES
from cluster.errors import BadRequestError, ConflictError, InvalidError
from embedded import bodies
from embedded.bodies import addressed, check_metadata, check_unmoved, typed, updated_metadata


def raw(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def test_the_url_completes_the_object() -> None:
    given = raw(labels={"a": "b"})
    found = addressed(PODS, "n", "p", given)
    assert found["metadata"] == {"labels": {"a": "b"}, "namespace": "n", "name": "p"}
    assert given["metadata"] == {"labels": {"a": "b"}}
    team = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"namespace": "ignored"}}
    assert addressed(NAMESPACES, "", "team", team)["metadata"] == {"name": "team"}


def test_what_a_typed_client_leaves_out_the_url_says() -> None:
    pod = {"metadata": {"name": "p"}}
    named = {"apiVersion": "v1", "kind": "Pod", **pod}
    assert typed(PODS, pod) == named
    assert typed(PODS, {"apiVersion": "", "kind": None, **pod}) == named
    assert typed(PODS, {"apiVersion": "v2", **pod})["apiVersion"] == "v2"
    assert typed(SERVICES, pod) == pod
    assert typed(PODS, []) == []


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        ([], "not an object but list"),
        (None, "not an object"),
        ({}, "apiVersion: Required value: want v1 Pod"),
        ({"apiVersion": "v1"}, "kind: Required value"),
        ({"apiVersion": 1, "kind": "Pod"}, "apiVersion: Required value"),
        ({"apiVersion": "v2", "kind": "Pod"}, r"API version in the data \(v2\)"),
        ({"apiVersion": "v1", "kind": "Service"}, r"kind in the data \(Service\)"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": 1}, "metadata: must be an object"),
        (raw(name=1), "metadata.name: must be a string"),
        (raw(labels=[]), "metadata.labels: must be an object"),
        (raw(labels={"a": 1}), "metadata.labels.a: must be a string"),
        (raw(annotations={"a": None}), "metadata.annotations.a: must be a string"),
        (raw(ownerReferences={}), "metadata.ownerReferences: must be a list of mappings"),
        (raw(ownerReferences=["x"]), "metadata.ownerReferences: must be a list"),
        (raw(finalizers=[1]), "metadata.finalizers: must be a list of strs"),
        (raw(namespace="m"), "does not match the namespace sent on the request: 'm' and 'n'"),
        (raw(name="q"), r"name of the object \(q\) does not match the name on the URL \(p\)"),
    ],
)
def test_what_does_not_agree_is_refused(obj: Any, words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        addressed(PODS, "n", "p", obj)


def owner(**fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "name": "o", "uid": "u"} | fields


def test_good_metadata_passes() -> None:
    check_metadata(
        PODS,
        {
            "name": "a.b-c.0",
            "labels": {"example.com/Some_key": "Some.Value", "empty": ""},
            "annotations": {"Example.com/Any": "any text at all, " * 9},
            "ownerReferences": [owner()],
            "finalizers": ["example.com/x", "foregroundDeletion"],
        },
    )


@pytest.mark.parametrize(
    ("metadata", "field"),
    [
        ({"name": "Upper"}, "metadata.name"),
        ({"name": "a..b"}, "metadata.name"),
        ({"name": "-a"}, "metadata.name"),
        ({"name": "a\n"}, "metadata.name"),
        ({"name": "x" * 254}, "metadata.name"),
        ({"name": "a/b"}, "metadata.name"),
        ({"name": "a", "labels": {"a b": "c"}}, "metadata.labels"),
        ({"name": "a", "labels": {"a": "b c"}}, "metadata.labels"),
        ({"name": "a", "labels": {"a": "x" * 64}}, "metadata.labels"),
        ({"name": "a", "annotations": {"a b": "c"}}, "metadata.annotations"),
        ({"name": "a", "annotations": {"a": "x" * 262_144}}, "metadata.annotations"),
        ({"name": "a", "ownerReferences": [owner(uid="")]}, "metadata.ownerReferences[0].uid"),
        ({"name": "a", "ownerReferences": [owner(), {}]}, "metadata.ownerReferences[1].kind"),
        ({"name": "a", "finalizers": ["a b"]}, "metadata.finalizers"),
        ({"name": "a", "lables": {}}, "metadata.lables"),
    ],
)
def test_bad_metadata_is_named_by_its_field(metadata: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidError) as refused:
        check_metadata(PODS, metadata)
    assert field in {cause["field"] for cause in refused.value.details["causes"]}
    assert refused.value.message.startswith('Pod "')


def test_a_namespace_is_one_label() -> None:
    with pytest.raises(InvalidError):
        check_metadata(NAMESPACES, {"name": "a.b"})
    with pytest.raises(InvalidError):
        check_metadata(NAMESPACES, {"name": "x" * 64})


OLD = {
    "metadata": {
        "name": "p",
        "namespace": "n",
        "uid": "u",
        "resourceVersion": "7",
        "generation": 3,
        "creationTimestamp": "then",
        "generateName": "p-",
        "labels": {"a": "b"},
        "managedFields": [{}],
    }
}


def test_an_object_that_moved_is_a_conflict() -> None:
    check_unmoved(PODS, OLD, {})
    check_unmoved(PODS, OLD, {"uid": "u", "resourceVersion": "7"})
    with pytest.raises(ConflictError, match='on pods "p": the object has been modified'):
        check_unmoved(PODS, OLD, {"resourceVersion": "6"})
    with pytest.raises(ConflictError, match="UID in precondition: v, UID in object meta: u"):
        check_unmoved(PODS, OLD, {"uid": "v"})


def test_an_update_keeps_what_is_the_servers() -> None:
    claimed = {"name": "p", "uid": "u", "generation": 99, "creationTimestamp": "now"}
    claimed |= {
        "deletionTimestamp": "now",
        "managedFields": [],
        "labels": {},
        "annotations": {"x": "y"},
    }
    kept = {key: value for key, value in OLD["metadata"].items() if key != "labels"}
    assert updated_metadata(PODS, OLD, claimed) == kept | {"annotations": {"x": "y"}}


def test_finalizers_cannot_be_added_to_what_is_going() -> None:
    going = {"metadata": OLD["metadata"] | {"deletionTimestamp": "then", "finalizers": ["a", "b"]}}
    assert updated_metadata(SERVICES, going, {"finalizers": ["b"]})["finalizers"] == ["b"]
    with pytest.raises(InvalidError, match=r"found new finalizers \['c'\]"):
        updated_metadata(SERVICES, going, {"finalizers": ["a", "c"]})


@pytest.mark.parametrize(
    ("new", "wanted"),
    [
        ({"spec": 1, "status": 2}, False),
        ({"spec": 1, "status": 3}, False),
        ({"spec": 1, "metadata": {}}, False),
        ({"spec": 2}, True),
        ({}, True),
        ({"spec": 1, "more": 1}, True),
    ],
)
def test_what_counts_as_a_change_of_spec(new: dict[str, Any], wanted: bool) -> None:
    assert bodies.is_spec_changed({"spec": 1, "status": 2}, new) is wanted
