"""The rules for probes that their schema can not say.

For: checking the probes of one container with Knative's complaints.
Must not know: who probes, or what is done about the outcome.
"""

from api import fields
from api.container_schemas import INT32_MAX
from api.containers import check_one_of
from api.objects import Raw

HANDLERS = ("exec", "grpc", "httpGet", "tcpSocket")
DEFAULT_PORT_NAME = "http"  # of a serving port without a name

_COUNTS = ("timeoutSeconds", "failureThreshold")


def check(container: Raw, port_name: str | None, path: str, faults: fields.Faults) -> None:
    """Note what is wrong with a container's probes.

    `port_name`: of the port that takes requests, which a probe may leave out; None for a
    sidecar, whose probes must name theirs.
    """
    for name in ("livenessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            _check_handler(probe, port_name, f"{path}.{name}", faults)
            _check_counts(probe, f"{path}.{name}", faults)
    readiness = container.get("readinessProbe")
    if readiness is not None:
        _check_handler(readiness, port_name, f"{path}.readinessProbe", faults)
        _check_readiness(readiness, f"{path}.readinessProbe", faults)


def _check_handler(probe: Raw, port_name: str | None, path: str, faults: fields.Faults) -> None:
    for name in check_one_of(probe, HANDLERS, path, faults):
        if name in ("httpGet", "tcpSocket"):
            port, where = probe[name].get("port", 0), f"{path}.{name}.port"
            if port_name is None and port in (0, ""):
                faults.invalid(port, where, "Probe port must be specified")
            elif port_name is not None and isinstance(port, str) and port not in ("", port_name):
                faults.invalid(port, where, "Probe port must match container port")
        elif name == "exec" and not probe[name].get("command"):
            faults.missing(f"{path}.exec.command")


def _check_counts(probe: Raw, path: str, faults: fields.Faults) -> None:
    """Of a liveness or startup probe: 0 is the default, and one success is enough."""
    for name in _COUNTS:
        number = probe.get(name, 0)
        if not 0 <= number <= INT32_MAX:
            faults.out_of_bounds(number, 0, INT32_MAX, f"{path}.{name}")
    successes = probe.get("successThreshold", 0)
    if successes not in (0, 1):
        details = "must be 1 for liveness and startup probes"
        faults.invalid(successes, f"{path}.successThreshold", details)


def _check_readiness(probe: Raw, path: str, faults: fields.Faults) -> None:
    """Of a readiness probe, in which a period of 0 means: as often as it takes."""
    successes = probe.get("successThreshold") or 1
    if not 1 <= successes <= INT32_MAX:
        faults.out_of_bounds(successes, 1, INT32_MAX, f"{path}.successThreshold")
    has_period = bool(probe.get("periodSeconds", 0))
    for name in _COUNTS:
        number = probe.get(name, 0)
        if not has_period and number:
            message = f"{name} is disallowed when periodSeconds is zero"
            faults.add(message, f"{path}.{name}")
        elif not 0 <= number <= INT32_MAX:
            faults.out_of_bounds(number, 1, INT32_MAX, f"{path}.{name}")
