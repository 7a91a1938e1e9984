"""Put this process where a container of a Pod belongs: its own tree of files, user and rights.

For: carrying out, in a child that was just forked, what `embedded` planned for it.
Must not know: Pods, volumes, why anything is mounted or refused.

The child has one thread, as a user namespace asks. Everything here is a system call by way of
libc, opened before any fork.
"""

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None

_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_REMOUNT = 1, 2, 4, 32
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SLAVE = 4096, 16384, 1 << 18, 1 << 19
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_ATTR_RDONLY = 1
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "ppc64le": 203, "s390x": 217}
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91, "ppc64le": 184, "s390x": 185}
_CAPABILITY_VERSION = 0x20080522
_BASE = "/tmp"  # noqa: S108 - any directory: what is mounted there is this process's own
_OLD, _NEW = "/old", "/new"


class ConfineError(Exception):
    """The kernel does not let us; the message is a sentence that says what and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """Where a process belongs. Without steps it stays in the machine's tree."""

    steps: Sequence[Sequence[Any]] = ()  # see embedded.mounts.plan
    is_user_namespace: bool = False  # this process has no right to mount in the machine's
    uid: int | None = None
    gid: int | None = None
    groups: Sequence[int] | None = None  # None: as they are
    dropped: Sequence[int] = ()  # numbers of capabilities
    no_new_privileges: bool = False


def read(path: str) -> Confinement:
    """What was written down for this process."""
    return Confinement(**orjson.loads(Path(path).read_bytes()))


def enter(wanted: Confinement, *, own: Sequence[int] = ()) -> None:
    """Go there, for good; ConfineError. Only in a process of one thread.

    `own` are descriptors whose files become the new user's, who may open them again by name
    (/dev/stdout).
    """
    if wanted.steps:
        if _LIBC is None:
            raise ConfineError("mounts need Linux")
        _unshare(is_user=wanted.is_user_namespace)
        _build(wanted.steps)
    if wanted.uid is not None:
        for descriptor in own:
            os.fchown(descriptor, wanted.uid, -1)
    _become(wanted)
    if wanted.is_user_namespace and wanted.steps:
        _drop(range(64))  # the rights inside our own user namespace were for the mounts only
    elif wanted.dropped:
        _drop(wanted.dropped)
    if wanted.no_new_privileges:
        _prctl(_PR_SET_NO_NEW_PRIVS, 1, "set no_new_privs")


def ability() -> str:
    """Why this process can not give a child a tree of its own; "" if it can. Forks."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = ""
        try:
            steps = [["bind", "/", "/"], ["readonly", "/"]]
            enter(Confinement(steps=steps, is_user_namespace=os.geteuid() != 0))
        except ConfineError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001 - the end of a process: told, not raised
            said = repr(error)
        finally:
            os.write(writing, said.encode()[:4096])
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answers:
        said = answers.read().decode(errors="replace")
    os.waitpid(pid, 0)
    return said


def _unshare(*, is_user: bool) -> None:
    uid, gid = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNS | (_CLONE_NEWUSER if is_user else 0)
    what = "make a user and a mount namespace" if is_user else "make a mount namespace"
    assert _LIBC is not None
    _require(_LIBC.unshare(flags), what)
    if is_user:
        try:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        except OSError as error:
            raise ConfineError(f"cannot map users: {error.strerror}") from error
    _mount(None, "/", _MS_REC | (_MS_SLAVE if is_user else _MS_PRIVATE))


def _build(steps: Sequence[Sequence[Any]]) -> None:
    """Build the new root beside the old one, then leave the old one behind."""
    os.umask(0)
    _mount("tmpfs", _BASE, _MS_NOSUID | _MS_NODEV, kind="tmpfs", data="mode=755")
    for name in (_OLD, _NEW):
        Path(_BASE + name).mkdir(mode=0o755)
    _pivot(_BASE, _BASE + _OLD)
    os.chdir("/")
    for operation, *rest in steps:
        _STEPS[operation](*rest)
    os.chdir(_NEW)
    _pivot(".", ".")
    assert _LIBC is not None
    _require(_LIBC.umount2(b".", _MNT_DETACH), "leave the old root")
    os.chdir("/")
    os.umask(0o022)


def _bind(source: str, target: str) -> None:
    _mount(_old(source), _new(target), _MS_BIND | _MS_REC)


def _tmpfs(target: str, mode: int) -> None:
    _mount("tmpfs", _new(target), _MS_NOSUID | _MS_NODEV, kind="tmpfs", data=f"mode={mode:o}")


def _mirror(directory: str, entries: Sequence[Sequence[str]]) -> None:
    for kind, name, link in entries:
        path = f"{directory.rstrip('/')}/{name}"
        try:
            if kind == "link":
                Path(_new(path)).symlink_to(link)
                continue
            (_mkdir if kind == "dir" else _touch)(path)
            _bind(path, path)
        except (FileNotFoundError, ConfineError):
            # It went since it was listed: it is missing here too. Anything else is an error.
            if os.path.lexists(_old(path)):
                raise


def _mkdir(target: str) -> None:
    try:
        Path(_new(target)).mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfineError(f"cannot make {target}: {error.strerror}") from error


def _touch(target: str) -> None:
    if os.path.lexists(_new(target)):
        return  # not opened: it may be a pipe
    _mkdir(str(Path(target).parent))
    try:
        Path(_new(target)).touch(mode=0o644)
    except OSError as error:
        raise ConfineError(f"cannot make {target}: {error.strerror}") from error


def _readonly(target: str) -> None:
    _set_attributes(target, (_ATTR_RDONLY, 0), "read-only")


def _writable(target: str) -> None:
    _set_attributes(target, (0, _ATTR_RDONLY), "writable")


def _set_attributes(target: str, wanted: tuple[int, int], word: str) -> None:
    """`wanted`: what to set and what to clear, the first half of struct mount_attr."""
    assert _LIBC is not None
    attributes = (ctypes.c_uint64 * 4)(*wanted, 0, 0)
    done = _LIBC.syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        _new(target).encode(),
        _AT_RECURSIVE,
        attributes,
        ctypes.sizeof(attributes),
    )
    _require(done, f"make {target} {word} (Linux 5.12 can)")


_STEPS: dict[str, Callable[..., None]] = {
    "bind": _bind,
    "tmpfs": _tmpfs,
    "mirror": _mirror,
    "mkdir": _mkdir,
    "touch": _touch,
    "readonly": _readonly,
    "writable": _writable,
}


def _old(path: str) -> str:
    return _OLD + path


def _new(path: str) -> str:
    return _NEW + path.rstrip("/")


def _become(wanted: Confinement) -> None:
    """Another user, with fewer rights; the death of our parent still ends us."""
    parent = os.getppid()
    for number in wanted.dropped:
        _prctl(_PR_CAPBSET_DROP, number, f"drop capability {number}")
    try:
        if wanted.groups is not None:
            os.setgroups(list(wanted.groups))
        if wanted.gid is not None:
            os.setresgid(wanted.gid, wanted.gid, wanted.gid)
        if wanted.uid is not None:
            os.setresuid(wanted.uid, wanted.uid, wanted.uid)
    except OSError as error:
        who = f"user {wanted.uid}, group {wanted.gid}, groups {wanted.groups}"
        raise ConfineError(f"cannot become {who}: {error.strerror}") from error
    if wanted.uid is not None or wanted.gid is not None:
        _prctl(
            _PR_SET_PDEATHSIG, signal.SIGKILL, "end with the parent"
        )  # a change of user unset it
        if os.getppid() != parent:
            os._exit(1)


def _drop(numbers: Iterable[int]) -> None:
    """Do without these from now on; what a program started by us gets is the bounding set's."""
    number = _SYS_CAPSET.get(os.uname().machine)
    if number is None or _LIBC is None:
        raise ConfineError(f"dropping capabilities is not known on {os.uname().machine}")
    head = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    # Two times effective, permitted and inheritable, each of 32 bits.
    held = (ctypes.c_uint32 * 6)()
    _require(_LIBC.syscall(number - 1, head, held), "read capabilities")  # capget is before it
    for each in numbers:
        for part in range(3):
            held[each // 32 * 3 + part] &= ~(1 << each % 32)
    _require(_LIBC.syscall(number, head, held), "drop capabilities")


def _prctl(option: int, value: int, what: str) -> None:
    if _LIBC is None:
        raise ConfineError(f"cannot {what}: it needs Linux")
    _require(_LIBC.prctl(option, value, 0, 0, 0), what)


def _pivot(new: str, old: str) -> None:
    number = _SYS_PIVOT_ROOT.get(os.uname().machine)
    if number is None or _LIBC is None:
        raise ConfineError(f"pivot_root is not known on {os.uname().machine}")
    _require(_LIBC.syscall(number, new.encode(), old.encode()), "change the root")


def _mount(
    source: str | None, target: str, flags: int, *, kind: str | None = None, data: str | None = None
) -> None:
    assert _LIBC is not None
    words = [None if word is None else word.encode() for word in (source, target, kind, data)]
    done = _LIBC.mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3])
    where = target.removeprefix(_NEW) or "/"
    what = (source or "").removeprefix(_OLD)
    _require(done, f"mount {what} at {where}" if source else f"set up {where}")


def _require(done: int, what: str) -> None:
    if done == 0:
        return
    number = ctypes.get_errno()
    if number == errno.ENOENT:
        raise FileNotFoundError(number, os.strerror(number), what)
    raise ConfineError(f"cannot {what}: {os.strerror(number)}")
