"""What counts as the same status: without a cluster."""

import json
from pathlib import Path

from tests.k8s.access import granted, table, used
from tests.k8s.comparing import comparable, difference

ONE = {
    "conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"},
        {"type": "Active", "status": "True"},
    ],
    "url": "http://a.default.localhost:8080",
    "traffic": [{"percent": 100, "revisionName": "a-1", "url": "x"}],
}


def test_times_and_addresses_are_set_aside_and_conditions_have_no_order() -> None:
    other = {
        "conditions": [
            {"type": "Active", "status": "True"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-06-06T00:00:00Z"},
        ],
        "url": "http://a.default.example.com",
        "traffic": [{"percent": 100, "revisionName": "a-1", "url": "y"}],
    }
    assert difference({"Service a": ONE}, {"Service a": other}) == ""


def test_anything_else_is_a_difference_that_names_its_object() -> None:
    told = difference({"Service a": ONE}, {"Service a": {**ONE, "observedGeneration": 1}})
    assert '+  "observedGeneration": 1' in told
    assert difference({"a": {}}, {})
    assert comparable({"list": [3, {"time": 1}]}) == {"list": [3, {}]}


def test_rights_are_read_from_roles_and_from_the_audit_log(tmp_path: Path) -> None:
    def event(who: str, verb: str, decision: str, **at: str) -> str:
        said = {"authorization.k8s.io/decision": decision}
        return json.dumps(
            {
                "user": {"username": f"system:serviceaccount:relight-system:{who}"},
                "verb": verb,
                "requestURI": "/x?y",
                "annotations": said,
                **({"objectRef": at} if at else {}),
            }
        )

    log = tmp_path / "log"
    written = {"resource": "deployments", "apiGroup": "apps", "subresource": "scale"}
    lines = [
        event("autoscaler", "patch", "allow", **written),
        event("autoscaler", "patch", "allow", **written),
        event("autoscaler", "get", "allow"),
        event("controller", "list", "forbid", resource="secrets"),
    ]
    log.write_text("\n".join(lines))
    uses, forbidden = used(log)
    patch = ("apps", "deployments/scale", "patch")
    assert uses == {"autoscaler": {patch: 2, ("", "/x", "get"): 1}}
    assert forbidden == ["controller  secrets list: /x?y"]
    rule = {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]}
    grants = granted([{"rules": [rule]}])
    assert grants == {patch, ("apps", "deployments/scale", "get")}
    told = table("autoscaler", uses["autoscaler"], grants)
    assert told[2].split() == ["deployments/scale.apps", "patch(2)", "·", "get"]
