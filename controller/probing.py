"""Probes of a container as the kubelet of a cluster wants them.

For: filling in what Knative lets users leave out: the port, and how often.
Must not know: who probes, or what comes of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from controller.pinning import is_predictor

PORT_DEFAULT = 8080
_PORT_NAME_DEFAULT = "http1"
_PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
_WITH_PORT = ("httpGet", "tcpSocket", "grpc")
_OFTEN = {"periodSeconds": 1}  # a kubelet asks every ten seconds unless it is told
_OF_PREDICTOR = {"path": "/v2/health/ready"}


def serving_port(container: Mapping[str, Any]) -> int:
    """The port on which a container answers requests."""
    ports = container.get("ports") or ()
    return int((ports[0].get("containerPort") if ports else 0) or PORT_DEFAULT)


def probes_at(container: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The container's probes; one that names no port, or names it by name, gets its number."""
    ports: Sequence[Mapping[str, Any]] = container.get("ports") or ({},)
    names = {None, "", 0, "0", ports[0].get("name") or _PORT_NAME_DEFAULT}
    found = {}
    for kind in _PROBES:
        probe = container.get(kind)
        if not probe:
            continue
        found[kind] = {
            key: {**(action or {}), "port": port}
            if key in _WITH_PORT and (action or {}).get("port") in names
            else action
            for key, action in probe.items()
        }
    return found


def readiness(container: Mapping[str, Any], port: int) -> dict[str, Any]:
    """The readiness probe: the user's, asked often unless they say how often; else one of ours."""
    probe = dict(container.get("readinessProbe") or {})
    if is_predictor(container) and _is_default(probe, port):
        probe.pop("tcpSocket", None)
        probe["httpGet"] = {**_OF_PREDICTOR, "port": port}
    if not any(probe.get(action) is not None for action in (*_WITH_PORT, "exec")):
        probe["tcpSocket"] = {"port": port}
    if not probe.get("periodSeconds"):
        probe |= _OFTEN
    return probe


def _is_default(probe: Mapping[str, Any], port: int) -> bool:
    """Whether the probe is what admission fills in where the user wrote none."""
    asked = {key: value for key, value in probe.items() if key != "successThreshold"}
    return not asked or asked == {"tcpSocket": {"port": port}}
