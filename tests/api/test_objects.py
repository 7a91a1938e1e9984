from collections.abc import Callable

import pytest

from api.objects import ObjectMeta, owner_reference_to, rfc3339

FULL = {
    "name": "iris",
    "namespace": "default",
    "generateName": "iris-",
    "uid": "u",
    "resourceVersion": "7",
    "generation": 2,
    "labels": {"a": "b"},
    "annotations": {"c": "d"},
    "ownerReferences": [
        {
            "apiVersion": "v1",
            "kind": "K",
            "name": "n",
            "uid": "o",
            "controller": True,
            "blockOwnerDeletion": True,
        }
    ],
    "creationTimestamp": "2026-01-01T00:00:00Z",
    "deletionTimestamp": "2026-01-02T00:00:00Z",
    "finalizers": ["f"],
}


def test_round_trip() -> None:
    assert ObjectMeta.parse(FULL).to_raw() == FULL
    assert ObjectMeta.parse({}).to_raw() == {}


def test_what_api_servers_write_is_accepted() -> None:
    raw = {
        **FULL,
        "managedFields": [{"manager": "kubectl"}],
        "selfLink": "/x",
        "deletionGracePeriodSeconds": 30,
    }
    assert ObjectMeta.parse(raw).to_raw() == FULL


def test_everything_wrong_is_named(refused: Callable[..., str]) -> None:
    raw = {"name": 1, "lables": {}, "labels": {"a": 1}, "ownerReferences": [{"kind": "K", "x": 1}]}
    assert refused(ObjectMeta.parse, raw) == (
        "invalid value: 1: metadata.labels.a, metadata.name\n"
        "must be a string\n"
        "missing field(s): metadata.ownerReferences[0].apiVersion, "
        "metadata.ownerReferences[0].name, metadata.ownerReferences[0].uid\n"
        "unknown field: metadata.lables, metadata.ownerReferences[0].x"
    )


def test_an_owner_reference_says_who_controls() -> None:
    owner = {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n", "uid": "u"}}
    assert owner_reference_to(owner) == {
        "apiVersion": "v1",
        "kind": "K",
        "name": "n",
        "uid": "u",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    assert owner_reference_to(owner, controller=False)["controller"] is False


@pytest.mark.parametrize(
    ("epoch_s", "expected"), [(0, "1970-01-01T00:00:00Z"), (1795381200.9, "2026-11-22T21:00:00Z")]
)
def test_rfc3339(epoch_s: float, expected: str) -> None:
    assert rfc3339(epoch_s) == expected
