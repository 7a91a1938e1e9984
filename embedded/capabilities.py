"""What a process on one machine can not do of what a Pod may ask: pure.

For: refusing by name, at admission and at start, what would otherwise be ignored; and the table
of it for `docs/compatibility.md`.
Must not know: which kinds carry a Pod's spec, how an object is admitted, or how a process starts.

What one machine does without doing anything is in HELD.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from api.errors import FieldError
from api.objects import Raw
from embedded import security
from embedded.environment import is_pod_field
from embedded.security import Owner

MESSAGE: Final = "must not set the field(s)"
_NOT_SERVED: Final = "not served on one machine: "
NODE_LABELS: Final = ("kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/hostname")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine and its kernel let us do."""

    owner: Owner = field(default_factory=Owner)
    no_mounts: str = ""  # why a process can not have files of its own; "": it can
    labels: Mapping[str, str] = field(default_factory=dict)  # of the one node


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One thing that is served on clusters only."""

    path: str  # below the Pod's spec; `*` is any name
    why: str
    allowed: tuple[Any, ...] = (None, "", False)  # values that ask for nothing
    is_partly: bool = False  # there are values that are served


# Of an autoscaler class, which stands on a template and not in a Pod.
NO_HPA: Final = (
    f"{_NOT_SERVED}nothing measures the cpu and memory of Pods here; relight and kpa are"
)

_OF_POD: Final = (
    Row(path="activeDeadlineSeconds", why="a process is not ended for its age"),
    Row(path="dnsConfig", why="a process has the machine's resolver"),
    Row(
        path="dnsPolicy",
        why="a process has the machine's resolver: None is for clusters",
        allowed=(None, "", "Default", "ClusterFirst", "ClusterFirstWithHostNet"),
        is_partly=True,
    ),
    Row(path="ephemeralContainers", why="nothing is added to a Pod that runs"),
    Row(path="hostUsers", why="users are the machine's", allowed=(None, True)),
    Row(path="hostname", why="a process has the machine's name"),
    Row(path="os", why="this machine runs Linux", allowed=(None, {"name": "linux"})),
    Row(path="overhead", why="a process has none"),
    Row(
        path="preemptionPolicy",
        why="nothing is preempted",
        allowed=(None, "", "PreemptLowerPriority"),
    ),
    Row(path="priority", why="nothing is preempted", allowed=(None, 0)),
    Row(path="priorityClassName", why="nothing is preempted"),
    Row(path="readinessGates", why="nobody here sets conditions of their own"),
    Row(path="resourceClaims", why="no devices are claimed here"),
    Row(path="resources", why="bounds are set on each process: give them on containers"),
    Row(path="runtimeClassName", why="there is no container runtime"),
    Row(
        path="schedulerName",
        why="there is one scheduler, default-scheduler",
        allowed=(None, "", "default-scheduler"),
        is_partly=True,
    ),
    Row(path="schedulingGates", why="nothing opens them here"),
    Row(path="setHostnameAsFQDN", why="a process has the machine's name"),
    Row(path="subdomain", why="a process has the machine's name"),
)
_OF_CONTAINER: Final = (
    Row(path="lifecycle", why="nothing runs beside a container's own program"),
    Row(path="resizePolicy", why="bounds are set when a process starts"),
    Row(path="resources.claims", why="no devices are claimed here"),
    Row(
        path="resources.limits.ephemeral-storage",
        why="what a process writes is not counted; requests are counted against the disk",
    ),
    Row(path="restartPolicy", why="containers that start again beside others are in containers"),
    Row(path="restartPolicyRules", why="the Pod's restartPolicy holds for all"),
    Row(path="stdin", why="nothing is attached to a process"),
    Row(path="stdinOnce", why="nothing is attached to a process"),
    Row(path="tty", why="nothing is attached to a process"),
    Row(path="volumeDevices", why="there are no block devices to give"),
)
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_GROUPS: Final = ("containers", "initContainers")
_OF_PORTS: Final = (
    Row(path="ports[*].hostPort", why="a process has the machine's ports anyway"),
    Row(path="ports[*].hostIP", why="a process has the machine's addresses anyway"),
)
_PROPAGATION: Final = Row(path="volumeMounts[*].mountPropagation", why="mounts are a process's own")
# What else is refused, in words: read by the documentation, decided by code below.
TABLE: Final = (
    *_OF_POD,
    Row(path=f"affinity.*.{_REQUIRED}", why="only preferences are met by a single node"),
    Row(
        path="automountServiceAccountToken",
        why="a process is given no token: false is served",
        is_partly=True,
    ),
    Row(
        path="nodeSelector",
        why="there is one node, with three labels: " + ", ".join(NODE_LABELS),
        is_partly=True,
    ),
    Row(
        path="serviceAccountName",
        why="a process is given no token, so it has no identity: leave it out, or set "
        "automountServiceAccountToken: false",
        is_partly=True,
    ),
    Row(
        path="topologySpreadConstraints",
        why="DoNotSchedule over anything but kubernetes.io/hostname: the node has no such domain",
        is_partly=True,
    ),
    Row(
        path="volumes[*].persistentVolumeClaim",
        why="nothing but the machine's own files can be provided here: use hostPath",
    ),
    Row(path="volumes[*].emptyDir.sizeLimit", why="the size of a directory is not bounded"),
    Row(
        path="volumes[*].emptyDir.medium",
        why="HugePages: there are none to give",
        is_partly=True,
    ),
    Row(
        path="volumes[*].hostPath.type",
        why='other than "", Directory and File: nothing is made on the machine',
        is_partly=True,
    ),
    Row(path="volumes[*].projected.sources[*].serviceAccountToken", why="no token is minted"),
    *(
        Row(path=f"{group}[*].{row.path}", why=row.why, allowed=row.allowed)
        for group in _GROUPS
        for row in (*_OF_CONTAINER, *_OF_PORTS, _PROPAGATION)
    ),
    *(
        Row(
            path=f"{group}[*].env[*].valueFrom.fieldRef.fieldPath",
            why="other than Kubernetes' own list for variables",
            is_partly=True,
        )
        for group in _GROUPS
    ),
    *(
        Row(
            path=f"containers[*].*Probe.{action}.host",
            why="other than this machine: only it is probed",
            is_partly=True,
        )
        for action in ("httpGet", "tcpSocket")
    ),
    *(
        Row(path=f"{where}.{name}", why=why, is_partly=name != security.PROFILE)
        for where, remarks in (
            ("securityContext", security.OF_PODS),
            *((f"{group}[*].securityContext", security.OF_CONTAINERS) for group in _GROUPS),
        )
        for name, why in remarks.items()
    ),
)
# What holds by itself where there is one node, no registry and no cluster network.
HELD: Final[Mapping[str, str]] = {
    "affinity": "a preference is met by the one node",
    "enableServiceLinks": "there are no core Services to link to",
    "imagePullPolicy": "nothing is pulled",
    "imagePullSecrets": "nothing is pulled",
    "shareProcessNamespace": "processes share the machine's",
    "hostNetwork": "processes share the machine's",
    "hostPID": "processes share the machine's",
    "hostIPC": "processes share the machine's",
    "tolerations": "the one node has no taint",
    "topologySpreadConstraints": "all Pods are on the one node",
}
_VOLUMES: Final = frozenset(
    {"name", "configMap", "secret", "emptyDir", "projected", "downwardAPI", "hostPath"}
)
_LOCAL: Final = (None, "", "localhost", "127.0.0.1", "::1")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_Found = tuple[str, str]  # path below the spec, why


def refusals(pod_spec: Raw, *, path: str, machine: Machine | None = None) -> list[FieldError]:
    """Everything of a Pod's spec that is not served here, each by its full path.

    Lenient about form: whether a spec is valid is another question.
    """
    machine = machine or Machine()
    found = [*_of_pod(pod_spec, machine)]
    if machine.no_mounts and pod_spec.get("hostAliases"):
        found.append(("hostAliases", machine.no_mounts))
    for group in ("initContainers", "containers"):
        for at, container in enumerate(_list(pod_spec, group)):
            here = f"{group}[{at}]"
            found += _of_container(container, here)
            found += [
                (where, why)
                for where, why in security.refused(
                    pod_spec, container, f"{here}.securityContext", machine.owner
                )
            ]
            if machine.no_mounts:
                found += [(where, machine.no_mounts) for where in _mounting(container, here)]
    return [
        FieldError(message=MESSAGE, paths=(f"{path}.{where}",), details=_NOT_SERVED + why)
        for where, why in found
    ]


def _of_pod(spec: Raw, machine: Machine) -> Iterator[_Found]:
    yield from _rows(_OF_POD, spec, "")
    yield from security.refused(spec, None, "securityContext", machine.owner)
    yield from _placing(spec, machine)
    mounts_token = spec.get("automountServiceAccountToken")
    if mounts_token is True:
        yield "automountServiceAccountToken", _why("automountServiceAccountToken")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account not in (None, "", "default") and mounts_token is not False:
        yield "serviceAccountName", _why("serviceAccountName")
    for at, volume in enumerate(_list(spec, "volumes")):
        yield from _of_volume(volume, f"volumes[{at}]")


def _placing(spec: Raw, machine: Machine) -> Iterator[_Found]:
    """Where it may run: preferences always hold, requirements if the one node meets them."""
    if spec.get("nodeName") not in (None, "", "localhost"):
        yield "nodeName", "there is one node, localhost"
    for name, value in _map(spec, "nodeSelector").items():
        if machine.labels.get(name) != value:
            yield "nodeSelector", f"the one node has no label {name}: {value}"
    affinity = _map(spec, "affinity")
    for kind in affinity:
        if _map(affinity, kind).get(_REQUIRED):
            yield f"affinity.{kind}.{_REQUIRED}", _why(f"affinity.*.{_REQUIRED}")
    for at, constraint in enumerate(_list(spec, "topologySpreadConstraints")):
        is_soft = constraint.get("whenUnsatisfiable") == "ScheduleAnyway"
        if not is_soft and constraint.get("topologyKey") not in machine.labels:
            yield f"topologySpreadConstraints[{at}]", _why("topologySpreadConstraints")


def _of_volume(volume: Raw, at: str) -> Iterator[_Found]:
    for name in sorted(set(volume) - _VOLUMES):
        yield f"{at}.{name}", _why("volumes[*].persistentVolumeClaim")
    if _map(volume, "emptyDir").get("sizeLimit"):
        yield f"{at}.emptyDir.sizeLimit", _why("volumes[*].emptyDir.sizeLimit")
    if str(_map(volume, "emptyDir").get("medium") or "").startswith("HugePages"):
        yield f"{at}.emptyDir.medium", "there are no huge pages to give"
    if _map(volume, "hostPath").get("type", "") not in ("", None, "Directory", "File"):
        yield f"{at}.hostPath.type", _why("volumes[*].hostPath.type")
    for index, source in enumerate(_list(_map(volume, "projected"), "sources")):
        for name in sorted(set(source) - {"configMap", "secret", "downwardAPI"}):
            yield f"{at}.projected.sources[{index}].{name}", "no token or bundle is minted here"


def _of_container(container: Raw, at: str) -> Iterator[_Found]:
    yield from _rows(_OF_CONTAINER, container, f"{at}.")
    for index, port in enumerate(_list(container, "ports")):
        for name in ("hostPort", "hostIP"):
            if port.get(name):
                yield f"{at}.ports[{index}].{name}", _why(f"containers[*].ports[*].{name}")
    for index, entry in enumerate(_list(container, "env")):
        reference = _map(_map(entry, "valueFrom"), "fieldRef")
        if reference and not is_pod_field(str(reference.get("fieldPath"))):
            yield f"{at}.env[{index}].valueFrom.fieldRef.fieldPath", "a process has no such field"
    yield from _of_mounts(container, at)
    for name in _PROBES:
        for action in ("httpGet", "tcpSocket"):
            if _map(_map(container, name), action).get("host") not in _LOCAL:
                yield f"{at}.{name}.{action}.host", "only this machine is probed"


def _of_mounts(container: Raw, at: str) -> Iterator[_Found]:
    for index, mount in enumerate(_list(container, "volumeMounts")):
        if mount.get("mountPropagation") not in (None, "", "None"):
            where = f"{at}.volumeMounts[{index}].mountPropagation"
            yield where, _why("containers[*].volumeMounts[*].mountPropagation")


def _mounting(container: Raw, at: str) -> Iterator[str]:
    """What of a container needs files of its own."""
    for name in ("volumeMounts", "terminationMessagePath"):
        if container.get(name):
            yield f"{at}.{name}"
    if _map(container, "securityContext").get("readOnlyRootFilesystem"):
        yield f"{at}.securityContext.readOnlyRootFilesystem"


def _rows(rows: tuple[Row, ...], obj: Raw, prefix: str) -> Iterator[_Found]:
    for row in rows:
        if row.path.partition(".")[0] not in obj:
            continue  # most of them, every time a Pod starts
        value: Any = obj
        for part in row.path.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        # Empty lists and maps ask for nothing either.
        if value not in row.allowed and value not in ([], {}):
            yield prefix + row.path, row.why


def _why(path: str) -> str:
    return next(row.why for row in TABLE if row.path == path)


def _list(obj: Raw, name: str) -> list[Raw]:
    value = obj.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _map(obj: Raw, name: str) -> Mapping[str, Any]:
    value = obj.get(name)
    return value if isinstance(value, Mapping) else {}
