"""What is taken out of a cluster, and what is not."""

from typing import Any

import pytest

from relight import removing
from relight.connection import Connection
from tests.relight.conftest import Cluster

OURS = {"app.kubernetes.io/part-of": "relight"}


def put(cluster: Cluster, version: str, plural: str, name: str, **more: Any) -> None:
    namespace = more.pop("namespace", "relight-system")
    labels = more.pop("labels", OURS)
    metadata = {"name": name, "labels": labels} | ({"namespace": namespace} if namespace else {})
    cluster.put(version, plural, {"metadata": metadata, **more})


async def test_only_what_is_ours_in_our_namespaces(
    cluster: Cluster, connection: Connection
) -> None:
    put(cluster, "apps/v1", "deployments", "activator")
    put(cluster, "apps/v1", "deployments", "stranger", labels={})
    put(cluster, "apps/v1", "deployments", "tenant", namespace="default")
    put(cluster, "rbac.authorization.k8s.io/v1", "clusterroles", "relight-activator", namespace="")
    found = await removing.ours(connection)
    assert [each.title for each in found] == [
        "Deployment relight-system/activator",
        "ClusterRole relight-activator",
    ]


async def test_pruning_keeps_what_was_applied_and_data(
    cluster: Cluster, connection: Connection
) -> None:
    put(cluster, "apps/v1", "deployments", "activator")
    put(cluster, "autoscaling/v2", "horizontalpodautoscalers", "activator")
    put(cluster, "apps/v1", "statefulsets", "redis")
    gone = await removing.prune(connection, {("Deployment", "relight-system", "activator")})
    assert gone == ["HorizontalPodAutoscaler relight-system/activator"]
    assert cluster.names("statefulsets") == {"redis"}
    assert cluster.names("deployments") == {"activator"}


async def test_warm_pods_are_found_in_every_namespace(
    cluster: Cluster, connection: Connection
) -> None:
    put(cluster, "v1", "pods", "warm", namespace="a", labels={"relight.dev/pool": "x"})
    put(cluster, "v1", "pods", "other", namespace="a", labels={})
    assert [each.title for each in await removing.warm_pods(connection)] == ["Pod a/warm"]


async def test_objects_are_counted(cluster: Cluster, connection: Connection) -> None:
    put(cluster, "serving.knative.dev/v1", "services", "iris", namespace="default")
    plural = "clusterservingruntimes"
    shipped = {"app.kubernetes.io/managed-by": "relight"}
    put(cluster, "serving.kserve.io/v1alpha1", plural, "relight-onnx", namespace="", labels=shipped)
    assert await removing.count_of(connection, "services.serving.knative.dev") == 1
    assert await removing.count_of(connection, f"{plural}.serving.kserve.io") == 0
    assert await removing.count_of(connection, "cows.farm.dev") == 0


async def test_one_that_is_gone_already_is_fine(connection: Connection) -> None:
    found = removing.Found(resource=removing.kinds.PODS, namespace="relight-system", name="nobody")
    await removing.remove(connection, found)


@pytest.mark.parametrize(
    ("labels", "owner"),
    [
        (None, "somebody else"),
        (OURS, ""),
        ({"app.kubernetes.io/name": "relight"}, ""),  # one file of ours, by kubectl apply
        ({"knative.dev/crd-install": "true"}, "Knative"),
        ({"app.kubernetes.io/part-of": "kserve"}, "kserve"),
        ({"app.kubernetes.io/managed-by": "Helm"}, "Helm"),
    ],
)
def test_owners(labels: Any, owner: str) -> None:
    assert removing.foreign_owner({"metadata": {"labels": labels}}) == owner
