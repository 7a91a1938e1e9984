"""Settings of Knative's that nobody here reads, each with the reason.

For: refusing them by name where a ConfigMap is written, and naming them in the log elsewhere.
Must not know: what the settings that are read do.
"""

from collections.abc import Mapping
from typing import Final

from api import autoscaler_config, deployment_config
from api.settings_examples import EXAMPLE_KEY

GC_KEYS: Final = (
    "retain-since-create-time",
    "retain-since-last-active-time",
    "min-non-active-revisions",
    "max-non-active-revisions",
)
ROLLOUT_KEYS: Final = ("rolloutDuration", "rollout-duration")  # the new spelling counts more

_UNKNOWN: Final = "not a key that Relight knows"
_TLS: Final = "Relight ends no TLS"
_NO_QUEUE_PROXY: Final = "there is no queue-proxy"
_NO_RESOLVING: Final = "no tag of an image is resolved: a Revision is pinned to its model's digest"
_HOSTS: Final = "hosts are NAME.NAMESPACE.DOMAIN, and TAG-NAME.NAMESPACE.DOMAIN of a tag"
_INGRESS: Final = "Relight's activator is the only ingress there is"
_MESH: Final = "replicas are always reached by their own addresses"
_PROCESSES: Final = "it sets up Knative's own processes, of which there are none"
# By ConfigMap, the keys that are read. Those of the others are all refused.
_READ: Final[Mapping[str, tuple[str, ...]]] = {
    "config-gc": GC_KEYS,
    "config-network": ROLLOUT_KEYS,
    deployment_config.NAME: deployment_config.KEYS,
}
# By ConfigMap, why any key of it is refused; and of those below, by how a key begins.
_WHY: Final[Mapping[str, str]] = {
    "config-gc": _UNKNOWN,
    "config-network": _UNKNOWN,
    deployment_config.NAME: _UNKNOWN,
    "config-domain": "the domain is given when Relight is started: --domain",
    "config-defaults": "Revisions get Knative's own defaults: write the fields into a template",
    "config-features": "what is on and what is off is fixed: docs/compatibility.md says which",
    "config-certmanager": _TLS,
    "config-leader-election": _PROCESSES,
    "config-logging": _PROCESSES,
    "config-observability": _PROCESSES,
    "config-tracing": _PROCESSES,
}
_WHY_KEY: Final[Mapping[str, Mapping[str, str]]] = {
    "config-network": {
        "autocreate": "there are no ClusterDomainClaims",
        "auto-tls": _TLS,
        "autoTLS": _TLS,
        "certificate-class": _TLS,
        "cluster-local-domain-tls": _TLS,
        "default-external-scheme": _TLS,
        "domain": _HOSTS,
        "enable-mesh-pod-addressability": _MESH,
        "external-domain-tls": _TLS,
        "http-protocol": "it redirects nobody",
        "httpProtocol": "it redirects nobody",
        "ingress": _INGRESS,
        "internal-encryption": _TLS,
        "mesh": _MESH,
        "namespace-wildcard-cert-selector": _TLS,
        "system-internal-tls": _TLS,
        "tag": _HOSTS,
    },
    deployment_config.NAME: {
        "concurrency-state-endpoint": _NO_QUEUE_PROXY,
        "default-affinity-type": "a Pod has the affinity that its template asks for",
        "digest": _NO_RESOLVING,
        "pod-is-always-schedulable": "what can not be scheduled is always told of",
        "queue": _NO_QUEUE_PROXY,
        "registries": _NO_RESOLVING,
        "runtime-class-name": "a Pod has the runtime class that its template asks for",
    },
}
NAMES: Final = (autoscaler_config.NAME, *_WHY)  # the ConfigMaps that are looked at


def unserved(name: str, data: Mapping[str, str]) -> dict[str, str]:
    """The keys of a ConfigMap of Knative's that nobody here reads, and why of each."""
    if name == autoscaler_config.NAME:
        return dict.fromkeys(autoscaler_config.unknown(data), _UNKNOWN)
    if name not in _WHY:
        return {}
    known = (EXAMPLE_KEY, *_READ.get(name, ()))
    return {key: _why(name, key) for key in sorted(data) if key not in known}


def _why(name: str, key: str) -> str:
    by_beginning = _WHY_KEY.get(name, {})
    return next((why for start, why in by_beginning.items() if key.startswith(start)), _WHY[name])
