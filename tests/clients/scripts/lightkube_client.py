"""The Python package lightkube: generic resources, server-side apply, watch, wait, core kinds."""

from typing import Any

import facts
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import CascadeType, PatchType

NAMESPACE = facts.NAMESPACE

KSVC = create_namespaced_resource("serving.knative.dev", "v1", "Service", "services")
ISVC = create_namespaced_resource(
    "serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices"
)
RUNTIME = create_global_resource(
    "serving.kserve.io", "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes"
)


def is_gone(look: Any) -> bool:
    try:
        look()
    except ApiError as error:
        if error.status.code != 404:
            raise
        return True
    return False


def custom(client: Client, kind: Any, body: dict[str, Any]) -> dict[str, Any]:
    """Apply twice, conflict, force, wait, watch, patch in two ways, delete."""
    name = body["metadata"]["name"]
    applied = client.apply(kind(body), field_manager="one")
    again = client.apply(kind(body), field_manager="one")
    theirs = {**body, "metadata": {**body["metadata"], "labels": {"client": "other"}}}
    try:
        client.apply(kind(theirs), field_manager="two")
        conflict = 0
    except ApiError as error:
        conflict = error.status.code
    client.apply(kind(theirs), field_manager="two", force=True)
    ready = client.wait(kind, name, for_conditions=["Ready"], namespace=NAMESPACE)
    merged = client.patch(
        kind,
        name,
        {"metadata": {"labels": {"merged": "yes"}}},
        namespace=NAMESPACE,
        patch_type=PatchType.MERGE,
    )
    steps = [{"op": "add", "path": "/metadata/labels/stepped", "value": "yes"}]
    stepped = client.patch(kind, name, steps, namespace=NAMESPACE, patch_type=PatchType.JSON)
    listed = [found.metadata.name for found in client.list(kind, namespace=NAMESPACE)]
    seen = []
    for event, found in client.watch(kind, namespace=NAMESPACE, fields={"metadata.name": name}):
        seen.append(event)
        if event == "DELETED":
            break
        if "deleting" not in seen:
            seen.append("deleting")
            client.delete(kind, name, namespace=NAMESPACE, cascade=CascadeType.FOREGROUND)
        del found
    return {
        "unmoved": applied.metadata.resourceVersion == again.metadata.resourceVersion
        or applied.metadata.generation == again.metadata.generation,
        "conflict": conflict,
        "ready": facts.is_ready(ready.to_dict()),
        "labels": [merged.metadata.labels.get("merged"), stepped.metadata.labels.get("stepped")],
        "listed": name in listed,
        "seen": sorted(set(seen)),
    }


def core(client: Client) -> dict[str, Any]:
    """Typed kinds: a Namespace, a ConfigMap, a Pod's log, a Deployment's scale."""
    space = "clients-lightkube"
    client.create(Namespace(metadata=ObjectMeta(name=space)))
    words = ConfigMap(metadata=ObjectMeta(name="words", namespace=space), data={"a": "b"})
    client.apply(words, field_manager="one")
    words.data = {"c": "d"}
    client.apply(words, field_manager="one")
    data = client.get(ConfigMap, "words", namespace=space).data
    command = ["sh", "-c", "echo hello; echo world; exec sleep 600"]
    spec = PodSpec(
        containers=[Container(name="main", image="any", command=command)],
        terminationGracePeriodSeconds=1,
    )
    client.create(Pod(metadata=ObjectMeta(name="lightkube", namespace=space), spec=spec))
    running = client.wait(Pod, "lightkube", for_conditions=["Ready"], namespace=space)
    lines = []
    for line in client.log("lightkube", namespace=space, follow=True):
        lines.append(line)
        if line.strip() == "world":
            break
    body = facts.deployment("lightkube")
    body["metadata"]["namespace"] = space
    client.create(Deployment.from_dict(body))
    scale = Deployment.Scale.from_dict(
        {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {"name": "lightkube", "namespace": space},
            "spec": {"replicas": 2},
        }
    )
    scaled = client.replace(scale, "lightkube", namespace=space)
    client.delete(Namespace, space)
    facts.until(lambda: is_gone(lambda: client.get(Namespace, space)), "the namespace's end")
    return {
        "data": data,
        "phase": running.status.phase,
        "log": lines,
        "scaled": scaled.spec.replicas,
    }


def main() -> None:
    client = Client(config=KubeConfig.from_file(facts.KUBECONFIG), namespace=NAMESPACE)
    facts.tell(
        ksvc=custom(client, KSVC, facts.ksvc("lightkube-ksvc", client="lightkube")),
        isvc=custom(client, ISVC, facts.isvc("lightkube-isvc", client="lightkube")),
        core=core(client),
        runtimes=sorted(found.metadata.name for found in client.list(RUNTIME)),
    )


main()
