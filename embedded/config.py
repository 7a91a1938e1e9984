"""Settings of the one-machine platform, parsed once.

For: bounds, defaults and error messages of everything `relight up` takes.
Must not know: what any of the settings switches.
"""

import os
import re
import shutil
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from api import quantities
from embedded import hosts
from embedded.frozen import Bounds
from embedded.node import Facts
from embedded.security import Owner
from predictor.fetch_sources import of_fetches
from predictor.libraries import SETS

# sun_path holds 108 bytes on Linux and 104 elsewhere; the rest is "/run/<12 hex>.sock".
_SOCKET_PATH_MAX = 108 if sys.platform == "linux" else 104
_FROZEN_PERCENT_MAX = 90
_FROZEN_BYTES_MAX = 1 << 60
_FETCHED_BYTES_MAX = 1 << 60
_SOCKET_NAME = "/run/0123456789ab.sock"


class SettingsError(ValueError):
    """A setting is out of bounds; the message names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `relight up` was asked for. Ports: 0 picks a free one."""

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080  # the activator
    api_host: str = ""  # as host
    api_port: int = 8001
    secure: bool = False  # TLS and a token on loopback too
    domain: str = "localhost"
    model_root: Path
    max_pods: int = 110  # the kubelet's default on a real node
    spares: int = 4
    state: str = ""  # where the autoscaler keeps its windows: a Redis, or "" for a file here
    fetched: str = "100Gi"  # of disk for fetched models; what a Revision pins stays in any case
    libraries: tuple[str, ...] = ()  # sets that are imported before any model needs them
    libraries_max: int = 4  # sets that are kept imported; 0: none
    frozen_memory: str = "25%"  # of what is available, or an amount; 0: nothing is frozen

    def __post_init__(self) -> None:
        """Refuse what can not work, naming the setting."""
        for name in ("port", "api_port"):
            if not 0 <= getattr(self, name) <= 65535:
                raise SettingsError(f"--{name.replace('_', '-')}: expected 0 to 65535")
        if not 1 <= self.max_pods <= 10_000:
            raise SettingsError("--max-pods: expected 1 to 10000")
        if not 0 <= self.spares <= 64:
            raise SettingsError("--spares: expected 0 to 64")
        self._check_libraries()
        if self.state and not self.state.startswith("@") and "://" not in self.state:
            raise SettingsError("--state: expected redis://HOST, or another form, or @FILE")
        _ = self.frozen, self.fetched_bytes
        if not self.model_root.is_dir():
            raise SettingsError(f"--model-root: {self.model_root} is not a directory")
        if len(str(self.data_dir).encode()) + len(_SOCKET_NAME) >= _SOCKET_PATH_MAX:
            raise SettingsError(
                f"--data-dir: {self.data_dir} is too long: replicas listen on Unix sockets in "
                f"it, whose paths hold {_SOCKET_PATH_MAX - 1} bytes"
            )

    @property
    def fetched_bytes(self) -> int:
        """How much fetched models may take. What a Revision pins stays in any case."""
        amount = quantities.parse(self.fetched)
        if amount is None or not 0 <= amount <= _FETCHED_BYTES_MAX:
            raise SettingsError(
                f"--fetched: expected an amount such as 100Gi, got {self.fetched[:40]!r}"
            )
        return int(amount)

    def _check_libraries(self) -> None:
        if not 0 <= self.libraries_max <= len(SETS):
            raise SettingsError(f"--libraries-max: expected 0 to {len(SETS)}")
        if unknown := ", ".join(sorted(set(self.libraries) - SETS.keys())):
            raise SettingsError(f"--libraries: expected some of {', '.join(SETS)}, got {unknown}")
        if len(set(self.libraries)) > self.libraries_max:
            raise SettingsError(f"--libraries: more than --libraries-max, {self.libraries_max}")

    @property
    def frozen(self) -> Bounds:
        """How much may be frozen."""
        text = self.frozen_memory
        percent = re.fullmatch(r"([0-9]{1,2})%", text)
        amount = quantities.parse(text)
        if percent is not None and int(percent[1]) <= _FROZEN_PERCENT_MAX:
            return Bounds(share=int(percent[1]) / 100, replicas_max=self.max_pods)
        if percent is not None or amount is None or amount < 0 or amount > _FROZEN_BYTES_MAX:
            raise SettingsError(
                f"--frozen-memory: expected 0% to {_FROZEN_PERCENT_MAX}% or an amount such as "
                f"512Mi, got {text[:40]!r}"
            )
        return Bounds(share=0.0, size_bytes=int(amount), replicas_max=self.max_pods)

    @property
    def api_listens(self) -> str:
        """The address the API server listens on."""
        return self.api_host or self.host

    @property
    def is_secure(self) -> bool:
        """Whether the API server wants TLS and a token: always, where others may reach it."""
        return self.secure or not hosts.is_loopback(self.api_listens)

    @property
    def database(self) -> Path:
        """Where objects are kept."""
        return self.data_dir / "relight.db"

    @property
    def windows(self) -> Path:
        """Where the autoscaler keeps its windows, unless `state` is elsewhere."""
        return self.data_dir / "windows.db"

    @property
    def kubeconfig(self) -> Path:
        """What `kubectl --kubeconfig` takes."""
        return self.data_dir / "kubeconfig"


def machine_capacity(data_dir: Path) -> dict[str, Decimal]:
    """What Pods may request of this machine: cores, bytes of memory and disk, GPUs."""
    pages, page_bytes = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": Decimal(os.cpu_count() or 1),
        "memory": Decimal(pages * page_bytes),
        "ephemeral-storage": Decimal(shutil.disk_usage(data_dir).free),
        "nvidia.com/gpu": Decimal(len(visible_gpus())),
    }


def visible_gpus() -> tuple[str, ...]:
    """The GPUs that may be given to Pods, as CUDA names them: those that we ourselves may use."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")  # noqa: TID251 - this is config.py
    if said is None:
        names = (path.name[6:] for path in Path("/dev").glob("nvidia*"))
        return tuple(sorted((name for name in names if name.isdigit()), key=int))
    found: list[str] = []
    for name in map(str.strip, said.split(",")):
        if not name or name.startswith("-"):
            break  # CUDA reads no further
        found.append(name)
    return tuple(found)


def owner() -> Owner:
    """Who runs the platform."""
    return Owner(uid=os.geteuid(), gid=os.getegid(), groups=tuple(os.getgroups()))


def node_labels() -> dict[str, str]:
    """The labels of the one node, as a kubelet gives them."""
    found = os.uname()
    architectures = {"x86_64": "amd64", "aarch64": "arm64"}
    return {
        "kubernetes.io/os": found.sysname.lower(),
        "kubernetes.io/arch": architectures.get(found.machine, found.machine),
        "kubernetes.io/hostname": found.nodename,
    }


def node_facts(data_dir: Path, *, pods_max: int) -> Facts:
    """What the Node object says of this machine."""
    found = os.uname()
    release = Path("/etc/os-release")
    names = (
        re.findall(r'^PRETTY_NAME="?([^"\n]*)', release.read_text(), re.MULTILINE)
        if (release.exists())
        else []
    )
    return Facts(
        name="localhost",
        labels=node_labels(),
        address="127.0.0.1",
        capacity=machine_capacity(data_dir),
        pods_max=pods_max,
        kernel=found.release,
        system=names[0] if names else found.sysname,
        architecture=node_labels()["kubernetes.io/arch"],
        machine_id=_word_of(Path("/etc/machine-id")),
        boot_id=_word_of(Path("/proc/sys/kernel/random/boot_id")),
    )


def _word_of(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def fetching_environment() -> dict[str, str]:
    """What fetches of models inherit beside that: our own credentials and proxies."""
    return of_fetches(os.environ)  # noqa: TID251 - this is config.py


def inherited_environment() -> dict[str, str]:
    """What processes we start inherit of ours: where programs, homes and words are found."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH")
    environment = os.environ  # noqa: TID251 - this is config.py
    return {
        name: value
        for name, value in environment.items()
        if name in kept or name.startswith(("CUDA_", "NVIDIA_", "ORT_"))
    }
