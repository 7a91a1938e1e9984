"""Revision → its Deployment and its PodAutoscaler, as objects.

For: what a Revision looks like to Kubernetes and to the autoscaler.
Must not know: whether they exist already, or how they fare.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from api import keys
from api.autoscaling import parse_scaling
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS
from api.naming import deployment_name
from api.objects import Raw
from api.templates import TIMEOUT_S_DEFAULT, progress_deadline_s
from controller.children import annotations_of, labels_of, make_child, passed_on
from controller.labeler import ACTIVE, RESERVE
from controller.pinning import is_predictor, pinned_digest, serving_container

PORT_DEFAULT = 8080
_HASH_LENGTH = 40  # hexadecimal digits; a label holds 63

# Fields of a Revision's spec that are not a Pod's.
_NOT_OF_PODS = frozenset(
    {"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"}
)
_NOT_OF_CHILDREN = frozenset({keys.ROUTE, keys.ROUTING_STATE})
_REACHABILITY = {ACTIVE: "Reachable", RESERVE: "Unreachable"}


def make_deployment(revision: Raw, *, replicas: int) -> dict[str, Any]:
    """The Deployment of a Revision, labelled with a hash of all else that is wanted of it."""
    name, uid = revision["metadata"]["name"], revision["metadata"]["uid"]
    metadata = {"labels": child_labels(revision), "annotations": _pod_annotations(revision)}
    spec = {
        "selector": {"matchLabels": {keys.REVISION_UID: uid}},
        "progressDeadlineSeconds": progress_deadline_s(annotations_of(revision)),
        "template": {"metadata": metadata, "spec": _pod_spec(revision)},
    }
    text = orjson.dumps([metadata, spec], option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(text).hexdigest()[:_HASH_LENGTH]
    labels = {**metadata["labels"], keys.DEPLOYMENT_HASH: digest}
    return make_child(
        DEPLOYMENTS,
        revision,
        deployment_name(name),
        {**metadata, "labels": labels},
        {"replicas": replicas, **spec},
    )


def make_podautoscaler(revision: Raw, *, is_broken: bool) -> dict[str, Any]:
    """The PodAutoscaler of a Revision.

    `is_broken`: its replicas can not come up. It is then out of reach, so that min-scale
    does not keep them trying for ever.
    """
    name = revision["metadata"]["name"]
    state = labels_of(revision).get(keys.ROUTING_STATE, "")
    reachability = "Unreachable" if is_broken else _REACHABILITY.get(state)
    return make_child(
        PODAUTOSCALERS,
        revision,
        name,
        {
            "labels": child_labels(revision),
            "annotations": passed_on(annotations_of(revision)),
        },
        {
            "scaleTargetRef": {
                "apiVersion": DEPLOYMENTS.api_version,
                "kind": DEPLOYMENTS.kind,
                "name": deployment_name(name),
            },
            "containerConcurrency": revision["spec"].get("containerConcurrency", 0),
            "protocolType": "http1",
            **({"reachability": reachability} if reachability else {}),
        },
    )


def child_labels(revision: Raw) -> dict[str, str]:
    """The labels of everything a Revision owns."""
    name = revision["metadata"]["name"]
    kept = {key: text for key, text in labels_of(revision).items() if key not in _NOT_OF_CHILDREN}
    own = {keys.REVISION: name, keys.REVISION_UID: revision["metadata"]["uid"]}
    return {keys.APP: name, **kept, **own}


def initial_scale(revision: Raw) -> int:
    """How many replicas a Revision starts with; from then on the autoscaler decides."""
    return parse_scaling(annotations_of(revision)).initial_scale


def _pod_annotations(revision: Raw) -> dict[str, str]:
    return {
        key: text
        for key, text in passed_on(annotations_of(revision)).items()
        if not key.startswith(keys.AUTOSCALING_PREFIX)
    }


def _pod_spec(revision: Raw) -> dict[str, Any]:
    spec = revision["spec"]
    serving = serving_container(revision)
    return {
        **{name: value for name, value in spec.items() if name not in _NOT_OF_PODS},
        "containers": [
            _container(revision, each, is_serving=each is serving) for each in spec["containers"]
        ],
        "enableServiceLinks": spec.get("enableServiceLinks") or False,
        "terminationGracePeriodSeconds": spec.get("timeoutSeconds") or TIMEOUT_S_DEFAULT,
    }


def _container(revision: Raw, container: Mapping[str, Any], *, is_serving: bool) -> dict[str, Any]:
    ports = container.get("ports") or ()
    port = int(ports[0]["containerPort"]) if ports else PORT_DEFAULT
    labels = labels_of(revision)
    env = {
        keys.ENV_REVISION: revision["metadata"]["name"],
        keys.ENV_CONFIGURATION: labels.get(keys.CONFIGURATION, ""),
        keys.ENV_SERVICE: labels.get(keys.SERVICE, ""),
    }
    made = {**container, "terminationMessagePolicy": "FallbackToLogsOnError"}
    if is_serving:
        env[keys.ENV_PORT] = str(port)
        made["ports"] = [{"name": "user-port", "containerPort": port, "protocol": "TCP"}]
        for name in ("livenessProbe", "startupProbe"):
            if made.get(name):
                made[name] = _with_port(made[name], port)
        # Only a kubelet of Kubernetes' own reads it: without one a Pod is ready when it runs.
        made["readinessProbe"] = _readiness(container, port)
    if is_predictor(container):
        env |= _predictor_env(revision)
    made["env"] = [
        *(container.get("env") or ()),
        *({"name": name, "value": value} for name, value in env.items()),
    ]
    return made


def _predictor_env(revision: Raw) -> dict[str, str]:
    spec = revision["spec"]
    return {
        keys.ENV_MODEL_DIGEST: pinned_digest(revision),
        keys.ENV_CONCURRENCY: str(spec.get("containerConcurrency", 0)),
        keys.ENV_TIMEOUT_S: str(spec.get("timeoutSeconds") or TIMEOUT_S_DEFAULT),
    }


def _readiness(container: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The probe that was asked for; whether the port is open tells nothing of our predictor."""
    asked = container.get("readinessProbe") or {"tcpSocket": {}}
    probe = _with_port({**asked, "periodSeconds": asked.get("periodSeconds") or 1}, port)
    is_default = not (asked.get("tcpSocket") or {"port": 1}).get("port")
    if is_default and is_predictor(container):
        del probe["tcpSocket"]
        probe["httpGet"] = {"path": "/v2/health/ready", "port": port}
    return probe


def _with_port(probe: Mapping[str, Any], port: int) -> dict[str, Any]:
    """In Knative a probe that names no port, or names it by its name, asks the serving one."""
    made = dict(probe)
    for name in ("httpGet", "tcpSocket"):
        asked = (probe.get(name) or {}).get("port")
        if name in probe and (not asked or isinstance(asked, str)):
            made[name] = {**(probe[name] or {}), "port": port}
    return made
