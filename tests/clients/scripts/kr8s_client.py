"""The Python package kr8s: classes made from kinds, waits, logs, discovery; both its faces."""

import asyncio
from typing import Any

import facts
import kr8s
import kr8s.asyncio
from kr8s.asyncio.objects import new_class as new_asyncio_class
from kr8s.objects import ConfigMap, Deployment, Pod, new_class, object_from_spec

NAMESPACE = facts.NAMESPACE


def custom(api: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Create, wait for a condition, list, patch, label, annotate, delete and wait."""
    kind = new_class(kind=body["kind"], version=body["apiVersion"], namespaced=True, asyncio=False)
    made = kind(body, api=api)
    made.create()
    made.wait("condition=Ready", timeout=facts.DEADLINE_S)
    again = kind.get(made.name, namespace=NAMESPACE, api=api)
    listed = list(kind.list(namespace=NAMESPACE, label_selector={"client": "kr8s"}, api=api))
    made.patch({"metadata": {"annotations": {"example.com/note": "patched"}}})
    made.label(stage="test")
    made.annotate({"example.com/other": "annotated"})
    made.refresh()
    is_there = made.exists()
    url = made.status.url
    annotations = made.annotations
    made.delete(propagation_policy="Foreground")
    made.wait("delete", timeout=facts.DEADLINE_S)
    return {
        "uid": again.metadata.uid == made.metadata.uid,
        "listed": [found.name for found in listed],
        "note": annotations.get("example.com/note"),
        "other": annotations.get("example.com/other"),
        "label": made.labels.get("stage"),
        "existed": is_there,
        "exists": made.exists(),
        "url": url,
    }


def core(api: Any) -> dict[str, Any]:
    """A Pod with its log, a ConfigMap, a Deployment scaled and waited for."""
    pod = Pod(facts.pod("kr8s-pod"), api=api)
    pod.create()
    pod.wait("condition=Ready", timeout=facts.DEADLINE_S)
    lines = []
    for line in pod.logs(follow=True):
        lines.append(line)
        if line.strip() == "world":
            break
    is_ready = pod.ready()
    pod.delete()
    words = ConfigMap(
        {"metadata": {"name": "kr8s", "namespace": NAMESPACE}, "data": {"a": "b"}}, api=api
    )
    words.create()
    words.patch({"data": {"c": "d"}})
    data = dict(words.data)
    words.delete()
    deployment = Deployment(facts.deployment("kr8s-deployment"), api=api)
    deployment.create()
    deployment.scale(2)
    deployment.wait("condition=Available", timeout=facts.DEADLINE_S)
    replicas = deployment.replicas
    deployment.delete()
    deployment.wait("delete", timeout=facts.DEADLINE_S)
    pod.wait("delete", timeout=facts.DEADLINE_S)
    return {"log": lines, "ready": is_ready, "data": data, "replicas": replicas}


def by_name(api: Any) -> dict[str, Any]:
    """What `kr8s.get` finds by plural, short name and group; an object from a bare spec."""
    made = object_from_spec(facts.ksvc("kr8s-named"), api=api, allow_unknown_type=True)
    made.create()
    found = {
        asked: [each.name for each in kr8s.get(asked, namespace=NAMESPACE, api=api)]
        for asked in ("services.serving.knative.dev", "ksvc")
    }
    made.delete()
    return found


async def watched(body: dict[str, Any]) -> list[str]:
    """The asynchronous face: a watch that sees an object come and go."""
    api = await kr8s.asyncio.api(kubeconfig=facts.KUBECONFIG)
    kind = new_asyncio_class(
        kind=body["kind"], version=body["apiVersion"], namespaced=True, asyncio=True
    )
    name = body["metadata"]["name"]
    seen: list[str] = []
    made = await kind(body, api=api)
    await made.create()
    async with asyncio.timeout(facts.DEADLINE_S):
        async for event, found in api.watch(
            "services.serving.knative.dev",
            namespace=NAMESPACE,
            field_selector=f"metadata.name={name}",
        ):
            seen.append(event)
            if event == "DELETED":
                break
            if facts.is_ready(found.raw) and "deleting" not in seen:
                seen.append("deleting")
                await made.delete()
    return sorted(set(seen))


def main() -> None:
    api = kr8s.api(kubeconfig=facts.KUBECONFIG)
    kinds = {(each["name"], each["version"]) for each in api.api_resources()}
    facts.tell(
        ksvc=custom(api, facts.ksvc("kr8s-ksvc", client="kr8s")),
        isvc=custom(api, facts.isvc("kr8s-isvc", client="kr8s")),
        core=core(api),
        named=by_name(api),
        watched=asyncio.run(watched(facts.ksvc("kr8s-watched"))),
        kinds=sorted(name for name, version in kinds if "kserve" in version),
        version=api.version()["gitVersion"],
        whoami=api.whoami(),
    )


main()
