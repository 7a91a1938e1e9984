"""How much memory this machine has left, and how much of it one process holds.

For: reading Linux's own figures: /proc/meminfo, the control group's bound, PSI.
Must not know: what is done about them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from embedded.frozen import Memory

_PROC: Final = Path("/proc")
_GROUPS: Final = Path("/sys/fs/cgroup")
_KIB: Final = 1024


def read(proc: Path = _PROC, groups: Path = _GROUPS) -> Memory:
    """The machine's memory, or what the platform's control group leaves of it.

    Nothing is available where nothing can be read.
    """
    fields = _fields(_text(proc / "meminfo"))
    total, available = fields.get("MemTotal", 0), fields.get("MemAvailable", 0)
    for folder in _own_groups(_text(proc / "self/cgroup"), groups):
        bound, used = _text(folder / "memory.max"), _text(folder / "memory.current")
        if bound.strip().isdigit() and used.strip().isdigit():
            cached = _column(_text(folder / "memory.stat"), "inactive_file")
            total = min(total, int(bound))
            available = min(available, max(0, int(bound) - int(used) + cached))
    pressure = _pressure(_text(proc / "pressure/memory"))
    return Memory(total_bytes=total, available_bytes=available, pressure_percent=pressure)


def of_process(pid: int, proc: Path = _PROC) -> int | None:
    """Bytes a process holds, its part of what it shares; None: it is not alone, or gone.

    What a model started itself is not counted and not known: such a process is not alone.
    """
    folder = proc / str(pid)
    fields = _fields(_text(folder / "smaps_rollup")) or _fields(_text(folder / "status"))
    size = fields.get("Pss") or fields.get("VmRSS")
    if any(_text(each) for each in folder.glob("task/*/children")):
        return None
    return size


def _own_groups(text: str, root: Path) -> Iterator[Path]:
    """The platform's control group and those above it (version 2)."""
    for line in text.splitlines():
        if line.startswith("0::"):
            path = root / line[3:].strip().lstrip("/")
            yield path
            yield from (each for each in path.parents if each.is_relative_to(root))


def _fields(text: str) -> dict[str, int]:
    """Bytes by name, of lines such as "MemTotal:   123 kB"."""
    found = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        words = rest.split()
        if colon and len(words) == 2 and words[0].isdigit() and words[1] == "kB":
            found[name] = int(words[0]) * _KIB
    return found


def _column(text: str, name: str) -> int:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _pressure(text: str) -> float:
    """Percent of the last ten seconds in which something waited for memory."""
    for line in text.splitlines():
        if line.startswith("some "):
            for word in line.split():
                name, _, value = word.partition("=")
                if name == "avg10":
                    return float(value)
    return 0.0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
