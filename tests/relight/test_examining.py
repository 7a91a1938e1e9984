"""What is read of a cluster, and what is said of what could not be read."""

from typing import Any

from relight.connection import Connection
from relight.examining import DEFAULTING, examine
from tests.relight.conftest import Cluster

DEFINITIONS = ("services.serving.knative.dev", "clusterservingruntimes.serving.kserve.io")


def named(name: str, namespace: str = "", **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name} | ({"namespace": namespace} if namespace else {}), **more}


async def test_facts(cluster: Cluster, connection: Connection) -> None:
    settings = named("relight-settings", "relight-system", data={"DOMAIN": "a.org"})
    cluster.put("v1", "configmaps", settings)
    cluster.put("apps/v1", "deployments", named("activator", "relight-system"))
    hooks = "mutatingwebhookconfigurations"
    cluster.put("admissionregistration.k8s.io/v1", hooks, named(DEFAULTING))
    cluster.put("admissionregistration.k8s.io/v1", hooks, named("stranger"))
    for name in DEFINITIONS:
        cluster.put("apiextensions.k8s.io/v1", "customresourcedefinitions", named(name))
    runtime = named("relight-onnx")
    cluster.put("serving.kserve.io/v1alpha1", "clusterservingruntimes", runtime)
    facts = await examine(connection)
    assert facts.version == "v1.99.0"
    assert facts.settings == {"DOMAIN": "a.org"}
    assert set(facts.deployments) == {("relight-system", "activator")}
    assert set(facts.webhooks) == {DEFAULTING}
    assert facts.runtimes == ("relight-onnx",)
    assert facts.trial == ""
    assert facts.questions == {"activator": "", "autoscaler": ""}
    assert (facts.lacking, facts.refused) == ((), {})
    assert ("policy/v1", "PodDisruptionBudget") in facts.served
    assert cluster.names("services") == set()


async def test_what_could_not_be_found_out_is_said(
    cluster: Cluster, connection: Connection
) -> None:
    name = DEFINITIONS[0]
    cluster.put("apiextensions.k8s.io/v1", "customresourcedefinitions", named(name))
    cluster.refused["GET /api/v1/namespaces/relight-system/secrets"] = (403, "not you")
    path = "/apis/serving.knative.dev/v1/namespaces/default/services"
    cluster.refused[f"POST {path}"] = (500, "failed calling webhook")
    question = "/api/v1/namespaces/relight-system/services/autoscaler:admin/proxy/healthz"
    cluster.refused[f"GET {question}"] = (503, "no endpoints")
    cluster.refused["GET /apis/metrics.k8s.io/v1beta1"] = (503, "its Pod is gone")
    facts = await examine(connection)
    assert facts.refused == {"secrets": "not you", "metrics.k8s.io/v1beta1": "its Pod is gone"}
    assert ("policy/v1", "PodDisruptionBudget") in facts.served
    assert facts.trial == "failed calling webhook"
    assert facts.questions["autoscaler"] == "no endpoints"


async def test_without_the_kinds_nothing_is_tried(connection: Connection) -> None:
    assert (await examine(connection)).trial is None


async def test_podautoscalers_that_nobody_could_wake_are_counted(
    cluster: Cluster, connection: Connection
) -> None:
    group = "autoscaling.internal.knative.dev"
    kind = ("PodAutoscaler", "podautoscalers", True)
    cluster.served[f"{group}/v1alpha1"] = [kind]
    definition = named(f"podautoscalers.{group}")
    cluster.put("apiextensions.k8s.io/v1", "customresourcedefinitions", definition)
    wakes = [{"type": "WakesFromZero", "status": "False", "severity": "Info"}]
    told = {"status": {"conditions": wakes}}
    cluster.put(f"{group}/v1alpha1", "podautoscalers", named("a", "default", **told))
    cluster.put(f"{group}/v1alpha1", "podautoscalers", named("b", "default"))
    assert (await examine(connection)).sleepless == 1
