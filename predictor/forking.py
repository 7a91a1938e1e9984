"""Fork this process safely, and make the child a process of its own.

For: the checks before a fork and the housekeeping after it, in the zygote and its spares.
Must not know: what the child does, messages, models.
"""

import asyncio
import ctypes
import gc
import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None  # loaded before any fork
_TASKS = Path("/proc/self/task")
_INHERITED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class UnsafeForkError(Exception):
    """A fork now could hang the child; the message says what to change."""


def threads() -> int:
    """How many this process has, Python's and others'."""
    return sum(1 for _ in _TASKS.iterdir()) if _TASKS.is_dir() else threading.active_count()


def check_safe() -> None:
    """Refuse to fork beside another thread or under a running loop.

    A child has only the thread that forked: a lock held by another one stays locked for
    ever, and a loop's selector would be shared with the parent.
    """
    if (count := threads()) != 1:
        raise UnsafeForkError(
            f"cannot fork beside {count - 1} other threads; start the zygote with "
            "OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 ORT_DISABLE_TELEMETRY=1"
        )
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UnsafeForkError("cannot fork under a running event loop")


def adopt() -> None:
    """Become the parent of every descendant whose own parent ends, instead of process 1."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def fork(main: Callable[[], int], *, close: Iterable[int]) -> int:
    """The pid of a child that runs `main` and exits with what it returns.

    The child has its own session, so that Ctrl-C at the terminal is not for it; dies when
    its parent dies; and holds none of the descriptors in `close`, whose other ends must see
    the end of file when the parent goes.
    """
    check_safe()
    sys.stdout.flush()
    sys.stderr.flush()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _become_child(parent, close)
        code = main()
    except BaseException:  # noqa: BLE001 - the end of a process: nobody is left to catch it
        traceback.print_exc()
    finally:
        _flush()
        os._exit(code)  # no exit handlers of the parent


def _become_child(parent: int, close: Iterable[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in _INHERITED:
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)
    for descriptor in close:
        os.close(descriptor)
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # else all replicas draw the same numbers
    gc.enable()


def own_streams() -> None:
    """Nothing to read, and unbuffered output, here and in every child: none makes its own."""
    null = os.open(os.devnull, os.O_RDONLY)
    if null:
        os.dup2(null, 0)
        os.close(null)
    sys.stdout = sys.__stdout__ = _unbuffered(1)  # type: ignore[misc] # final, but not its file
    sys.stderr = sys.__stderr__ = _unbuffered(2)  # type: ignore[misc] # as above


def drop_doubles(*, keep: int) -> None:
    """Close what was inherited of the files that are standard streams, but for these and `keep`.

    uvloop leaves such doubles in a process that it starts, and every fork would hold them on.
    """
    streams = [os.fstat(each) for each in (0, 1, 2)]
    for path in Path("/proc/self/fd").iterdir() if sys.platform == "linux" else ():
        descriptor = int(path.name)
        if descriptor > 2 and descriptor != keep and _is_inherited(descriptor):
            found = os.fstat(descriptor)
            if any(os.path.samestat(found, each) for each in streams):
                os.close(descriptor)


def _is_inherited(descriptor: int) -> bool:
    try:
        return os.get_inheritable(descriptor)  # Python makes none that is
    except OSError:
        return False  # the one by which they were listed


def redirect(log_fd: int) -> None:
    """Make a descriptor a child's standard output and error, and close the original."""
    os.dup2(log_fd, 1)
    os.dup2(log_fd, 2)
    if log_fd not in (1, 2):
        os.close(log_fd)


def _unbuffered(descriptor: int) -> io.TextIOWrapper:
    """What `python -u` makes of it: nothing is lost when the process is killed."""
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, errors="backslashreplace", write_through=True)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # the reader is gone; nothing else can be done at the end
