"""Revision → its Deployment and its PodAutoscaler, as objects.

For: what a Revision looks like to Kubernetes and to the autoscaler.
Must not know: whether they exist already, or how they fare.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson

from api import keys
from api.autoscaler_config import Defaults
from api.autoscaling import admitted_scaling
from api.kinds import DEPLOYMENTS, PODAUTOSCALERS
from api.naming import deployment_name
from api.objects import Raw
from api.pods import serving_index, speaks_h2c
from api.templates import PROGRESS_DEADLINE_S_DEFAULT, TIMEOUT_S_DEFAULT, progress_deadline_s
from controller.children import annotations_of, labels_of, make_child, passed_on
from controller.labeler import ACTIVE, RESERVE
from controller.pinning import is_predictor, pinned_digest, serving_container
from controller.predictor_pods import PredictorPods, fitted, resolved
from controller.probing import probes_at, readiness, serving_port

_KNATIVES = Defaults()
_HASH_LENGTH = 40  # hexadecimal digits; a label holds 63

# Fields of a Revision's spec that are not a Pod's.
_NOT_OF_PODS = frozenset(
    {"containerConcurrency", "timeoutSeconds", "responseStartTimeoutSeconds", "idleTimeoutSeconds"}
)
_NOT_OF_CHILDREN = frozenset({keys.ROUTE, keys.ROUTING_STATE})
_REACHABILITY = {ACTIVE: "Reachable", RESERVE: "Unreachable"}


def make_deployment(
    revision: Raw,
    *,
    replicas: int,
    deadline_default_s: int = PROGRESS_DEADLINE_S_DEFAULT,
    predictor: PredictorPods | None = None,
) -> dict[str, Any]:
    """The Deployment of a Revision, labelled with a hash of all else that is wanted of it.

    `predictor` is what its Pods get of a cluster, if they are one's.
    """
    name, uid = revision["metadata"]["name"], revision["metadata"]["uid"]
    metadata = {"labels": child_labels(revision), "annotations": _pod_annotations(revision)}
    main = {keys.DEFAULT_CONTAINER: str(serving_container(revision).get("name") or "")}
    of_pods = {**metadata, "annotations": {**metadata["annotations"], **main}}
    spec = {
        "selector": {"matchLabels": {keys.REVISION_UID: uid}},
        "progressDeadlineSeconds": progress_deadline_s(
            annotations_of(revision), deadline_default_s
        ),
        "revisionHistoryLimit": 0,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {"metadata": of_pods, "spec": _pod_spec(revision, predictor)},
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


def make_podautoscaler(
    revision: Raw, *, is_broken: bool, waits: str = "", is_direct: bool = False
) -> dict[str, Any]:
    """The PodAutoscaler of a Revision; `waits` says why its deadline stands still, if it does.

    `is_direct`: its Pods may be reached past the activators, where the mode says so.
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
            "annotations": {
                **passed_on(annotations_of(revision)),
                **({keys.WAITS: waits} if waits else {}),
                **({keys.DIRECT: "true"} if is_direct else {}),
            },
        },
        {
            "scaleTargetRef": {
                "apiVersion": DEPLOYMENTS.api_version,
                "kind": DEPLOYMENTS.kind,
                "name": deployment_name(name),
            },
            "containerConcurrency": revision["spec"].get("containerConcurrency", 0),
            "protocolType": "h2c" if speaks_h2c(revision["spec"]["containers"]) else "http1",
            **({"reachability": reachability} if reachability else {}),
        },
    )


def child_labels(revision: Raw) -> dict[str, str]:
    """The labels of everything a Revision owns."""
    name = revision["metadata"]["name"]
    kept = {key: text for key, text in labels_of(revision).items() if key not in _NOT_OF_CHILDREN}
    own = {keys.REVISION: name, keys.REVISION_UID: revision["metadata"]["uid"]}
    return {keys.APP: name, **kept, **own}


def initial_scale(revision: Raw, defaults: Defaults = _KNATIVES) -> int:
    """How many replicas a Revision starts with; from then on the autoscaler decides."""
    return admitted_scaling(annotations_of(revision), defaults=defaults).initial_scale


def _pod_annotations(revision: Raw) -> dict[str, str]:
    return {
        key: text
        for key, text in passed_on(annotations_of(revision)).items()
        if not key.startswith((keys.AUTOSCALING_PREFIX, keys.KEEP_ALIVE))
    }


def _pod_spec(revision: Raw, predictor: PredictorPods | None) -> Raw:
    """All that the user wrote, unchanged but for what the runtime contract promises."""
    spec = revision["spec"]
    serving = serving_container(revision)
    made = {
        **{name: value for name, value in spec.items() if name not in _NOT_OF_PODS},
        "containers": [
            _container(revision, each, is_serving=each is serving) for each in spec["containers"]
        ],
        "enableServiceLinks": bool(spec.get("enableServiceLinks")),
        "terminationGracePeriodSeconds": spec.get("timeoutSeconds") or TIMEOUT_S_DEFAULT,
    }
    if spec.get("initContainers"):
        made["initContainers"] = [_telling(each) for each in spec["initContainers"]]
    if predictor is None:
        return made
    if is_predictor(serving):
        index = serving_index(spec["containers"])
        namespace = str(revision["metadata"]["namespace"])
        made = dict(fitted(made, index, pinned_digest(revision), namespace, predictor))
    return resolved(made, predictor)


def _telling(container: Mapping[str, Any]) -> dict[str, Any]:
    """The container, saying why it ended."""
    return {"terminationMessagePolicy": "FallbackToLogsOnError", **container}


def _container(revision: Raw, container: Mapping[str, Any], *, is_serving: bool) -> dict[str, Any]:
    """In the environment the user's own come first, then ours: the later of two counts."""
    made = _telling(container)
    port = serving_port(container)
    env = {}
    if is_serving:
        name = "h2c" if speaks_h2c([container]) else "user-port"
        made["ports"] = [{"name": name, "containerPort": port, "protocol": "TCP"}]
        made |= probes_at(container, port)
        env[keys.ENV_PORT] = str(port)
    if is_serving or made.get("readinessProbe"):
        made["readinessProbe"] = readiness(made, port)
    labels = labels_of(revision)
    env |= {
        keys.ENV_REVISION: revision["metadata"]["name"],
        keys.ENV_CONFIGURATION: labels.get(keys.CONFIGURATION, ""),
        keys.ENV_SERVICE: labels.get(keys.SERVICE, ""),
    }
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
