"""The one folder a platform lives in: who holds it, and what stands in it for clients.

For: that two platforms never share a folder, and that `kubectl` and `relight` find this one.
Must not know: what the platform does.
"""

import base64
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

import orjson
import yaml

from embedded.private_files import write_private


class DataDirectoryError(Exception):
    """The folder can not be used; the message names it and says why."""


class DataDirectory:
    """A folder held by this process while the `with` lasts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: BinaryIO | None = None

    def __enter__(self) -> "DataDirectory":
        """Make it and hold it, or raise `DataDirectoryError`."""
        try:
            for folder in (self.path, self.run, self.pods, self.models, self.cache):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.path / "lock").open("ab")
        except OSError as error:
            raise DataDirectoryError(f"{self.path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise DataDirectoryError(
                f"{self.path} is held by another platform: stop it or give another --data-dir"
            ) from error
        self._clear()
        return self

    def _clear(self) -> None:
        """Remove what a platform that was killed could not: sockets, half-made copies."""
        for stray in (*self.run.iterdir(), *self.models.iterdir()):
            if not stray.is_dir():
                stray.unlink()

    def __exit__(self, *_: object) -> None:
        """Let go; objects and models stay, addresses do not."""
        assert self._lock is not None
        self.addresses.unlink(missing_ok=True)
        self._lock.close()

    @property
    def run(self) -> Path:
        """Sockets."""
        return self.path / "run"

    @property
    def pods(self) -> Path:
        """What each Pod wrote."""
        return self.path / "pods"

    @property
    def models(self) -> Path:
        """Pinned models by digest."""
        return self.path / "models"

    @property
    def cache(self) -> Path:
        """What can be made again: fetched and prepared models."""
        return self.path / "cache"

    @property
    def addresses(self) -> Path:
        """Where a running platform says how it is reached."""
        return self.path / "relight.json"

    @property
    def certificates(self) -> Path:
        """Keys and certificates, where the API server has TLS."""
        return self.path / "tls"

    @property
    def token(self) -> Path:
        """What callers of such an API server must know."""
        return self.path / "token"

    def publish(
        self,
        *,
        api: str,
        activator: str,
        domain: str,
        authority: bytes | None = None,
        token: str | None = None,
    ) -> None:
        """Write what clients read: kubeconfig for kubectl, relight.json for relight.

        `authority` is the PEM certificate by which clients know the server.
        """
        cluster = {"server": api}
        if authority is not None:
            cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
        kubeconfig = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "relight", "cluster": cluster}],
            "users": [{"name": "relight", "user": {"token": token} if token else {}}],
            "contexts": [
                {
                    "name": "relight",
                    "context": {"cluster": "relight", "user": "relight", "namespace": "default"},
                }
            ],
            "current-context": "relight",
        }
        write_private(
            self.path / "kubeconfig", yaml.safe_dump(kubeconfig, sort_keys=False).encode()
        )
        addresses = {"api": api, "activator": activator, "domain": domain, "pid": os.getpid()}
        write_private(self.addresses, orjson.dumps(addresses, option=orjson.OPT_INDENT_2))
