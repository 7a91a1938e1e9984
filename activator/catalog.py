"""What Routes, Revisions and other givers of hosts say, as the request path needs it.

For: reading these objects once, at the edge, when they change.
Must not know: sockets, queues, replicas.
"""

import logging

from activator.claims import Owner
from activator.events import Identity
from activator.holding import Terms
from activator.patience import Bounds
from activator.routing import Inference
from activator.targets import Model, Share
from api import conditions, keys, kinds, payload_logs, signals
from api.objects import Raw
from api.payload_logs import Logging
from api.pods import speaks_h2c

_DEFAULT_TIMEOUT_S = 300.0
_LOG = logging.getLogger(__name__)
_CLUSTER_LOCAL = "cluster-local"
# A Revision is ready again after these are settled; until then requests would wait in vain.
_UNTOLD = frozenset({"", "Deploying", "NoTraffic", "Queued"})  # they say nothing of why
_FATAL = ("ContainerHealthy", "ResourcesAvailable")


def read_shares(route: Raw) -> list[Share]:
    """The resolved traffic of a Route; targets without a Revision are not served yet."""
    traffic = (route.get("status") or {}).get("traffic") or ()
    return [
        Share(
            revision=target["revisionName"],
            percent=int(target.get("percent") or 0),
            tag=target.get("tag") or "",
        )
        for target in traffic
        if target.get("revisionName")
    ]


def read_is_inside_only(obj: Raw) -> bool:
    """Whether an object is to be reached from inside the cluster, or the machine, only."""
    labels = obj["metadata"].get("labels") or {}
    return _CLUSTER_LOCAL in {labels.get(keys.VISIBILITY), labels.get(keys.KSERVE_VISIBILITY)}


def read_owner(obj: Raw) -> Owner:
    """Who an object is when it claims names."""
    metadata = obj["metadata"]
    created = metadata.get("creationTimestamp") or ""
    return Owner(created, metadata.get("namespace", "default"), metadata["name"])


def read_mapped_route(mapping: Raw) -> str:
    """The Route that a ready DomainMapping leads to; "" while it leads nowhere.

    A Service's Route has its name. Like the reference of the mapping's spec, it is in the
    namespace of the mapping.
    """
    ready = conditions.find(mapping, conditions.READY)
    ref = (mapping.get("spec") or {}).get("ref") or {}
    group = (ref.get("apiVersion") or "").partition("/")[0]
    is_served = group == kinds.ROUTES.group and ref.get("kind") in {"Service", "Route"}
    if ready is None or ready.status != conditions.TRUE or not is_served:
        return ""
    namespace = mapping["metadata"].get("namespace", "default")
    return ref.get("name") or "" if (ref.get("namespace") or namespace) == namespace else ""


def read_inference(inference: Raw) -> Inference:
    """What an InferenceService asks for; its status says nothing more about its hosts."""
    spec = inference.get("spec") or {}
    return Inference(
        owner=read_owner(inference),
        has_transformer=spec.get("transformer") is not None,
        has_explainer=spec.get("explainer") is not None,
        is_inside_only=read_is_inside_only(inference),
    )


def read_model(revision: Raw) -> Model:
    """The name of the model a Revision serves: what it says, else its Service's name."""
    metadata = revision["metadata"]
    service = (metadata.get("labels") or {}).get(keys.SERVICE) or ""
    said = (metadata.get("annotations") or {}).get(keys.MODEL_NAME)
    return Model(service=service, name=said or service or metadata["name"])


def read_terms(revision: Raw) -> Terms:
    """What a Revision promises. Its spec was validated when it was stored."""
    spec = revision.get("spec") or {}
    return Terms(
        container_concurrency=int(spec.get("containerConcurrency") or 0),
        timeout_s=float(spec.get("timeoutSeconds") or _DEFAULT_TIMEOUT_S),
        bounds=_bounds(spec),
        failure=_failure(revision),
        waits=_waits(revision),
        is_measured=_is_measured(revision),
        is_h2c=speaks_h2c(spec.get("containers") or ()),
    )


def read_logging(revision: Raw) -> Logging | None:
    """Who is told of a Revision's requests. What can not be read is said, and told to nobody."""
    text = (revision["metadata"].get("annotations") or {}).get(keys.LOGGER)
    if not text:
        return None
    try:
        return payload_logs.read_logging(text)
    except ValueError as error:
        name = revision["metadata"]["name"]
        _LOG.warning("revision %s: %s: %s: not logged", name, keys.LOGGER, error)
        return None


def read_identity(revision: Raw) -> Identity:
    """What events say of whose requests they tell."""
    metadata = revision["metadata"]
    labels = metadata.get("labels") or {}
    service = labels.get(keys.SERVICE) or metadata["name"]
    name, _, component = service.rpartition("-")
    is_component = component in {"predictor", "transformer", "explainer"}
    return Identity(
        namespace=metadata.get("namespace", "default"),
        revision=metadata["name"],
        inference_service=labels.get(keys.INFERENCE_SERVICE) or (name if is_component else service),
        component=labels.get("component") or (component if is_component else "predictor"),
    )


def _is_measured(revision: Raw) -> bool:
    annotations = revision["metadata"].get("annotations") or {}
    class_ = annotations.get(keys.SCALING_CLASS, keys.CLASS_RELIGHT)
    ours = (keys.CLASS_RELIGHT, keys.CLASS_BESIDE)
    return class_ in ours and annotations.get(keys.SCALING_METRIC) in signals.UNITS


def _bounds(spec: Raw) -> Bounds | None:
    start_s = float(spec.get("responseStartTimeoutSeconds") or 0)
    idle_s = float(spec.get("idleTimeoutSeconds") or 0)
    timeout_s = float(spec.get("timeoutSeconds") or _DEFAULT_TIMEOUT_S)
    # What the timeout covers anyway is no bound of its own.
    bounds = Bounds(
        start_s=start_s if start_s < timeout_s else 0.0,
        idle_s=idle_s if idle_s < timeout_s else 0.0,
    )
    return bounds if bounds.start_s or bounds.idle_s else None


def _waits(revision: Raw) -> str:
    active = conditions.find(revision, "Active")
    if active is None or active.status == conditions.TRUE or active.reason in _UNTOLD:
        return ""
    return ": ".join(text for text in (active.reason, active.message) if text)


def _failure(revision: Raw) -> str:
    ready = conditions.find(revision, conditions.READY)
    if ready is None or ready.status != conditions.FALSE:
        return ""
    for kind in _FATAL:
        found = conditions.find(revision, kind)
        if found is not None and found.status == conditions.FALSE:
            return ": ".join(text for text in (found.reason, found.message) if text) or kind
    return ""
