from typing import Any

import pytest

from api.kinds import PODS, SERVICES
from embedded.registry import Registry
from embedded.structure import shape_of

REGISTRY = Registry()
POD = shape_of(REGISTRY.schema_of(PODS), is_built_in=True)
OURS = shape_of(REGISTRY.schema_of(SERVICES), is_built_in=False)


def test_a_pods_lists_have_the_keys_of_kubernetes() -> None:
    containers = POD.field("spec").field("containers")
    assert containers.keys == ("name",)
    ports = containers.item.field("ports")
    steps = ports.steps([{"containerPort": 80}, {"containerPort": 80, "protocol": "UDP"}, {}, 7])
    assert steps == [
        'k:{"containerPort":80,"protocol":"TCP"}',
        'k:{"containerPort":80,"protocol":"UDP"}',
        None,
        None,
    ]
    assert POD.field("spec").field("nodeSelector").is_atomic
    assert POD.field("spec").field("tolerations").keys is None
    assert POD.field("status").field("conditions").keys == ("type",)


def test_metadata_is_the_same_for_all() -> None:
    for shape in (POD, OURS):
        assert shape.field("metadata").field("finalizers").steps(["a"]) == ['v:"a"']
        assert shape.field("metadata").field("ownerReferences").keys == ("uid",)
        assert not shape.field("metadata").field("labels").declares("x")


def test_our_kinds_have_the_keys_of_knatives() -> None:
    spec = OURS.field("spec")
    assert spec.field("traffic").keys is None
    assert OURS.field("status").field("conditions").keys is None
    pod = spec.field("template").field("spec")
    assert pod.field("containers").keys is None
    assert pod.field("nodeSelector").is_atomic
    assert pod.field("volumes").steps([{"name": "x"}, 7]) == ['k:{"name":"x"}', None]
    assert pod.field("volumes").item.field("configMap").is_atomic
    assert pod.field("imagePullSecrets").steps([{}]) == [None]
    assert pod.field("imagePullSecrets").item.is_atomic
    # A label may have any name: it says nothing of what stands there.
    labels = spec.field("template").field("metadata").field("labels")
    assert labels.field("containers").keys is None


@pytest.mark.parametrize(
    ("schema", "keys"),
    [
        ({"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["b", "a"]}, ("a", "b")),
        ({"x-kubernetes-list-type": "set"}, ()),
        ({"x-kubernetes-list-type": "atomic"}, None),
        ({}, None),
    ],
)
def test_a_crds_lists_are_as_it_says(schema: dict[str, Any], keys: Any) -> None:
    whole = {"properties": {"containers": {"type": "array", **schema}}}
    shape = shape_of(whole, is_built_in=False)
    assert shape.field("containers").keys == keys


def test_a_default_of_a_crd_completes_a_key() -> None:
    items = {"properties": {"protocol": {"default": "TCP"}}}
    listed = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["protocol"]}
    schema = {"properties": {"ports": {**listed, "items": items}}}
    shape = shape_of(schema, is_built_in=False)
    assert shape.field("ports").steps([{}]) == ['k:{"protocol":"TCP"}']
    assert shape_of(None, is_built_in=False).field("x").keys is None
