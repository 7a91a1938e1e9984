from typing import Any

from api.kinds import Resource
from embedded.versions import in_version

V1 = Resource("example.com", "v1", "things", "Thing", "thing")


def test_only_the_api_version_differs() -> None:
    obj: dict[str, Any] = {"apiVersion": "example.com/v1beta1", "kind": "Thing", "spec": {"a": 1}}
    assert in_version(V1, obj) == obj | {"apiVersion": "example.com/v1"}
    assert obj["apiVersion"] == "example.com/v1beta1"


def test_an_object_that_is_in_the_version_already_is_not_copied() -> None:
    obj = {"apiVersion": "example.com/v1", "kind": "Thing"}
    assert in_version(V1, obj) is obj
