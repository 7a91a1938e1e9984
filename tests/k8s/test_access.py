"""Least privilege, proved: every right that a component used was granted, and none is idle.

It runs last (conftest.py), on the audit log that hack/cluster.sh has the API server write.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.k8s.access import Right, granted, table, used
from tests.k8s.cluster import SYSTEM, Cluster, wait_until
from tests.k8s.conftest import COMPONENTS, HERE

pytestmark = pytest.mark.e2e

# Granted, and not used in this suite: each with the reason why it is there. `*` is any.
AGAIN = "an Event that happens again soon: not in every run"
OWNERS = "asked by OwnerReferencesPermissionEnforcement alone, which OpenShift has"
NO_GATEWAY = "only with --gateway, on a cluster that has Gateway API"
IDLE: dict[tuple[str, str, str, str], str] = {
    ("autoscaler", "", "pods", "delete"): "a warm Pod that was claimed and can not be used",
    ("autoscaler", "autoscaling", "horizontalpodautoscalers", "delete"): (
        "of a PodAutoscaler that left class hpa: Revisions never do, an administrator's default may"
    ),
    ("autoscaler", "", "events", "patch"): AGAIN,
    ("controller", "", "events", "patch"): AGAIN,
    ("controller", "discovery.k8s.io", "endpointslices/restricted", "create"): (
        "asked where a cluster restricts to which Pods an EndpointSlice may lead, as OpenShift does"
    ),
    ("controller", "gateway.networking.k8s.io", "httproutes", "*"): NO_GATEWAY,
    ("controller", "serving.knative.dev", "services/finalizers", "update"): OWNERS,
    ("controller", "serving.knative.dev", "configurations/finalizers", "update"): OWNERS,
    ("controller", "serving.knative.dev", "routes/finalizers", "update"): OWNERS,
    ("controller", "serving.knative.dev", "revisions/finalizers", "update"): OWNERS,
    ("controller", "serving.kserve.io", "inferenceservices/finalizers", "update"): OWNERS,
}
# Granted to everyone by Kubernetes itself.
EVERYONES = ("/api", "/apis", "/openapi", "/version", "/healthz", "/readyz", "/livez")


def roles_of(cluster: Cluster, account: str) -> list[dict[str, Any]]:
    """The rules that bindings give a ServiceAccount of ours; none may be one we did not ship."""
    group = "/apis/rbac.authorization.k8s.io/v1"
    found = []
    for kind, home in (("clusterrolebindings", "clusterroles"), ("rolebindings", "roles")):
        for binding in cluster.items(f"{group}/{kind}"):
            subjects = binding.get("subjects") or ()
            wanted = {"kind": "ServiceAccount", "name": account, "namespace": SYSTEM}
            if not any(wanted.items() <= each.items() for each in subjects):
                continue
            ref, space = binding["roleRef"], binding["metadata"].get("namespace")
            is_role = ref["kind"] == "Role"
            path = f"{group}/namespaces/{space}/roles" if is_role else f"{group}/clusterroles"
            found.append(cluster.get(f"{path}/{ref['name']}"))
            assert ref["name"] != "cluster-admin", f"{home}: {account} may do everything"
    return found


@pytest.fixture(scope="session")
def log(cluster: Cluster) -> Path:
    """Of a watch the server writes when it ends: as those of an older version's Pods do."""
    if cluster.state is None or not (cluster.state / "audit/log").exists():
        pytest.skip("nobody here can read the audit log of this cluster's API server")
    wait_until(
        lambda: not any("deletionTimestamp" in p["metadata"] for p in cluster.pods(SYSTEM)),
        120,
        "our Pods of the version before to be gone",
    )
    return cluster.state / "audit/log"


def test_nothing_was_forbidden(log: Path) -> None:
    _, forbidden = used(log)
    assert sorted(set(forbidden)) == []


@pytest.mark.parametrize("component", COMPONENTS)
def test_what_was_used_is_what_was_granted(
    cluster: Cluster, log: Path, component: str, request: pytest.FixtureRequest
) -> None:
    uses = used(log)[0].get(component)
    assert uses, f"{component} asked nothing under its ServiceAccount"
    grants = granted(roles_of(cluster, component))
    cluster.tell("\n".join(table(component, uses, grants)))
    beyond = [each for each in uses if each not in grants and not is_everyones(each)]
    assert beyond == []
    ran = {item.path for item in request.session.items}
    if missing := sorted(each.name for each in HERE.glob("test_*.py") if each not in ran):
        pytest.skip(
            f"what is never used is known of the whole suite; not run: {', '.join(missing)}"
        )
    idle = sorted(each for each in grants - uses.keys() if reason(component, each) is None)
    assert idle == [], "granted and never used: take it away, or say why in IDLE"


def is_everyones(right: Right) -> bool:
    group, resource, verb = right
    return (not group and resource.startswith(EVERYONES) and verb == "get") or group.startswith(
        "authorization.k8s.io"
    )


def reason(component: str, right: Right) -> str | None:
    for known, told in IDLE.items():
        if all(want in ("*", have) for want, have in zip(known, (component, *right), strict=True)):
            return told
    return None


def test_what_is_explained_is_granted(cluster: Cluster) -> None:
    for component, group, resource, verb in IDLE:
        verbs = {
            each[2]
            for each in granted(roles_of(cluster, component))
            if each[:2] == (group, resource)
        }
        assert verbs if verb == "*" else verb in verbs, f"{component}: {verb} {resource}.{group}"


def test_no_role_of_ours_has_a_star_or_all_secrets(cluster: Cluster) -> None:
    for component in COMPONENTS:
        for role in roles_of(cluster, component):
            text = json.dumps(role["rules"])
            assert '"*"' not in text, role["metadata"]["name"]
            is_everywhere = "namespace" not in role["metadata"]
            for rule in role["rules"]:
                names_secrets = "secrets" in rule.get("resources", ())
                assert not (is_everywhere and names_secrets), "secrets of every namespace"
