"""Warm Pods: which Pods of a Revision one can stand in for, what it is, and what it is told.

For: who keeps warm Pods and who claims them, agreeing without a word: both read one template.
Must not know: how many are kept, who claims, or how a Pod is reached.

Two templates are of one class when their warm Pods would be the same. Nothing that a user says in
args or env is in a warm Pod: it is told when the Pod is claimed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from api import keys
from api.images import is_predictor_image
from api.objects import Raw
from api.pods import DEFAULT_PORT

NAME_PREFIX = "relight-warm-"
APP = "relight-warm"  # what warm Pods say they are, even when they are of no pool any more
# What the one first step runs that a claimed replica does by itself, from the cache.
MODEL_STEP_COMMAND = ("python3", "-m", "predictor.fetch_step")
# On a Pod while it is warm: as nobody's it would keep a cluster autoscaler from its node.
WHILE_WARM: Mapping[str, str] = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}
READY_PATH = "/readyz"
CLAIM_PATH = "/claim"
_CLAIM_PORTS = (8081, 8082)  # the first that the replica does not want itself
_HASH_LENGTH = 16
_COMMAND = ("python3", "-m", "predictor.pooled")
# Of a container, what is the Revision's own and is told or done otherwise in a warm Pod.
_OF_REVISIONS = frozenset({"args", "env", "readinessProbe"})
_OWN_PROBES = ("/v2/health/ready",)
_UNSERVED = ("command", "envFrom", "livenessProbe", "startupProbe", "lifecycle", "stdin", "tty")
_UNSERVED_OF_PODS = (
    *("hostNetwork", "hostPID", "hostIPC", "hostname", "subdomain", "nodeName"),
    *("ephemeralContainers", "activeDeadlineSeconds", "readinessGates", "schedulingGates"),
    "topologySpreadConstraints",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a claimed Pod is told: a replica's arguments and environment."""

    args: tuple[str, ...]
    env: Mapping[str, str]


def refusal(spec: Raw) -> str:
    """Why no warm Pod stands in for a Pod with this spec; "" where one does."""
    containers: Sequence[Raw] = spec.get("containers") or ()
    if len(containers) != 1:
        return f"it has {len(containers)} containers, and a warm Pod one"
    container = containers[0]
    if not is_predictor_image(str(container.get("image", ""))):
        return f"its image is not {keys.PREDICTOR_IMAGE}"
    for name in _UNSERVED:
        if container.get(name):
            return f"its container has {name}"
    return (
        _refused_env(container)
        or _refused_args(container)
        or _refused_probe(container)
        or _refused_steps(spec, container)
        or _refused_volumes(spec)
        or _refused_place(spec)
    )


def class_of(spec: Raw) -> str:
    """The class of a poolable Pod's spec: 16 hexadecimal digits."""
    text = orjson.dumps(pod_spec(spec, key=""), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(text).hexdigest()[:_HASH_LENGTH]


def pod_spec(spec: Raw, *, key: str) -> dict[str, Any]:
    """The spec of a warm Pod that stands in for Pods with `spec`; `key` opens it."""
    given = spec["containers"][0]
    port = port_of(given)
    claims = claim_port(given)
    container = {
        **{name: value for name, value in given.items() if name not in _OF_REVISIONS},
        "command": list(_COMMAND),
        "args": ["--port", str(port), "--claim-port", str(claims)],
        "env": [{"name": keys.ENV_CLAIM_KEY, "value": key}],
        "readinessProbe": {
            "httpGet": {"path": READY_PATH, "port": claims},
            "periodSeconds": 1,
            "timeoutSeconds": 1,
        },
    }
    kept = {name: value for name, value in spec.items() if name != "initContainers"}
    # A replica that ends is replaced by its ReplicaSet: what was claimed is never warm again.
    return {**kept, "containers": [container], "restartPolicy": "Never"}


def make_pod(namespace: str, pool: str, spec: Raw, *, name: str, key: str) -> dict[str, Any]:
    """A warm Pod. Nobody controls it, so that a ReplicaSet may adopt it later."""
    labels = {keys.POOL: pool, keys.APP: APP}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**metadata, "annotations": dict(WHILE_WARM)},
        "spec": pod_spec(spec, key=key),
    }


def assignment(spec: Raw) -> Assignment:
    """What the serving container of a poolable spec would be started with."""
    container = spec["containers"][0]
    env = {str(each["name"]): str(each.get("value") or "") for each in container.get("env") or ()}
    return Assignment(args=tuple(str(arg) for arg in container.get("args") or ()), env=env)


def port_of(container: Mapping[str, Any]) -> int:
    """The port at which a container answers requests."""
    ports: Sequence[Raw] = container.get("ports") or ({},)
    return int(ports[0].get("containerPort") or DEFAULT_PORT)


def claim_port(container: Mapping[str, Any]) -> int:
    """The port at which a warm Pod is claimed."""
    own = port_of(container)
    return next(port for port in _CLAIM_PORTS if port != own)


def key_of(pod: Raw) -> str:
    """The key that opens a warm Pod; "" where there is none."""
    containers: Sequence[Raw] = (pod.get("spec") or {}).get("containers") or ({},)
    for each in containers[0].get("env") or ():
        if each.get("name") == keys.ENV_CLAIM_KEY:
            return str(each.get("value") or "")
    return ""


def _refused_env(container: Mapping[str, Any]) -> str:
    for each in container.get("env") or ():
        if each.get("valueFrom"):
            return f"its env {each['name']} comes from elsewhere (valueFrom)"
        if "$(" in str(each.get("value") or ""):
            return f"its env {each['name']} refers to other variables"
    return ""


def _refused_args(container: Mapping[str, Any]) -> str:
    for each in container.get("args") or ():
        if "$(" in str(each):
            return f"its argument {str(each)[:80]!r} refers to variables"
    return ""


def _refused_probe(container: Mapping[str, Any]) -> str:
    probe = container.get("readinessProbe") or {}
    path = (probe.get("httpGet") or {}).get("path")
    if probe and (path not in _OWN_PROBES or probe.get("initialDelaySeconds")):
        return "its container has a readinessProbe of its own"
    return ""


def _refused_steps(spec: Raw, container: Mapping[str, Any]) -> str:
    own = {mount.get("name") for mount in container.get("volumeMounts") or ()}
    for each in spec.get("initContainers") or ():
        if tuple(each.get("command") or ()) != MODEL_STEP_COMMAND:
            return f"it has an init container {str(each.get('name', ''))!r}"
        mounted = {mount.get("name") for mount in each.get("volumeMounts") or ()}
        is_plain = not each.get("envFrom") and not _refused_env(each)
        if not is_plain or not mounted <= own:
            return "its model is fetched with credentials that its container has not"
    return ""


def _refused_volumes(spec: Raw) -> str:
    for each in spec.get("volumes") or ():
        if each.get("emptyDir") is None and each.get("hostPath") is None:
            return f"it has a volume {each.get('name')!r}"
    return ""


def _refused_place(spec: Raw) -> str:
    for name in _UNSERVED_OF_PODS:
        if spec.get(name):
            return f"it has {name}"
    affinity = spec.get("affinity") or {}
    for name in ("podAffinity", "podAntiAffinity"):
        if affinity.get(name):
            return f"it has {name}, by labels that a warm Pod has not yet"
    return ""
