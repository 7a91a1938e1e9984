"""Who a container's process is to be, and what it may do: pure.

For: reading the security contexts of a Pod and its container into one answer, and naming what
this machine can not give.
Must not know: system calls, processes, or how anything is refused.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from api.objects import Raw

# By their numbers in linux/capability.h, from 0 on.
_NAMES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE "
    "NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO "
    "SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME "
    "SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG "
    "WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
CAPABILITIES: Final = tuple(_NAMES.split())

_NO_PROFILE = "no such profile is applied to a process here"
_WHOLE: Final[Mapping[str, str]] = {
    "seLinuxOptions": "labels of SELinux are not set on a process here",
    "windowsOptions": "this is no Windows",
    "sysctls": "they would be the whole machine's",
}
PROFILE: Final = "seccompProfile.localhostProfile"
_AS_ROOT = "another than the platform's own: only if the platform runs as root"
# What is given in part, in words: decided below.
OF_BOTH: Final[Mapping[str, str]] = {
    "runAsGroup": _AS_ROOT,
    "runAsNonRoot": "if the platform runs as root: only with a runAsUser",
    "runAsUser": _AS_ROOT,
    PROFILE: _NO_PROFILE,
    "seccompProfile.type": f"a type other than Unconfined: {_NO_PROFILE}",
}
OF_PODS: Final[Mapping[str, str]] = {
    **OF_BOTH,
    "fsGroup": _AS_ROOT,
    "supplementalGroups": _AS_ROOT,
}
OF_CONTAINERS: Final[Mapping[str, str]] = {
    **OF_BOTH,
    "capabilities.drop": "names that are not in this kernel's list",
    "privileged": "true: only if the platform runs as root",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Who runs the platform, and so what it may give."""

    uid: int = 0
    gid: int = 0
    groups: Collection[int] = ()

    @property
    def is_root(self) -> bool:
        """Whether it may become anybody."""
        return self.uid == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who a process is; None leaves it as the platform is."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None
    dropped: tuple[int, ...] = ()
    no_new_privileges: bool = False
    is_root_read_only: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether nothing differs from the platform's own."""
        return self == Credentials()


Refused = tuple[str, str]  # path below the Pod's spec, why


def credentials(
    spec: Raw, container: Raw, owner: Owner, *, group_of: Callable[[int], int]
) -> Credentials:
    """What is asked for, where nothing of it is refused. `group_of` a user's, by number."""
    pod, own = spec.get("securityContext") or {}, container.get("securityContext") or {}
    read_only = bool(own.get("readOnlyRootFilesystem"))
    no_new = own.get("allowPrivilegeEscalation") is False
    if not owner.is_root:
        return Credentials(no_new_privileges=no_new, is_root_read_only=read_only)
    uid, gid = _either("runAsUser", pod, own), _either("runAsGroup", pod, own)
    if gid is None and uid is not None:
        gid = group_of(uid)
    groups = [int(each) for each in pod.get("supplementalGroups") or ()]
    groups += [int(pod["fsGroup"])] if pod.get("fsGroup") is not None else []
    return Credentials(
        uid=uid,
        gid=gid,
        groups=tuple(groups) if groups or uid is not None else None,
        dropped=_dropped(own.get("capabilities") or {}),
        no_new_privileges=no_new,
        is_root_read_only=read_only,
    )


def _either(name: str, pod: Raw, own: Raw) -> int | None:
    value = own.get(name, pod.get(name))
    return None if value is None else int(value)


def _dropped(wanted: Mapping[str, Any]) -> tuple[int, ...]:
    kept = {_capability(name) for name in wanted.get("add") or ()}
    names = {_capability(name) for name in wanted.get("drop") or ()}
    if "ALL" in names:
        names = set(CAPABILITIES) - kept
    return tuple(at for at, name in enumerate(CAPABILITIES) if name in names)


def _capability(name: Any) -> str:
    return str(name).upper().removeprefix("CAP_")


def refused(spec: Raw, container: Raw | None, at: str, owner: Owner) -> Iterator[Refused]:
    """What this machine can not give of a Pod's (container None) or a container's context.

    `at` is the path of the context: "securityContext" or "containers[0].securityContext".
    """
    context = (spec if container is None else container).get("securityContext") or {}
    for name, why in _WHOLE.items():
        if context.get(name):
            yield f"{at}.{name}", why
    for name in ("seccompProfile", "appArmorProfile"):
        if (context.get(name) or {}).get("type", "Unconfined") != "Unconfined":
            yield f"{at}.{name}", _NO_PROFILE
    if context.get("procMount", "Default") != "Default":
        yield f"{at}.procMount", "a process sees the machine's /proc"
    if context.get("supplementalGroupsPolicy", "Strict") != "Strict":
        yield f"{at}.supplementalGroupsPolicy", "no groups are taken from an image"
    yield from _identity(spec, context, at, owner)
    if container is not None:
        yield from _rights(context, at, owner)


def _identity(spec: Raw, context: Raw, at: str, owner: Owner) -> Iterator[Refused]:
    if not owner.is_root:
        mine = {"runAsUser": owner.uid, "runAsGroup": owner.gid}
        for name, own in mine.items():
            if context.get(name) not in (None, own):
                yield f"{at}.{name}", f"the platform runs as {own} and can not become another"
        groups = {owner.gid, *owner.groups}
        if context.get("fsGroup") is not None and int(context["fsGroup"]) not in groups:
            yield f"{at}.fsGroup", "the platform is not a member of that group"
        if {int(each) for each in context.get("supplementalGroups") or ()} - groups:
            yield f"{at}.supplementalGroups", "the platform is not a member of all those groups"
    if context.get("runAsNonRoot"):
        pod = spec.get("securityContext") or {}
        uid = _either("runAsUser", pod, context)
        if (owner.uid if uid is None else uid) == 0:
            yield f"{at}.runAsNonRoot", "the platform runs as root: set runAsUser"


def _rights(context: Raw, at: str, owner: Owner) -> Iterator[Refused]:
    if context.get("privileged") and not owner.is_root:
        yield f"{at}.privileged", "the platform does not run as root"
    wanted = context.get("capabilities") or {}
    if wanted.get("add") and not owner.is_root:
        yield f"{at}.capabilities.add", "the platform does not run as root"
    for part in ("add", "drop"):
        unknown = {_capability(name) for name in wanted.get(part) or ()} - {"ALL", *CAPABILITIES}
        if unknown:
            yield f"{at}.capabilities.{part}", f"{', '.join(sorted(unknown))}: not known here"
