import copy
from typing import Any

import pytest

from api import keys, kinds
from api.admission import admit
from api.warnings import INSECURE, NOT_HERE, warnings

Raw = dict[str, Any]
SECURE = {
    "runAsNonRoot": True,
    "allowPrivilegeEscalation": False,
    "seccompProfile": {"type": "RuntimeDefault"},
    "capabilities": {"drop": ["ALL"]},
}
AT = "spec.template.spec.containers[0].securityContext"


def warned(service: Raw, *, pod: Raw | None = None, **container: Any) -> tuple[str, ...]:
    raw = copy.deepcopy(service)
    spec = raw["spec"]["template"]["spec"]
    spec |= pod or {}
    spec["containers"][0] |= container
    return warnings(kinds.SERVICES, admit(kinds.SERVICES, raw, None, user=""), None)


def test_all_that_kubernetes_leaves_open(service: Raw) -> None:
    expected = (
        f"{INSECURE}: {AT}.allowPrivilegeEscalation, {AT}.capabilities, {AT}.runAsNonRoot, "
        f"{AT}.seccompProfile"
    )
    assert warned(service) == (expected,)
    assert warnings(kinds.SERVICES, service, service) == (expected,)


def test_what_is_said_is_not_warned_of(service: Raw) -> None:
    assert warned(service, securityContext=SECURE) == ()
    mine = {name: SECURE[name] for name in ("allowPrivilegeEscalation", "capabilities")}
    shared = {name: SECURE[name] for name in ("runAsNonRoot", "seccompProfile")}
    assert warned(service, securityContext=mine, pod={"securityContext": shared}) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"seccompProfile": {}}, f"{INSECURE}: {AT}.seccompProfile.type"),
        ({"capabilities": {}}, f"{INSECURE}: {AT}.capabilities.drop"),
        (
            {"capabilities": {"drop": ["all"]}},
            f"invalid value: all: {AT}.capabilities.drop Must be spelled as 'ALL'",
        ),
    ],
)
def test_halves(change: Raw, expected: str, service: Raw) -> None:
    assert warned(service, securityContext={**SECURE, **change}) == (expected,)


def test_init_containers_too(service: Raw) -> None:
    found = warned(
        service, securityContext=SECURE, pod={"initContainers": [{"image": "a/b", "name": "i"}]}
    )
    assert "spec.template.spec.initContainers[0].securityContext.runAsNonRoot" in found[0]


def test_a_revision_is_warned_of_when_it_is_made(revision: Raw) -> None:
    (found,) = warnings(kinds.REVISIONS, revision, None)
    assert f"{INSECURE}: spec.containers[0].securityContext." in found
    assert warnings(kinds.REVISIONS, revision, revision) == ()


def test_a_visibility_nobody_would_look_at(service: Raw) -> None:
    service["spec"]["template"]["metadata"]["labels"] = {keys.VISIBILITY: "cluster-local"}
    assert warned(service, securityContext=SECURE) == (
        f"{NOT_HERE}: spec.template.metadata.labels.{keys.VISIBILITY}",
    )


def test_other_kinds_are_left_alone(route: Raw) -> None:
    assert warnings(kinds.ROUTES, route, None) == ()
