"""Annotations that mean something to Knative or to us: which are read where, and which not.

For: refusing by name, with the reason, every one that would be accepted and ignored.
Must not know: what an annotation does where it is read.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api import fields, formats, keys
from api.annotations import NS_PER_S, Annotations, camel_case
from api.kinds import CONFIGURATIONS, DOMAINMAPPINGS, REVISIONS, ROUTES, SERVICES, Resource

TEMPLATE = "template"  # of a Revision: a place like a kind, with annotations of its own


def _spellings(*names: str) -> frozenset[str]:
    return frozenset(names) | frozenset(map(camel_case, names))


_USERS = frozenset({keys.CREATOR, keys.LAST_MODIFIER})
_ROUTING = frozenset({keys.ROUTES, keys.ROUTING_STATE_MODIFIED})
_ROLLOUT = _spellings(keys.ROLLOUT_DURATION)
_DEADLINE = _spellings(keys.PROGRESS_DEADLINE)
# Our own annotations that are read from a template.
OF_TEMPLATES = frozenset(
    {
        keys.MODEL_NAME,
        keys.SOURCE_DIGEST,
        keys.LOGGER,
        keys.HOSTS,
        keys.KEEP_ALIVE,
        keys.TEMPLATE,
    }
)
_ONLY_IN_TEMPLATES = OF_TEMPLATES | _DEADLINE | {keys.NO_GC}

READ: Mapping[Resource | str, frozenset[str]] = {
    SERVICES: _USERS | _ROLLOUT,
    CONFIGURATIONS: _USERS | _ROLLOUT | _ROUTING,  # gets those of its Service
    ROUTES: _USERS | _ROLLOUT | {keys.ROLLOUT},
    DOMAINMAPPINGS: _USERS,
    TEMPLATE: _ONLY_IN_TEMPLATES,
    REVISIONS: _USERS | _ROUTING | _ONLY_IN_TEMPLATES | {keys.MODEL_DIGEST, keys.LAST_PINNED},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why an annotation of Knative's is refused; the values of it that hold anyway are not."""

    reason: str
    harmless: frozenset[str] = frozenset()  # in lower case


_TLS = "Relight ends no TLS and redirects nobody: let a proxy in front of it do so"
_NO_QUEUE_PROXY = "Relight runs no queue-proxy beside the containers"
_NO_INGRESS = "Relight's activator is the only ingress there is"
_TRUE = frozenset({"true"})

# Wherever they stand.
REFUSED: Mapping[str, Refusal] = {
    "networking.knative.dev/ingress-class": Refusal(reason=_NO_INGRESS),
    "networking.knative.dev/ingress.class": Refusal(reason=_NO_INGRESS),
    "networking.knative.dev/certificate-class": Refusal(reason=_TLS),
    "networking.knative.dev/certificate.class": Refusal(reason=_TLS),
    "networking.knative.dev/disable-auto-tls": Refusal(reason=_TLS, harmless=_TRUE),
    "networking.knative.dev/disableAutoTLS": Refusal(reason=_TLS, harmless=_TRUE),
    "networking.knative.dev/disable-external-domain-tls": Refusal(reason=_TLS, harmless=_TRUE),
    "networking.knative.dev/http-protocol": Refusal(reason=_TLS, harmless=frozenset({"enabled"})),
    "networking.knative.dev/httpOption": Refusal(reason=_TLS, harmless=frozenset({"enabled"})),
    "features.knative.dev/http-full-duplex": Refusal(
        reason="must be Enabled, which always holds, or Disabled",
        harmless=frozenset({"enabled", "disabled"}),
    ),
    "features.knative.dev/queueproxy-podinfo": Refusal(
        reason=_NO_QUEUE_PROXY, harmless=frozenset({"disabled"})
    ),
    **{
        f"queue.sidecar.serving.knative.dev/{name}": Refusal(reason=_NO_QUEUE_PROXY)
        for name in (
            "cpu-resource-limit",
            "cpu-resource-request",
            "ephemeral-storage-resource-limit",
            "ephemeral-storage-resource-request",
            "memory-resource-limit",
            "memory-resource-request",
            "resource-percentage",
            "resourcePercentage",
        )
    },
}
# Annotations of these domains change what Knative or Relight does.
_DOMAINS = (
    keys.SERVING_PREFIX,
    "networking.knative.dev",
    "networking.internal.knative.dev/",
    "features.knative.dev/",
    "queue.sidecar.serving.knative.dev/",
    "relight.dev/",
)
_ELSEWHERE = '{} must be put under "{}" to work'
_IN_TEMPLATE = "spec.template.metadata.annotations"


def check(
    annotations: Mapping[str, str],
    place: Resource | str,
    path: str,
    faults: fields.Faults,
    *,
    also: frozenset[str] = frozenset(),
) -> None:
    """Note every annotation that is not read at this place, and every wrong value of one.

    `also`: what is read there besides.
    """
    read = READ[place] | also if also else READ[place]
    for key, value in annotations.items():
        if key in read:
            continue
        if key in REFUSED:
            if value.lower() not in REFUSED[key].harmless:
                faults.disallowed(f"{path}.{key}", details=REFUSED[key].reason)
        elif key.startswith(keys.AUTOSCALING_PREFIX.rstrip("/")):
            if place not in (TEMPLATE, REVISIONS):
                details = _ELSEWHERE.format("autoscaling annotations", _IN_TEMPLATE)
                faults.invalid_key(key, path, details)
        elif key.startswith(_DOMAINS):
            faults.invalid_key(key, path, _why_unknown(key, place))
    if place in (TEMPLATE, REVISIONS):
        _check_truth(annotations, keys.NO_GC, path, faults)
        _check_truth(annotations, keys.TEMPLATE, path, faults)
    else:
        read_rollout_duration(annotations, path, faults)


def _why_unknown(key: str, place: Resource | str) -> str:
    if key in _ONLY_IN_TEMPLATES and place != DOMAINMAPPINGS:
        return _ELSEWHERE.format("this annotation", _IN_TEMPLATE)
    if key in _ROLLOUT and place == TEMPLATE:
        return _ELSEWHERE.format("this annotation", "metadata.annotations")
    if key.startswith("networking.knative.dev"):
        return ""  # as Knative
    return "not an annotation that Relight reads here"


def _check_truth(
    annotations: Mapping[str, str], key: str, path: str, faults: fields.Faults
) -> None:
    value = annotations.get(key)
    if value is not None and value.lower() not in ("true", "false"):
        faults.invalid(value, f"{path}.{key}", "must be true or false")


def read_rollout_duration(
    annotations: Mapping[str, str], path: str, faults: fields.Faults
) -> int | None:
    """How long a new Revision takes to get all requests, in seconds; None if not said."""
    return _seconds(annotations, keys.ROLLOUT_DURATION, path, faults)


def read_progress_deadline(
    annotations: Mapping[str, str], path: str, faults: fields.Faults
) -> int | None:
    """How long a new Revision may take to get ready, in seconds; None if not said."""
    return _seconds(annotations, keys.PROGRESS_DEADLINE, path, faults)


def _seconds(
    annotations: Mapping[str, str], key: str, path: str, faults: fields.Faults
) -> int | None:
    found = Annotations(annotations, path, faults).find(key)
    if found is None or not found.text:
        return None
    name = key.rpartition("/")[2]
    duration = formats.duration_ns(found.text)
    if duration is None:
        faults.invalid(found.text, found.path)
        return None
    if duration % NS_PER_S:
        faults.add(f"{name}={found.text} is not at second precision", found.path)
    elif duration < 0:
        faults.add(f"{name}={found.text} must be positive", found.path)
    return duration // NS_PER_S
