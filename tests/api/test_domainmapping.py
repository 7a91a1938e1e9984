import copy
from collections.abc import Callable
from typing import Any

import pytest

from api import keys, kinds
from api.admission import admit
from api.domainmapping import NO_TLS, DomainMapping, Reference

Raw = dict[str, Any]


@pytest.fixture
def mapping() -> Raw:
    return {
        "apiVersion": "serving.knative.dev/v1beta1",
        "kind": "DomainMapping",
        "metadata": {"name": "iris.example.com", "namespace": "default"},
        "spec": {"ref": {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "name": "a"}},
    }


def test_a_mapping(mapping: Raw) -> None:
    mapping["status"] = {"url": "http://x"}
    found = DomainMapping.parse(mapping)
    assert found.metadata.name == "iris.example.com"
    assert found.ref == Reference(api_version="serving.knative.dev/v1", kind="Service", name="a")
    assert found.status == {"url": "http://x"}


def test_the_namespace_is_filled_in_and_who_made_it(mapping: Raw) -> None:
    before = copy.deepcopy(mapping)
    once = admit(kinds.DOMAINMAPPINGS, mapping, None, user="ann")
    assert mapping == before
    assert once["spec"]["ref"]["namespace"] == "default"
    assert once["metadata"]["annotations"] == {keys.CREATOR: "ann", keys.LAST_MODIFIER: "ann"}
    assert admit(kinds.DOMAINMAPPINGS, once, once, user="bob") == once
    changed = copy.deepcopy(once)
    changed["spec"]["ref"]["name"] = "b"
    users = admit(kinds.DOMAINMAPPINGS, changed, once, user="bob")["metadata"]["annotations"]
    assert users == {keys.CREATOR: "ann", keys.LAST_MODIFIER: "bob"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", 'invalid name "": name: Required value: metadata.name'),
        (
            "iris",
            'invalid name "iris": name: Invalid value: "iris": should be a domain with at least '
            "two segments separated by dots: metadata.name",
        ),
        (
            "Iris.example.com",
            'invalid name "Iris.example.com": name: Invalid value: "Iris.example.com": '
            "a lowercase RFC 1123 subdomain must consist of",
        ),
        (
            f"{'a' * 64}.com",
            f'invalid name "{"a" * 64}.com": name: Invalid value: "{"a" * 64}": '
            "must be no more than 63 characters: metadata.name",
        ),
        (
            "iris.default.svc.cluster.local",
            'invalid name "iris.default.svc.cluster.local": must not be a subdomain of cluster '
            'local domain "cluster.local": metadata.name',
        ),
    ],
)
def test_a_name_is_a_domain(
    name: str, expected: str, mapping: Raw, refused: Callable[..., str]
) -> None:
    mapping["metadata"]["name"] = name
    assert refused(DomainMapping.parse, mapping).startswith(expected)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, "missing field(s): spec.ref.apiVersion, spec.ref.kind, spec.ref.name"),
        ({"ref": {"group": "x"}}, "missing field(s): spec.ref.apiVersion, spec.ref.kind, "),
        ({"tls": {"secretName": "s"}}, "missing field(s): spec.ref.apiVersion"),
        (
            {
                "ref": {
                    "apiVersion": "serving.knative.dev/v1",
                    "kind": "Service",
                    "name": "a",
                    "namespace": "other",
                    "group": "x",
                },
                "tls": {"secretName": "s"},
            },
            "mismatched namespaces: spec.ref.namespace\n"
            'parent namespace: "default" does not match ref: "other"\n'
            "must not set the field(s): spec.ref.group\n"
            f"must not set the field(s): spec.tls\n{NO_TLS}",
        ),
    ],
)
def test_a_wrong_spec(spec: Raw, expected: str, mapping: Raw, refused: Callable[..., str]) -> None:
    mapping["spec"] = spec
    assert refused(DomainMapping.parse, mapping).startswith(expected)


def test_a_name_can_not_be_made_up(mapping: Raw, refused: Callable[..., str]) -> None:
    mapping["metadata"]["generateName"] = "iris-"
    expected = "must not set the field(s): metadata.generateName"
    assert refused(DomainMapping.parse, mapping) == expected


def test_annotations_that_would_be_ignored(mapping: Raw, refused: Callable[..., str]) -> None:
    mapping["metadata"]["annotations"] = {"networking.knative.dev/disable-auto-tls": "true"}
    DomainMapping.parse(mapping)
    mapping["metadata"]["annotations"] = {"relight.dev/x": "1"}
    assert refused(DomainMapping.parse, mapping) == (
        'invalid key name "relight.dev/x": metadata.annotations\n'
        "not an annotation that Relight reads here"
    )
