"""The Python package kubernetes_asyncio: the core of the same, with its own watch streams."""

import asyncio
from typing import Any

import facts
from kubernetes_asyncio import client, config, dynamic, watch

NAMESPACE = facts.NAMESPACE


async def until_gone(look: Any) -> None:
    async with asyncio.timeout(facts.DEADLINE_S):
        while True:
            try:
                await look()
            except client.ApiException as error:
                if error.status != 404:
                    raise
                return
            await asyncio.sleep(0.05)


async def custom(
    connection: client.ApiClient, coordinates: tuple[str, str, str], body: dict[str, Any]
) -> dict[str, Any]:
    """Create while a watch looks on, patch, delete; the watch tells of all three."""
    api = client.CustomObjectsApi(connection)
    at, name = (*coordinates[:2], NAMESPACE, coordinates[2]), body["metadata"]["name"]
    first = await api.list_namespaced_custom_object(*at)
    seen: list[str] = []
    is_patched = False
    created = await api.create_namespaced_custom_object(*at, body)
    async with watch.Watch() as stream, asyncio.timeout(facts.DEADLINE_S):
        async for event in stream.stream(
            api.list_namespaced_custom_object,
            *at,
            resource_version=first["metadata"]["resourceVersion"],
            field_selector=f"metadata.name={name}",
            timeout_seconds=int(facts.DEADLINE_S),
        ):
            found = event["object"]
            seen.append(event["type"])
            if event["type"] == "DELETED":
                break
            if facts.is_ready(found) and not is_patched:
                is_patched = True
                await api.patch_namespaced_custom_object(
                    *at,
                    name,
                    {"metadata": {"labels": {"patched": "yes"}}},
                    _content_type="application/merge-patch+json",
                )
            elif found["metadata"]["labels"].get("patched") and "deleting" not in seen:
                seen.append("deleting")
                await api.delete_namespaced_custom_object(*at, name)
    await until_gone(lambda: api.get_namespaced_custom_object(*at, name))
    return {"generation": created["metadata"]["generation"], "seen": sorted(set(seen))}


async def core(connection: client.ApiClient) -> dict[str, Any]:
    """A Pod and its log, a ConfigMap, a Deployment scaled."""
    api, apps = client.CoreV1Api(connection), client.AppsV1Api(connection)
    name = "kubernetes-asyncio"
    await api.create_namespaced_pod(NAMESPACE, facts.pod(name))
    phases = []
    async with watch.Watch() as stream, asyncio.timeout(facts.DEADLINE_S):
        async for event in stream.stream(
            api.list_namespaced_pod, NAMESPACE, field_selector=f"metadata.name={name}"
        ):
            phases.append(event["object"].status.phase)
            if phases[-1] == "Running":
                break
    lines: list[str] = []
    async with watch.Watch() as stream, asyncio.timeout(facts.DEADLINE_S):
        async for line in stream.stream(
            api.read_namespaced_pod_log, name=name, namespace=NAMESPACE, follow=True
        ):
            lines.append(line)
            if line.strip() == "world":
                break
    await api.delete_namespaced_pod(name, NAMESPACE)
    await api.create_namespaced_config_map(
        NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data={"a": "b"})
    )
    kept = await api.read_namespaced_config_map(name, NAMESPACE)
    await api.delete_namespaced_config_map(name, NAMESPACE)
    await apps.create_namespaced_deployment(NAMESPACE, facts.deployment(name))
    scaled = await apps.patch_namespaced_deployment_scale(
        name, NAMESPACE, {"spec": {"replicas": 2}}, _content_type="application/merge-patch+json"
    )
    await apps.delete_namespaced_deployment(name, NAMESPACE)
    await until_gone(lambda: api.read_namespaced_pod(name, NAMESPACE))
    await until_gone(lambda: apps.read_namespaced_deployment(name, NAMESPACE))
    return {"phase": phases[-1], "log": lines, "data": kept.data, "scaled": scaled.spec.replicas}


async def by_discovery(connection: client.ApiClient) -> dict[str, Any]:
    """The dynamic client finds the kind, and applies."""
    api = await dynamic.DynamicClient(connection)
    kind = await api.resources.get(api_version="serving.kserve.io/v1beta1", kind="InferenceService")
    name = "asyncio-dynamic"
    applied = await kind.server_side_apply(
        body=facts.isvc(name), name=name, namespace=NAMESPACE, field_manager="async"
    )
    await kind.delete(name=name, namespace=NAMESPACE)
    return {"kind": kind.kind, "applied": applied.metadata.managedFields[0].operation}


async def main() -> None:
    await config.load_kube_config(facts.KUBECONFIG)
    async with client.ApiClient() as connection:
        may = await client.AuthorizationV1Api(connection).create_self_subject_access_review(
            facts.review("create", "serving.kserve.io", "inferenceservices")
        )
        ksvc, isvc = facts.ksvc("asyncio-ksvc", a="b"), facts.isvc("asyncio-isvc", a="b")
        facts.tell(
            ksvc=await custom(connection, facts.SERVING, ksvc),
            isvc=await custom(connection, facts.KSERVE, isvc),
            core=await core(connection),
            dynamic=await by_discovery(connection),
            allowed=may.status.allowed,
        )


asyncio.run(main())
