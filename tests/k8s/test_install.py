"""What `relight install` leaves on a cluster, and that doing it again changes nothing."""

import pytest

from tests.k8s.cluster import SYSTEM, Cluster, wait_until
from tests.k8s.conftest import COMPONENTS

pytestmark = pytest.mark.e2e
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"


def test_every_component_is_available(cluster: Cluster) -> None:
    def unavailable() -> list[str]:
        return [
            each["metadata"]["name"]
            for each in cluster.items(DEPLOYMENTS)
            if (each.get("status") or {}).get("availableReplicas", 0) < each["spec"]["replicas"]
        ]

    wait_until(lambda: not unavailable(), 90, f"all of {DEPLOYMENTS} to be available")
    names = {each["metadata"]["name"] for each in cluster.items(DEPLOYMENTS)}
    assert names >= set(COMPONENTS)


@pytest.mark.parametrize("component", COMPONENTS)
def test_components_run_with_no_more_rights_than_they_need(
    cluster: Cluster, component: str
) -> None:
    for pod in cluster.of(component):
        spec = pod["spec"]
        assert spec["serviceAccountName"] == component
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"].keys() >= {"cpu", "memory"}


def test_two_of_each_component_and_a_leader_of_those_that_need_one(cluster: Cluster) -> None:
    for component in COMPONENTS:
        assert len(cluster.of(component)) >= 2, component
    for component in ("autoscaler", "controller"):
        path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases/{component}"
        holder = cluster.get(path)["spec"]["holderIdentity"]
        assert holder in {each["metadata"]["name"] for each in cluster.of(component)}


def test_the_doctor_finds_nothing_wrong(cluster: Cluster) -> None:
    cluster.relight("doctor")


def test_a_mistake_is_refused_by_name_at_admission(cluster: Cluster, namespace: str) -> None:
    wrong = {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": "wrong", "namespace": namespace},
        "spec": {
            "template": {
                "spec": {"containerConcurrency": -1, "containers": [{"image": "example/hello:1"}]}
            }
        },
    }
    path = f"/apis/serving.knative.dev/v1/namespaces/{namespace}/services"
    answer = cluster.call("POST", path, wrong)
    assert answer.status in (400, 403, 422), answer.body
    assert b"containerConcurrency" in answer.body
