"""Look at a cluster: everything `relight doctor` judges, read once.

For: facts, among them what could not be found out and why.
Must not know: what any of it means (diagnosing).
"""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

from api import conditions, keys, kinds
from api.kinds import Resource
from cluster.errors import ApiError, NotFoundError, UnavailableError
from relight import served
from relight.connection import Connection
from relight.errors import UnreachableError

SYSTEM: Final = "relight-system"
VALIDATION: Final = "validation.webhook.relight.dev"
DEFAULTING: Final = "defaulting.webhook.relight.dev"
CERTIFICATE: Final = "webhook-certificate"
PODAUTOSCALERS_NAME: Final = f"{kinds.PODAUTOSCALERS.plural}.{kinds.PODAUTOSCALERS.group}"
COMPONENTS: Final = ("activator", "autoscaler", "controller")
_VERSIONS: Final = (
    *("policy/v1", "autoscaling/v2", "autoscaling/v2beta2", "discovery.k8s.io/v1"),
    *("discovery.k8s.io/v1beta1", "metrics.k8s.io/v1beta1", "gateway.networking.k8s.io/v1"),
    *("apps/v1", "v1", "monitoring.coreos.com/v1"),
)
DAEMONSETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet", "daemonset")
_RIGHTS: Final = (
    ("get", "", "pods"),
    ("get", "apps", "deployments"),
    ("create", "apps", "deployments"),
    ("create", "", "namespaces"),
    ("create", "apiextensions.k8s.io", "customresourcedefinitions"),
    ("create", "rbac.authorization.k8s.io", "clusterroles"),
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings"),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations"),
)

Objects = Mapping[tuple[str, str], dict[str, Any]]  # by namespace and name


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What was seen. `refused` says of what could not be read why not."""

    version: str
    served: frozenset[tuple[str, str]]  # apiVersion and kind
    definitions: Objects
    deployments: Objects = field(default_factory=dict)  # those of knative-serving among them
    daemonsets: Objects = field(default_factory=dict)
    pods: tuple[dict[str, Any], ...] = ()  # of ours, and of revisions
    leases: Objects = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Objects = field(default_factory=dict)
    webhooks: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    nodes: tuple[dict[str, Any], ...] = ()
    runtimes: tuple[str, ...] = ()
    sleepless: int = 0  # PodAutoscalers that say that nobody could wake them from zero
    lacking: tuple[str, ...] = ()  # "create clusterroles.rbac.authorization.k8s.io"
    trial: str | None = None  # why a Service could not be written; "": it could
    questions: Mapping[str, str] = field(default_factory=dict)  # by component: why no answer; ""
    refused: Mapping[str, str] = field(default_factory=dict)


async def examine(connection: Connection) -> Facts:
    """Look; UnreachableError when nobody answers."""
    try:
        version = await served.ask(connection, "/version")
    except UnavailableError as error:
        label = connection.location.label
        raise UnreachableError(f"the API server of {label} does not answer: {error}") from error
    except ApiError as error:
        version = {"gitVersion": f"unknown ({error.message})"}
    refused: dict[str, str] = {}
    look = _Look(connection, refused)
    system = (
        look.objects(kinds.DEPLOYMENTS, None),
        look.objects(DAEMONSETS, "relight-node"),
        look.objects(kinds.LEASES, SYSTEM),
        look.objects(kinds.SECRETS, SYSTEM),
        look.objects(kinds.CONFIGMAPS, SYSTEM),
        look.objects(kinds.NODES, None),
        look.objects(kinds.PODS, None),
        look.objects(kinds.CUSTOMRESOURCEDEFINITIONS, None),
        look.objects(kinds.MUTATINGWEBHOOKCONFIGURATIONS, None),
        look.objects(kinds.VALIDATINGWEBHOOKCONFIGURATIONS, None),
    )
    found = await asyncio.gather(*system)
    deployments, daemonsets, leases, secrets, maps, nodes, pods, definitions, mutating, checks = (
        found
    )
    is_here = ("", "services.serving.knative.dev") in definitions
    is_defined = ("", "clusterservingruntimes.serving.kserve.io") in definitions
    runtimes = await look.objects(kinds.CLUSTERSERVINGRUNTIMES, None) if is_defined else {}
    is_scaled = ("", PODAUTOSCALERS_NAME) in definitions
    autoscalers = await look.objects(kinds.PODAUTOSCALERS, None) if is_scaled else {}
    questions = await asyncio.gather(*(_question(connection, each) for each in COMPONENTS[:2]))
    return Facts(
        version=str(version.get("gitVersion", "unknown")),
        served=await look.served(),
        definitions=definitions,
        deployments=deployments,
        daemonsets=daemonsets,
        pods=tuple(pods.values()),
        leases=leases,
        settings=maps.get((SYSTEM, "relight-settings"), {}).get("data") or {},
        secrets=secrets,
        webhooks={
            name: found[key]
            for name, found in ((DEFAULTING, mutating), (VALIDATION, checks))
            if (key := ("", name)) in found
        },
        nodes=tuple(nodes.values()),
        runtimes=tuple(name for _, name in runtimes),
        sleepless=sum(_is_sleepless(each) for each in autoscalers.values()),
        lacking=await _lacking(connection),
        trial=await _trial(connection) if is_here else None,
        questions=dict(zip(COMPONENTS[:2], questions, strict=True)),
        refused=refused,
    )


def _is_sleepless(autoscaler: dict[str, Any]) -> bool:
    found = conditions.find(autoscaler, keys.CONDITION_WAKES)
    return found is not None and found.status == conditions.FALSE


@dataclass(frozen=True, slots=True)
class _Look:
    connection: Connection
    refused: dict[str, str]

    async def objects(self, resource: Resource, namespace: str | None) -> Objects:
        """All of a kind; what can not be read is noted, and none."""
        try:
            found = await self.connection.client.list(resource, namespace)
        except NotFoundError:
            return {}
        except ApiError as error:
            self.refused[resource.plural] = error.message
            return {}
        return {
            (each["metadata"].get("namespace") or "", each["metadata"]["name"]): each
            for each in found.items
        }

    async def served(self) -> frozenset[tuple[str, str]]:
        """What is served of each version; one whose server is down takes no other along."""
        found = await asyncio.gather(*(self._of_version(each) for each in _VERSIONS))
        return frozenset(chain.from_iterable(found))

    async def _of_version(self, version: str) -> Iterable[tuple[str, str]]:
        try:
            return await served.kinds_of(self.connection, [version])
        except ApiError as error:
            self.refused[version] = error.message
            return ()


async def _lacking(connection: Connection) -> tuple[str, ...]:
    """What whoever asks may not do, of what an installation takes."""

    async def is_allowed(verb: str, group: str, resource: str) -> bool:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": verb, "group": group, "resource": resource}},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
        answer = await served.ask(connection, path, method="POST", body=review)
        return bool((answer.get("status") or {}).get("allowed"))

    answers = await asyncio.gather(
        *(_or_none(is_allowed(*each)) for each in _RIGHTS),
    )
    return tuple(
        f"{verb} {resource}{'.' if group else ''}{group}"
        for (verb, group, resource), answer in zip(_RIGHTS, answers, strict=True)
        if answer is False
    )


async def _or_none(asked: Awaitable[bool]) -> bool | None:
    try:
        return await asked
    except ApiError:
        return None


async def _trial(connection: Connection) -> str:
    """Write a Service, for the API server to ask the webhook, and not to keep."""
    service = {
        "apiVersion": kinds.SERVICES.api_version,
        "kind": kinds.SERVICES.kind,
        "metadata": {"generateName": "relight-doctor-", "namespace": "default"},
        "spec": {"template": {"spec": {"containers": [{"image": "relight/predictor"}]}}},
    }
    path = f"/apis/{kinds.SERVICES.api_version}/namespaces/default/services?dryRun=All"
    try:
        await served.ask(connection, path, method="POST", body=service)
    except ApiError as error:
        return error.message
    return ""


async def _question(connection: Connection, component: str) -> str:
    """Whether `relight why` would find somebody to ask."""
    path = f"/api/v1/namespaces/{SYSTEM}/services/{component}:admin/proxy/healthz"
    try:
        await served.ask(connection, path)
    except ApiError as error:
        return error.message or error.reason
    return ""
