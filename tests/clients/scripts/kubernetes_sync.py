"""The Python package kubernetes: typed APIs, custom objects, the dynamic client, a lease."""

import threading
import uuid
from datetime import UTC, datetime
from typing import Any

import facts
from kubernetes import client, config, dynamic, watch
from kubernetes.leaderelection import electionconfig, leaderelection

try:
    from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock as Lock
except ImportError:  # before 37 its leaders wrote into a ConfigMap
    from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock as Lock

NAMESPACE = facts.NAMESPACE


def custom(coordinates: tuple[str, str, str], body: dict[str, Any]) -> dict[str, Any]:
    """Create, wait by a watch, list, patch, replace, status, conflict, delete."""
    group, version, plural = coordinates
    api = client.CustomObjectsApi()
    at = (group, version, NAMESPACE, plural)
    name = body["metadata"]["name"]
    created = api.create_namespaced_custom_object(*at, body)
    seen = []
    stream = watch.Watch()
    for event in stream.stream(
        api.list_namespaced_custom_object,
        *at,
        resource_version=created["metadata"]["resourceVersion"],
        field_selector=f"metadata.name={name}",
        timeout_seconds=int(facts.DEADLINE_S),
    ):
        seen.append(event["type"])
        if facts.is_ready(event["object"]):
            seen.append("READY")
            stream.stop()
    listed = api.list_namespaced_custom_object(*at, label_selector="client=kubernetes")
    everywhere = api.list_cluster_custom_object(group, version, plural)
    patched = api.patch_namespaced_custom_object(
        *at, name, {"metadata": {"annotations": {"example.com/note": "patched"}}}
    )

    def replace() -> dict[str, Any] | None:
        current = api.get_namespaced_custom_object(*at, name)
        current["metadata"]["labels"]["replaced"] = "yes"
        try:
            return api.replace_namespaced_custom_object(*at, name, current)
        except client.ApiException as error:
            if error.status != 409:  # somebody wrote its status meanwhile
                raise
            return None

    current = facts.until(replace, "a moment to replace it")
    try:
        api.replace_namespaced_custom_object(
            *at, name, {**current, "metadata": {**current["metadata"], "resourceVersion": "1"}}
        )
        conflict = 0
    except client.ApiException as error:
        conflict = error.status
    status = api.get_namespaced_custom_object_status(*at, name)
    deleted = api.delete_namespaced_custom_object(
        *at, name, body=client.V1DeleteOptions(propagation_policy="Foreground")
    )
    facts.until(lambda: is_gone(lambda: api.get_namespaced_custom_object(*at, name)), "its end")
    return {
        "watched": sorted(set(seen)),
        "listed": [found["metadata"]["name"] for found in listed["items"]],
        "everywhere": name in [found["metadata"]["name"] for found in everywhere["items"]],
        "patched": patched["metadata"]["annotations"].get("example.com/note"),
        "replaced": current["metadata"]["labels"].get("replaced"),
        "conflict": conflict,
        "status": sorted(status["status"]),
        "deleted": deleted["kind"],
    }


def is_gone(look: Any) -> bool:
    try:
        look()
    except client.ApiException as error:
        if error.status != 404:
            raise
        return True
    return False


def core() -> dict[str, Any]:
    """Namespaces, Pods and their logs, ConfigMaps, Secrets, Events: all typed."""
    api = client.CoreV1Api()
    named = client.V1Namespace(metadata=client.V1ObjectMeta(name="clients-core"))
    api.create_namespace(named)
    api.create_namespaced_pod(NAMESPACE, facts.pod("kubernetes-pod"))
    running = facts.until(
        lambda: (
            found
            if (found := api.read_namespaced_pod("kubernetes-pod", NAMESPACE)).status.phase
            == "Running"
            else None
        ),
        "the Pod to run",
    )
    log = facts.until(
        lambda: (
            text
            if "world" in (text := api.read_namespaced_pod_log("kubernetes-pod", NAMESPACE))
            else ""
        ),
        "its log",
    )
    tail = api.read_namespaced_pod_log("kubernetes-pod", NAMESPACE, tail_lines=1)
    followed: list[str] = []
    for line in watch.Watch().stream(
        api.read_namespaced_pod_log, name="kubernetes-pod", namespace=NAMESPACE, follow=True
    ):
        followed.append(line)
        if line == "world":
            break
    api.create_namespaced_config_map(
        "clients-core", client.V1ConfigMap(metadata={"name": "words"}, data={"a": "b"})
    )
    api.patch_namespaced_config_map("words", "clients-core", {"data": {"c": "d"}})
    api.create_namespaced_secret(
        "clients-core", client.V1Secret(metadata={"name": "key"}, string_data={"k": "v"})
    )
    events = api.list_namespaced_event(NAMESPACE)
    involved = client.V1ObjectReference(kind="Pod", name="kubernetes-pod", namespace=NAMESPACE)
    noted = api.create_namespaced_event(
        NAMESPACE,
        client.CoreV1Event(
            metadata={"generateName": "kubernetes-"},
            involved_object=involved,
            reason="Tried",
            message="by a client",
            type="Normal",
        ),
    )
    found = {
        "phase": running.status.phase,
        "ip": running.status.pod_ip,
        "containers": [s.ready for s in running.status.container_statuses],
        "log": log,
        "tail": tail,
        "followed": followed,
        "configmap": api.read_namespaced_config_map("words", "clients-core").data,
        "secret": api.read_namespaced_secret("key", "clients-core").data,
        "events": len(events.items),
        "noted": noted.metadata.name,
        "nodes": len(api.list_node().items),
        "accounts": [
            found.metadata.name
            for found in api.list_namespaced_service_account("clients-core").items
        ],
    }
    api.delete_namespaced_pod("kubernetes-pod", NAMESPACE)
    facts.until(
        lambda: is_gone(lambda: api.read_namespaced_pod("kubernetes-pod", NAMESPACE)),
        "the Pod's end",
    )
    api.delete_namespace("clients-core")
    facts.until(lambda: is_gone(lambda: api.read_namespace("clients-core")), "the namespace's end")
    return found


def apps() -> dict[str, Any]:
    """A Deployment, scaled by its subresource and by a patch of it."""
    api = client.AppsV1Api()
    name = "kubernetes-deployment"
    api.create_namespaced_deployment(NAMESPACE, facts.deployment(name))

    def available(count: int) -> Any:
        found = api.read_namespaced_deployment(name, NAMESPACE)
        return found if (found.status.available_replicas or 0) == count else None

    def replace() -> Any:
        current = api.read_namespaced_deployment_scale(name, NAMESPACE)
        current.spec.replicas = 2
        try:
            return api.replace_namespaced_deployment_scale(name, NAMESPACE, current)
        except client.ApiException as error:
            if error.status != 409:  # somebody wrote its status meanwhile
                raise
            return None

    facts.until(lambda: available(1), "one replica")
    scale = facts.until(replace, "a moment to scale it")
    facts.until(lambda: available(2), "two replicas")
    scaled = api.patch_namespaced_deployment_scale(name, NAMESPACE, {"spec": {"replicas": 0}})
    facts.until(lambda: available(0), "no replica")
    api.delete_namespaced_deployment(name, NAMESPACE)
    facts.until(lambda: is_gone(lambda: api.read_namespaced_deployment(name, NAMESPACE)), "its end")
    return {"selector": scale.status.selector, "scaled": scaled.spec.replicas}


def by_discovery() -> dict[str, Any]:
    """The dynamic client: what discovery says, server-side apply with a conflict, a watch."""
    api = dynamic.DynamicClient(client.ApiClient())
    services = api.resources.get(api_version="serving.knative.dev/v1", kind="Service")
    by_short = api.resources.get(short_names=["isvc"])
    body = facts.ksvc("kubernetes-dynamic", owner="first")
    applied = api.server_side_apply(
        services, body=body, name="kubernetes-dynamic", namespace=NAMESPACE, field_manager="one"
    )
    theirs = {**body, "metadata": {**body["metadata"], "labels": {"owner": "second"}}}
    try:
        api.server_side_apply(services, body=theirs, namespace=NAMESPACE, field_manager="two")
        conflict = ""
    except dynamic.exceptions.ConflictError as error:
        conflict = error.summary()
    forced = api.server_side_apply(
        services, body=theirs, namespace=NAMESPACE, field_manager="two", force_conflicts=True
    )
    seen = []
    for event in services.watch(namespace=NAMESPACE, timeout=int(facts.DEADLINE_S)):
        seen.append(event["type"])
        if event["object"].metadata.name != "kubernetes-dynamic":
            continue
        if event["type"] == "DELETED":
            break
        if facts.is_ready(event["raw_object"]) and seen.count("DELETING") == 0:
            services.delete(name="kubernetes-dynamic", namespace=NAMESPACE)
            seen.append("DELETING")
    return {
        "kinds": [services.kind, by_short.kind],
        "scoped": services.namespaced,
        "verbs": sorted(services.verbs),
        "subresources": sorted(services.subresources),
        "version": api.version["kubernetes"]["gitVersion"],
        "manager": [m.manager for m in applied.metadata.managedFields],
        "conflict": conflict,
        "forced": forced.metadata.labels.owner,
        "watched": sorted(set(seen)),
    }


def definitions() -> dict[str, Any]:
    """A CustomResourceDefinition made, used, and taken away."""
    api, custom_api = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    definition = facts.definition("widgets", "Widget")
    name = definition["metadata"]["name"]
    api.create_custom_resource_definition(definition)

    def is_established() -> bool:
        found = api.read_custom_resource_definition(name)
        conditions = {c.type: c.status for c in found.status.conditions or []}
        return conditions.get("Established") == "True"

    facts.until(is_established, "the definition to be established")
    at = ("clients.example.com", "v1", NAMESPACE, "widgets")
    body = {"apiVersion": "clients.example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    made = custom_api.create_namespaced_custom_object(*at, {**body, "spec": {"word": "x"}})
    status = custom_api.patch_namespaced_custom_object_status(*at, "w", {"status": {"ok": True}})
    try:
        custom_api.patch_namespaced_custom_object(*at, "w", {"spec": {"size": -1}})
        refused = ""
    except client.ApiException as error:
        refused = error.body
    api.delete_custom_resource_definition(name)
    facts.until(lambda: is_gone(lambda: api.read_custom_resource_definition(name)), "its end")
    return {"size": made["spec"]["size"], "status": status["status"], "refused": refused}


def leads() -> dict[str, Any]:
    """Leader election: one of two leads."""
    identities = [f"candidate-{uuid.uuid4()}" for _ in range(2)]
    led: list[str] = []
    over = threading.Event()

    def run(identity: str) -> None:
        def lead() -> None:
            led.append(identity)
            over.set()

        settings = electionconfig.Config(
            Lock("clients-leader", NAMESPACE, identity),
            lease_duration=17,
            renew_deadline=15,
            retry_period=5,
            onstarted_leading=lead,
            onstopped_leading=None,
        )
        leaderelection.LeaderElection(settings).run()

    for identity in identities:
        threading.Thread(target=run, args=(identity,), daemon=True).start()
    if not over.wait(facts.DEADLINE_S):
        raise TimeoutError("nobody led")
    return {"leaders": led == identities[:1] or led == identities[1:]}


def leases() -> dict[str, Any]:
    """A Lease taken, renewed, and lost by who read it before."""
    api = client.CoordinationV1Api()
    now = datetime.now(UTC)
    spec = client.V1LeaseSpec(holder_identity="a", lease_duration_seconds=15, acquire_time=now)
    taken = api.create_namespaced_lease(
        NAMESPACE, client.V1Lease(metadata=client.V1ObjectMeta(name="clients-lease"), spec=spec)
    )
    renewed = api.read_namespaced_lease("clients-lease", NAMESPACE)
    renewed.spec.renew_time = now
    renewed = api.replace_namespaced_lease("clients-lease", NAMESPACE, renewed)
    taken.spec.holder_identity = "b"
    try:
        api.replace_namespaced_lease("clients-lease", NAMESPACE, taken)
        late = 0
    except client.ApiException as error:
        late = error.status
    api.delete_namespaced_lease("clients-lease", NAMESPACE)
    is_kept = renewed.spec.renew_time == now and renewed.spec.acquire_time == now
    return {"holder": renewed.spec.holder_identity, "late": late, "times": is_kept}


def main() -> None:
    config.load_kube_config(facts.KUBECONFIG)
    may = client.AuthorizationV1Api().create_self_subject_access_review(
        facts.review("create", "serving.knative.dev", "services")
    )
    facts.tell(
        ksvc=custom(facts.SERVING, facts.ksvc("kubernetes-ksvc", client="kubernetes")),
        isvc=custom(facts.KSERVE, facts.isvc("kubernetes-isvc", client="kubernetes")),
        core=core(),
        apps=apps(),
        dynamic=by_discovery(),
        definitions=definitions(),
        allowed=may.status.allowed,
        election=leads(),
        lease=leases(),
        version=client.VersionApi().get_code().git_version,
    )


main()
