"""What Routes and Revisions say, as the request path needs it.

For: reading these objects once, at the edge, when they change.
Must not know: sockets, queues, replicas.
"""

from activator.holding import Terms
from activator.routing import Model, Share
from api import conditions, keys
from api.objects import Raw

_DEFAULT_TIMEOUT_S = 300.0
# A Revision is ready again after these are settled; until then requests would wait in vain.
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
        failure=_failure(revision),
    )


def _failure(revision: Raw) -> str:
    ready = conditions.find(revision, conditions.READY)
    if ready is None or ready.status != conditions.FALSE:
        return ""
    for kind in _FATAL:
        found = conditions.find(revision, kind)
        if found is not None and found.status == conditions.FALSE:
            return ": ".join(text for text in (found.reason, found.message) if text) or kind
    return ""
