"""Under load: Pods deleted, components crashed, our own version upgraded. No request may fail."""

import http.client
import os
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.k8s.cluster import SYSTEM, Cluster, isvc, service, wait_until
from tests.k8s.load import Load
from tests.k8s.node import crash
from tests.k8s.test_serving import celsius

pytestmark = pytest.mark.e2e
LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
INFER = "/v2/models/steady/infer"
FAILOVER_S = 15.0


@pytest.fixture
def host(cluster: Cluster, namespace: str, model_server: str) -> str:
    """A model with two replicas that stay."""
    made = isvc("steady", f"{model_server}/fahrenheit.onnx", minReplicas=2)
    cluster.apply(made, namespace=namespace)
    found = cluster.until_isvc(namespace, "steady")
    wait_until(
        lambda: len(ready(cluster.replicas(namespace, "steady-predictor"))) == 2, 60, "two replicas"
    )
    return found


def ready(pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        pod
        for pod in pods
        if any(
            each["type"] == "Ready" and each["status"] == "True"
            for each in pod["status"].get("conditions", ())
        )
    ]


@pytest.fixture(autouse=True)
def settled(cluster: Cluster) -> Iterator[None]:
    """What one test broke is whole again before the next."""
    yield
    until_whole(cluster)


def until_whole(cluster: Cluster, deadline_s: float = 120) -> None:
    def is_whole() -> bool:
        for each in cluster.items(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments"):
            told, wanted = each.get("status") or {}, each["spec"]["replicas"]
            counts = (told.get(f"{kind}Replicas", 0) for kind in ("available", "updated"))
            is_current = told.get("observedGeneration") == each["metadata"]["generation"]
            if not is_current or told.get("replicas") != wanted or set(counts) != {wanted}:
                return False
        return True

    wait_until(is_whole, deadline_s, "our components to be whole again")


def test_a_deleted_pod_drains(cluster: Cluster, namespace: str, host: str) -> None:
    before = {each["metadata"]["name"] for each in cluster.replicas(namespace, "steady-predictor")}
    with Load(cluster.entry, host, INFER, celsius()) as load:
        load.more()
        for name in sorted(before):
            cluster.kubectl("delete", "pod", name, "-n", namespace, "--wait=false")
            load.until(
                lambda name=name: (  # type: ignore[misc] # a lambda with a default
                    len(found := ready(cluster.replicas(namespace, "steady-predictor"))) == 2
                    and name not in {each["metadata"]["name"] for each in found}
                ),
                60,
                "another replica",
            )
        load.more()
    cluster.tell(f"a deleted Pod: {load.told()}")
    assert load.failures == []
    assert load.broken == 0


def leader(cluster: Cluster, component: str) -> dict[str, Any]:
    """The Pod that leads."""
    name = cluster.get(f"{LEASES}/{component}")["spec"].get("holderIdentity") or ""
    found = {pod["metadata"]["name"]: pod for pod in cluster.of(component)}
    assert name in found, f"{name or 'nobody'} leads as {component}"
    return found[name]


def crash_leader(cluster: Cluster, component: str) -> float:
    """End who leads; the seconds until somebody leads: another, or that Pod's next container."""
    crash(cluster, leader(cluster, component))
    ended = datetime.now(UTC)
    wait_until(
        lambda: _renewed(cluster, component) > ended, FAILOVER_S, f"another {component} to lead"
    )
    return (_renewed(cluster, component) - ended).total_seconds()


def _renewed(cluster: Cluster, component: str) -> datetime:
    told = str(cluster.get(f"{LEASES}/{component}")["spec"]["renewTime"])
    return datetime.fromisoformat(told)


def test_a_crash_of_an_activator(cluster: Cluster, namespace: str, host: str) -> None:
    """One of two is killed: neither callers of the Service nor an ingress that knows both fail."""
    pods = ready(cluster.of("activator"))
    assert len(pods) >= 2
    victim, *_ = pods
    by_service = Load(cluster.entry, host, INFER, celsius(), workers=2, patience_s=10)
    by_pods = Load([address(each) for each in pods], host, INFER, celsius(), workers=2)
    with by_service, by_pods:
        by_service.more()
        by_pods.more()
        crash_until_back(cluster, victim)
        by_service.more()
        by_pods.more()
    cluster.tell(f"a killed activator, by its Service: {by_service.told()}")
    cluster.tell(f"a killed activator, by an ingress: {by_pods.told()}")
    assert by_pods.failures == []
    assert set(by_pods.broken_at) == {address(victim)}, "it died, and nothing else did"
    assert by_service.failures == []


def test_a_crash_of_each_activator_while_requests_wait(cluster: Cluster, namespace: str) -> None:
    """One of them owns the queue. What waits at the other is lost with neither."""
    container = {"image": "example/hello:1", "command": ["python3", "examples/programs/work.py"]}
    annotations = {
        "autoscaling.knative.dev/min-scale": "2",
        "autoscaling.knative.dev/max-scale": "2",
    }
    made = service(
        "queue", container, annotations=annotations, containerConcurrency=1, timeoutSeconds=30
    )
    cluster.apply(made, namespace=namespace)
    host = cluster.until_service(namespace, "queue")
    pods = ready(cluster.of("activator"))
    assert len(pods) >= 2
    for victim in pods:
        with Load([address(each) for each in pods], host, "/?ms=50", workers=6) as load:
            load.more()
            crash_until_back(cluster, victim)
            load.more()
        cluster.tell(f"a killed activator with a queue: {load.told()}")
        assert load.failures == []
        assert set(load.broken_at) == {address(victim)}, "it died, and nothing else did"


def crash_until_back(cluster: Cluster, victim: dict[str, Any]) -> None:
    """End it; return when its Pod has another container, which is ready."""
    restarts = victim["status"]["containerStatuses"][0]["restartCount"]
    path = f"/api/v1/namespaces/{SYSTEM}/pods/{victim['metadata']['name']}"
    crash(cluster, victim)
    wait_until(
        lambda: (
            cluster.get(path)["status"]["containerStatuses"][0]["restartCount"] > restarts
            and ready([cluster.get(path)])
        ),
        90,
        "the activator to be back",
    )


def address(pod: dict[str, Any]) -> str:
    ports = pod["spec"]["containers"][0]["ports"]
    port = next(each["containerPort"] for each in ports if each["name"] == "http")
    return f"{pod['status']['podIP']}:{port}"


@pytest.mark.parametrize("component", ["autoscaler", "controller"])
def test_a_crash_of_a_leader(cluster: Cluster, namespace: str, host: str, component: str) -> None:
    """Another leads within 15 s; meanwhile nothing fails, and nothing is scaled down in error."""
    replicas = {p["metadata"]["name"] for p in cluster.replicas(namespace, "steady-predictor")}
    with Load(cluster.entry, host, INFER, celsius()) as load:
        load.more()
        took_s = crash_leader(cluster, component)
        load.more()
    cluster.tell(f"a killed {component}: another leads after {took_s:.1f} s; {load.told()}")
    assert load.failures == []
    assert load.broken == 0
    after = {p["metadata"]["name"] for p in cluster.replicas(namespace, "steady-predictor")}
    assert after == replicas


def test_from_zero_while_no_autoscaler_leads(cluster: Cluster, namespace: str) -> None:
    """A request that comes just after the leader died is held for what the next one does."""
    container = {"image": "example/hello:1", "command": ["python3", "examples/programs/hello.py"]}
    cluster.apply(service("late", container, timeoutSeconds=60), namespace=namespace)
    found = cluster.until_service(namespace, "late")
    cluster.until_zero(namespace, "late")
    crash(cluster, leader(cluster, "autoscaler"))
    answer = cluster.ask(found)
    assert answer.status == 200, answer.body


def test_windows_outlive_the_leader(cluster: Cluster, namespace: str) -> None:
    """What the last leader saw counts for the next: a service that is busy is not scaled down."""
    if not cluster.redis:
        pytest.skip("no Redis that Pods of this cluster reach")
    container = {"image": "example/hello:1", "command": ["python3", "examples/programs/work.py"]}
    annotations = {
        "autoscaling.knative.dev/window": "60s",
        "autoscaling.knative.dev/max-scale": "3",
    }
    made = service(
        "busy", container, annotations=annotations, containerConcurrency=1, timeoutSeconds=30
    )
    cluster.apply(made, namespace=namespace)
    found = cluster.until_service(namespace, "busy")
    with Load(cluster.entry, found, "/?ms=100", workers=3) as load:
        load.until(lambda: len(cluster.replicas(namespace, "busy")) == 3, 60, "three replicas")
        load.more()
        took_s = crash_leader(cluster, "autoscaler")
        fewest = 3
        ends = time.monotonic() + 8.0  # ticks of the new leader, each of which could scale down
        while time.monotonic() < ends:
            fewest = min(fewest, len(cluster.replicas(namespace, "busy")))
            load.more(5)
    cluster.tell(f"a busy service and a new leader after {took_s:.1f} s: {load.told()}")
    assert load.failures == []
    assert fewest == 3


def test_without_redis_requests_are_answered(cluster: Cluster, namespace: str, host: str) -> None:
    """It hangs: windows are not kept, and nobody waits for it, neither at zero nor above."""
    if not cluster.redis:
        pytest.skip("no Redis that Pods of this cluster reach")
    container = {"image": "example/hello:1", "command": ["python3", "examples/programs/hello.py"]}
    cluster.apply(service("woken", container, timeoutSeconds=60), namespace=namespace)
    found = cluster.until_service(namespace, "woken")
    os.kill(cluster.redis, signal.SIGSTOP)
    try:
        with Load(cluster.entry, host, INFER, celsius()) as load:
            load.more()
            assert cluster.ask(found).status == http.client.OK
            load.more()
    finally:
        os.kill(cluster.redis, signal.SIGCONT)
    assert load.failures == []


@pytest.mark.parametrize("component", ["activator", "autoscaler", "controller"])
def test_a_rolling_restart_of_a_component(
    cluster: Cluster, namespace: str, host: str, component: str
) -> None:
    with Load(cluster.entry, host, INFER, celsius()) as load:
        load.more()
        cluster.kubectl("rollout", "restart", f"deployment/{component}", "-n", SYSTEM)
        cluster.kubectl(
            "rollout", "status", f"deployment/{component}", "-n", SYSTEM, "--timeout=90s"
        )
        load.more()
    cluster.tell(f"a restarted {component}: {load.told()}")
    assert load.failures == []
    assert load.broken == 0, "whoever ends in good order breaks nothing"


def test_an_upgrade_of_our_own_version(cluster: Cluster, namespace: str, host: str) -> None:
    """`relight install` of the next tag while requests come: all of it rolls, replicas as well."""
    _, following = cluster.images
    images = [f"--image-prefix={cluster.prefix}"] if cluster.prefix else []
    with Load(cluster.entry, host, INFER, celsius()) as load:
        load.more()
        cluster.relight("install", "--image-tag", following, *images)
        load.until(lambda: is_running(cluster, following), 180, f"{following} everywhere")
        until_whole(cluster)
        load.until(
            lambda: (
                len(pods := ready(cluster.replicas(namespace, "steady-predictor"))) == 2
                and tags(pods) == {following}
            ),
            180,
            f"replicas of {following}",
        )
        load.more(200)
    cluster.tell(f"an upgrade: {load.told()}")
    assert load.failures == []
    assert load.broken == 0
    assert cluster.ask(host, INFER, celsius()).status == http.client.OK


def is_running(cluster: Cluster, tag: str) -> bool:
    pods = [p for each in ("activator", "autoscaler", "controller") for p in cluster.of(each)]
    return tags(pods) == {tag}


def tags(pods: list[dict[str, Any]]) -> set[str]:
    return {each["spec"]["containers"][0]["image"].rpartition(":")[2] for each in pods}
