"""Take out of a cluster what was put there, and nothing of anybody else's.

For: `relight uninstall`, and what an overlay that is left behind had.
Must not know: how it got there.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api import keys, kinds
from api.kinds import Resource
from cluster.errors import ApiError, NotFoundError
from relight import served
from relight.connection import Connection
from relight.errors import FailedError
from relight.waiting import until
from relight.watching import View

PART_OF: Final = "app.kubernetes.io/part-of"
SELECTOR: Final = f"{PART_OF}=relight"
NAMESPACES: Final = ("relight-system", "relight-node")
_GONE_S: Final = 120.0

# In this order: what would stand in the way of the rest, what runs, what it may do.
_KINDS: Final = (
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("policy/v1beta1", "PodDisruptionBudget"),
    ("monitoring.coreos.com/v1", "PodMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
)
_BESIDE: Final = "relight-autoscaler"  # what reads Knative's settings is in Knative's namespace
_KEPT: Final = "StatefulSet"  # it has data; an uninstall takes it, another overlay does not


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One object of ours on the cluster."""

    resource: Resource
    namespace: str
    name: str

    @property
    def title(self) -> str:
        """`Deployment relight-system/activator`."""
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.resource.kind} {where}{self.name}"


async def ours(connection: Connection) -> list[Found]:
    """What carries our label, but definitions and namespaces; in the order of removal."""
    served_here = await served.kinds_of(connection, (version for version, _ in _KINDS))
    found: dict[tuple[str, str, str], Found] = {}  # one that is served at two versions once
    for key in _KINDS:
        resource = served_here.get(key)
        if resource is None:
            continue
        items = (await connection.client.list(resource, label_selector=SELECTOR)).items
        for each in items:
            namespace = each["metadata"].get("namespace") or ""
            name = each["metadata"]["name"]
            if namespace and namespace not in NAMESPACES and name != _BESIDE:
                continue
            one = Found(resource=resource, namespace=namespace, name=name)
            found.setdefault((resource.kind, namespace, name), one)
    return list(found.values())


async def prune(connection: Connection, names: Collection[tuple[str, str, str]]) -> list[str]:
    """Remove what is not among what was applied: kind, namespace, name. Their titles."""
    gone = []
    for each in await ours(connection):
        key = (each.resource.kind, each.namespace, each.name)
        if key not in names and each.resource.kind != _KEPT:
            await remove(connection, each)
            gone.append(each.title)
    return gone


async def remove(connection: Connection, found: Found) -> None:
    """Delete one, or begin to; one that is gone already is fine."""
    try:
        await connection.client.delete(found.resource, found.namespace or None, found.name)
    except NotFoundError:
        return


async def warm_pods(connection: Connection) -> list[Found]:
    """Pods of the warm pool, wherever they are: nobody's but ours."""
    items = (await connection.client.list(kinds.PODS, label_selector=keys.POOL)).items
    return [
        Found(
            resource=kinds.PODS,
            namespace=each["metadata"]["namespace"],
            name=each["metadata"]["name"],
        )
        for each in items
    ]


async def definitions(connection: Connection) -> list[Found]:
    """Our definitions of kinds."""
    resource = kinds.CUSTOMRESOURCEDEFINITIONS
    items = (await connection.client.list(resource, label_selector=SELECTOR)).items
    return [Found(resource=resource, namespace="", name=e["metadata"]["name"]) for e in items]


async def count_of(connection: Connection, definition: str) -> int:
    """How many objects of users there are of a kind, by the name of its definition."""
    plural, _, group = definition.partition(".")
    resource = next((each for each in _OURS if (each.plural, each.group) == (plural, group)), None)
    if resource is None:
        return 0
    try:
        items = (await connection.client.list(resource)).items
    except ApiError:
        return 0
    labels = (each["metadata"].get("labels") or {} for each in items)
    return sum(each.get("app.kubernetes.io/managed-by") != "relight" for each in labels)


async def wait_until_gone(connection: Connection, resource: Resource) -> None:
    """Return when none of ours is left; FailedError names what is in the way."""
    view = View(connection.client, resource, None, label_selector=SELECTOR)
    if not await until([view], lambda: not view.objects or None, timeout_s=_GONE_S):
        left = ", ".join(name for _, name in view.objects)
        raise FailedError(f"deleted, but not gone after {_GONE_S:g} s: {left}")


def foreign_owner(definition: Mapping[str, Any]) -> str:
    """Whose a definition of a kind is, unless it says that it is ours; else ""."""
    labels = definition["metadata"].get("labels") or {}
    part_of = labels.get(PART_OF, "")
    if "relight" in (part_of, labels.get("app.kubernetes.io/name")):
        return ""
    if labels.get("knative.dev/crd-install"):
        return "Knative"
    # KServe's, for one, may have no label at all.
    return str(part_of or labels.get("app.kubernetes.io/managed-by") or "somebody else")


_OURS: Final = (
    *(kinds.SERVICES, kinds.CONFIGURATIONS, kinds.REVISIONS, kinds.ROUTES, kinds.DOMAINMAPPINGS),
    *(kinds.INFERENCESERVICES, kinds.SERVINGRUNTIMES, kinds.CLUSTERSERVINGRUNTIMES),
    kinds.PODAUTOSCALERS,
)
