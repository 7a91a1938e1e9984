import base64
from typing import Any

import pytest

from api.kinds import CONFIGMAPS, LEASES, SECRETS, Resource
from embedded import core


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_string_data_becomes_data() -> None:
    raw = {"metadata": {}, "data": {"a": encoded("1")}, "stringData": {"a": "2", "b": "3"}}
    found = core.defaulted(SECRETS, raw)
    assert found == {
        "metadata": {},
        "data": {"a": encoded("2"), "b": encoded("3")},
        "type": "Opaque",
    }
    assert core.defaulted(CONFIGMAPS, raw) is raw


KEY = "a valid config key must consist of"


@pytest.mark.parametrize(
    ("resource", "new", "field", "words"),
    [
        (CONFIGMAPS, {"data": {"a b": ""}}, "data[a b]", KEY),
        (CONFIGMAPS, {"data": {"..": ""}}, "data[..]", KEY),
        (CONFIGMAPS, {"data": {"a": ""}, "binaryData": {"a": ""}}, "data[a]", "duplicate of key"),
        (CONFIGMAPS, {"binaryData": {"a": "?"}}, "binaryData[a]", "must be base64"),
        (CONFIGMAPS, {"data": {"a": "x" * (1 << 20), "b": "x"}}, "", "Too long"),
        (SECRETS, {"data": {"a": "?"}}, "data[a]", "must be base64"),
        (SECRETS, {"type": "kubernetes.io/tls"}, "data[tls.crt]", "Required value"),
        (SECRETS, {"type": "kubernetes.io/basic-auth"}, "data[username]", "Required value"),
        (
            SECRETS,
            {
                "type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": encoded("no json")},
            },
            "data[.dockerconfigjson]",
            "invalid json",
        ),
        (
            SECRETS,
            {"type": "kubernetes.io/service-account-token"},
            "metadata.annotations[kubernetes.io/service-account.name]",
            "Required value",
        ),
        (
            LEASES,
            {"spec": {"leaseDurationSeconds": 0}},
            "spec.leaseDurationSeconds",
            "must be greater than 0",
        ),
    ],
)
def test_what_is_wrong_is_named(
    resource: Resource, new: dict[str, Any], field: str, words: str
) -> None:
    found = dict(core.causes(resource, {"metadata": {}} | new, None))
    assert words in found[field]


@pytest.mark.parametrize("resource", [CONFIGMAPS, SECRETS])
def test_what_is_immutable_stays(resource: Resource) -> None:
    old = {"metadata": {}, "type": "Opaque", "data": {"a": "YQ=="}, "immutable": True}
    assert list(core.causes(resource, old, old)) == []
    changed = {**old, "data": {"a": "Yg=="}}
    why = "Forbidden: field is immutable when `immutable` is set"
    assert list(core.causes(resource, changed, old)) == [("data", why)]
    assert list(core.causes(resource, {**old, "immutable": False}, old)) == [("immutable", why)]


def test_a_secret_keeps_its_type() -> None:
    old = {"metadata": {}, "type": "Opaque"}
    found = dict(core.causes(SECRETS, {**old, "type": "mine"}, old))
    assert found["type"] == 'Invalid value: "mine": field is immutable'
