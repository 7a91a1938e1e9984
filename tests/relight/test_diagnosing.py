"""What facts mean: a table of clusters and what is said of each."""

from dataclasses import replace
from typing import Any

import pytest

from api import crds
from relight.diagnosing import Grade, diagnose
from relight.examining import COMPONENTS, DEFAULTING, SYSTEM, VALIDATION, Facts
from tests.relight.test_certificates import secret

OURS = {"metadata": {"labels": {"app.kubernetes.io/part-of": "relight"}}}
NOW_S = 1_893_456_000.0  # 2030-01-01
FRESH = "2029-12-31T23:59:59.000000Z"
HOOK = {"webhooks": [{"clientConfig": {"caBundle": "QQ=="}}]}
STATUS = {"updatedReplicas": 2, "availableReplicas": 2, "replicas": 2}


def deployment(**status: Any) -> dict[str, Any]:
    return {"metadata": {}, "spec": {"replicas": 2}, "status": {**STATUS, **status}}


def lease(renewed: str) -> dict[str, Any]:
    return {"spec": {"holderIdentity": "pod-1", "renewTime": renewed}}


def certificate() -> dict[tuple[str, str], dict[str, Any]]:
    return {(SYSTEM, "webhook-certificate"): {"data": secret(30)}}


def pod(reason: str, namespace: str = SYSTEM, **labels: str) -> dict[str, Any]:
    waiting = {
        "name": "c",
        "image": "relight/activator:9",
        "state": {"waiting": {"reason": reason}},
    }
    metadata = {"name": "p", "namespace": namespace, "labels": labels}
    return {"metadata": metadata, "status": {"containerStatuses": [waiting]}}


WELL = Facts(
    version="v1.31.0",
    served=frozenset(
        {
            ("discovery.k8s.io/v1", "EndpointSlice"),
            ("policy/v1", "PodDisruptionBudget"),
            ("metrics.k8s.io/v1beta1", "NodeMetrics"),
        }
    ),
    definitions={("", name): OURS for name in crds.definitions()},
    deployments={(SYSTEM, name): deployment() for name in COMPONENTS},
    daemonsets={
        ("relight-node", "node-cache"): {"status": {"desiredNumberScheduled": 3, "numberReady": 3}}
    },
    leases={(SYSTEM, name): lease(FRESH) for name in ("autoscaler", "controller")},
    secrets=certificate(),
    settings={"DOMAIN": "a.org", "STATE": "redis://x"},
    webhooks={DEFAULTING: HOOK, VALIDATION: HOOK},
    nodes=(
        {"status": {"allocatable": {"cpu": "4", "nvidia.com/gpu": "2"}}},
        {"status": {"allocatable": {"cpu": "4", "nvidia.com/gpu": "1k", "amd.com/gpu": "0"}}},
    ),
    runtimes=("relight-onnx",),
    trial="",
    questions={"activator": "", "autoscaler": ""},
)


def test_all_is_well() -> None:
    found = diagnose(WELL, now_s=NOW_S)
    assert {each.grade for each in found} == {Grade.FINE}
    assert "GPUs: 1002 nvidia.com/gpu" in [each.text for each in found]
    assert len({each.text for each in found}) == len(found)


OLD = {("discovery.k8s.io/v1beta1", "EndpointSlice"), ("policy/v1", "PodDisruptionBudget")}
STUCK = deployment(availableReplicas=0, updatedReplicas=0)
PARTIAL = deployment(availableReplicas=1, updatedReplicas=1)


def among(name: str, raw: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {**WELL.deployments, (SYSTEM, name): raw}


@pytest.mark.parametrize(
    ("changes", "grade", "said"),
    [
        (
            {"served": frozenset(OLD)},
            Grade.NOTE,
            "EndpointSlices are served as discovery.k8s.io/v1b",
        ),
        ({"served": frozenset()}, Grade.WRONG, "EndpointSlices are not served"),
        ({"served": frozenset(OLD)}, Grade.NOTE, "no metrics API"),
        ({"definitions": {}}, Grade.WRONG, "definitions are missing: clusterserving"),
        ({"deployments": {}}, Grade.WRONG, "Relight is not installed"),
        ({"deployments": among("activator", STUCK)}, Grade.WRONG, "activator: 0 of 2 available"),
        ({"deployments": among("activator", PARTIAL)}, Grade.NOTE, "activator: 1 of 2 available; "),
        ({"leases": {}}, Grade.WRONG, "no autoscaler leads"),
        (
            {"leases": {**WELL.leases, (SYSTEM, "controller"): lease("2029-12-31T23:50:00Z")}},
            Grade.WRONG,
            "controller pod-1 leads, but was last heard of 600 s ago",
        ),
        ({"webhooks": {}}, Grade.WRONG, f"the API server does not ask {DEFAULTING}"),
        ({"webhooks": {VALIDATION: HOOK, DEFAULTING: {}}}, Grade.WRONG, "has no authority"),
        ({"secrets": {(SYSTEM, "webhook-certificate"): {}}}, Grade.WRONG, "no certificate yet"),
        ({"secrets": {}}, Grade.WRONG, "webhook-certificate is missing"),
        (
            {"secrets": {}, "refused": {"secrets": "no"}},
            Grade.NOTE,
            "could not look at secrets: no",
        ),
        ({"trial": "connection refused"}, Grade.WRONG, "can not be written: connection refused"),
        ({"questions": {"autoscaler": "no endpoints"}}, Grade.WRONG, "can not ask the autoscaler"),
        ({"runtimes": ("mine",)}, Grade.NOTE, "no serving runtime of Relight's"),
        ({"settings": {"DOMAIN": "example.com", "STATE": "x"}}, Grade.NOTE, "below example.com"),
        ({"settings": {}}, Grade.NOTE, "no Redis"),
        ({"daemonsets": {}}, Grade.NOTE, "no node cache"),
        (
            {
                "daemonsets": {
                    ("relight-node", "node-cache"): {"status": {"desiredNumberScheduled": 2}}
                }
            },
            Grade.WRONG,
            "ready on 0 of 2 nodes",
        ),
        ({"nodes": ()}, Grade.NOTE, "no node has a GPU"),
        ({"lacking": ("create namespaces",)}, Grade.NOTE, "you may not create namespaces"),
        ({"refused": {"nodes": "no"}}, Grade.NOTE, "could not look at nodes: no"),
        ({"pods": (pod("ErrImagePull"),)}, Grade.WRONG, "relight/activator:9 can not be pulled"),
        (
            {"pods": (pod("CrashLoopBackOff", "a", **{"serving.knative.dev/revision": "r"}),)},
            Grade.WRONG,
            "a: pod p: c ends again and again",
        ),
        (
            {"deployments": {**WELL.deployments, ("knative-serving", "controller"): deployment()}},
            Grade.NOTE,
            "Knative Serving is installed beside",
        ),
    ],
)
def test_what_is_said(changes: dict[str, Any], grade: Grade, said: str) -> None:
    found = diagnose(replace(WELL, **changes), now_s=NOW_S)
    assert [each.grade for each in found if said in each.text] == [grade]


def test_pods_of_others_are_none_of_ours() -> None:
    facts = replace(WELL, pods=(pod("ErrImagePull", "elsewhere"),))
    assert diagnose(facts, now_s=NOW_S) == diagnose(WELL, now_s=NOW_S)


def test_a_redis_that_was_never_told_where() -> None:
    env = [{"name": "STATE"}]
    raw = deployment()
    raw["spec"]["template"] = {"spec": {"containers": [{"env": env}]}}
    facts = replace(WELL, deployments=among("autoscaler", raw))
    wrong = [each.text for each in diagnose(facts, now_s=NOW_S) if each.grade is Grade.WRONG]
    assert wrong == ["the Secret relight-redis is missing: its `url` says where Redis is"]
    facts = replace(facts, secrets={**certificate(), (SYSTEM, "relight-redis"): {}})
    assert "windows are kept in Redis" in [e.text for e in diagnose(facts, now_s=NOW_S)]


def test_what_could_not_be_looked_at_is_not_judged() -> None:
    """An account that may read nothing: what it can not see is not said to be missing."""
    told = 'x is forbidden: User "u" cannot list resource "x"'
    plurals = (
        *("deployments", "daemonsets", "secrets", "leases", "configmaps", "nodes", "pods"),
        *("mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
        *("customresourcedefinitions", "clusterservingruntimes"),
    )
    blind = Facts(
        version=WELL.version,
        served=WELL.served,
        definitions={},
        trial=told,
        questions=dict.fromkeys(COMPONENTS[:2], told),
        refused=dict.fromkeys(plurals, told),
    )
    assert Grade.WRONG not in {each.grade for each in diagnose(blind, now_s=NOW_S)}
    seen = replace(
        blind,
        deployments=WELL.deployments,
        refused={name: why for name, why in blind.refused.items() if name != "deployments"},
    )
    found = diagnose(seen, now_s=NOW_S)
    assert Grade.WRONG not in {each.grade for each in found}
    said = "\n".join(each.text for each in found)
    assert "could not try to write a Service" in said
    assert "relight why can not ask the activator" in said
    for word in ("no Redis", "no node cache", "no node has a GPU", "no serving runtime"):
        assert word not in said


def test_a_pod_that_goes_is_let_go() -> None:
    going = pod("ImagePullBackOff")
    going["metadata"]["deletionTimestamp"] = FRESH
    assert diagnose(replace(WELL, pods=(going,)), now_s=NOW_S) == diagnose(WELL, now_s=NOW_S)


def test_a_gateway_that_is_set_has_to_be_there() -> None:
    asked = replace(WELL, settings={**WELL.settings, "GATEWAY": "infra/web"})
    [wrong] = [each for each in diagnose(asked, now_s=NOW_S) if each.grade is Grade.WRONG]
    assert wrong.text.startswith("GATEWAY is infra/web, and HTTPRoutes are not served")
    served = WELL.served | {("gateway.networking.k8s.io/v1", "HTTPRoute")}
    assert diagnose(replace(asked, served=served), now_s=NOW_S) == diagnose(WELL, now_s=NOW_S)


def beside(**changes: Any) -> Facts:
    """Knative Serving, and our autoscaler alone."""
    container = {"name": "autoscaler", "args": ["--beside-knative=knative-serving", "--tick-s="]}
    raw = deployment()
    raw["spec"]["template"] = {"spec": {"containers": [container]}}
    facts = Facts(
        version="v1.31.0",
        served=WELL.served,
        definitions={("", "podautoscalers.autoscaling.internal.knative.dev"): {"metadata": {}}},
        deployments={(SYSTEM, "autoscaler"): raw, ("knative-serving", "controller"): deployment()},
        leases={(SYSTEM, "autoscaler"): lease(FRESH)},
        settings={"STATE": "redis://x"},
        questions={"activator": "there is none", "autoscaler": ""},
        trial="a webhook of Knative's refuses it",
    )
    return replace(facts, **changes)


def test_beside_knative_only_the_autoscaler_is_ours() -> None:
    found = diagnose(beside(), now_s=NOW_S)
    assert {each.grade for each in found} == {Grade.FINE}
    assert "autoscaler: pod-1 leads" in [each.text for each in found]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sleepless": 3}, "3 revisions can not go to zero"),
        ({"definitions": {}}, "podautoscalers.autoscaling.internal.knative.dev is not defined"),
        ({"leases": {}}, "no autoscaler leads"),
        ({"questions": {"autoscaler": "no endpoints"}}, "can not ask the autoscaler"),
    ],
)
def test_what_is_wrong_beside_knative(changes: dict[str, Any], said: str) -> None:
    found = diagnose(beside(**changes), now_s=NOW_S)
    [wrong] = [each.text for each in found if each.grade is Grade.WRONG]
    assert said in wrong


def test_beside_knative_a_redis_is_a_setting() -> None:
    [note] = [e for e in diagnose(beside(settings={}), now_s=NOW_S) if e.grade is Grade.NOTE]
    assert note.advice.startswith("relight install --overlay beside-knative --set state=")


def test_beside_knative_there_is_knative() -> None:
    facts = beside()
    ours = {key: raw for key, raw in facts.deployments.items() if key[0] == SYSTEM}
    found = diagnose(replace(facts, deployments=ours), now_s=NOW_S)
    wrong = [each.text for each in found if each.grade is Grade.WRONG]
    assert wrong == [
        "there is no Knative Serving in knative-serving, beside which the autoscaler runs"
    ]
