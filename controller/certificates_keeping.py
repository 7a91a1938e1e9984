"""The Secret with the webhook's certificates: made if it is not there, followed, renewed in time.

For: every replica serving the same certificate, a new one from the moment it is stored.
Must not know: when a certificate is due, or what is served with it.

Replicas may all write at once: the API server lets one of them win, and the others take what it
wrote.
"""

import asyncio
import base64
import binascii
import logging
import os
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from api.kinds import SECRETS
from api.objects import Raw
from cluster.client import Client
from cluster.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError
from cluster.informer import Informer
from controller import certificates
from controller.certificates import AUTHORITIES, SERVER, SERVER_KEY, Data

SECRET: Final = "webhook-certificate"  # noqa: S105 - its name
LOOK_S: Final = 600.0  # how often it is asked what is due
_AGAIN_S: Final = (0.2, 10.0)  # after a failure: first wait, longest wait
_LOG = logging.getLogger(__name__)
_NAMED: Final = {
    "app.kubernetes.io/name": "webhook",
    "app.kubernetes.io/part-of": "relight",
}


class CertificateKeeper:
    """Keeps a `context` for servers, and tells `on_change` of every bundle of authorities."""

    def __init__(
        self,
        client: Client,
        *,
        namespace: str,
        names: Sequence[str],
        clock: Callable[[], float],
        look_s: float = LOOK_S,
    ) -> None:
        """`clock` is wall time (epoch, seconds)."""
        self._client = client
        self._namespace = namespace
        self._names = tuple(names)
        self._clock = clock
        self._look_s = look_s
        self._secrets = Informer(
            client, SECRETS, namespace, field_selector=f"metadata.name={SECRET}"
        )
        self._changed = asyncio.Event()
        self._loaded = asyncio.Event()
        self._served: tuple[bytes, bytes] = (b"", b"")
        self._callbacks: list[Callable[[], None]] = []
        self.bundle = b""  # the PEM text of all authorities in use; empty: none yet
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2

    @property
    def is_loaded(self) -> bool:
        """Whether a server may listen with the context."""
        return self._loaded.is_set()

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call back whenever the bundle is another."""
        self._callbacks.append(callback)

    async def loaded(self) -> None:
        """Wait for the first certificate."""
        await self._loaded.wait()

    async def run(self) -> None:
        """Keep the Secret, and follow it, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._secrets.on_change(lambda *_: self._changed.set())
            tasks.create_task(self._secrets.run())
            await self._secrets.synced()
            failures = 0
            while True:
                self._changed.clear()
                try:
                    await self._look()
                    failures, wait_s = 0, self._look_s
                except ApiError as error:
                    first_s, longest_s = _AGAIN_S
                    wait_s = min(longest_s, first_s * 2.0 ** min(failures, 20))
                    failures += 1
                    place = f"{self._namespace}/{SECRET}"
                    _LOG.warning("Secret %s can not be written: %s", place, error.message)
                await self._wait(wait_s)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _look(self) -> None:
        stored = self._secrets.objects.get((self._namespace, SECRET))
        found = _decoded(stored)
        now = datetime.fromtimestamp(self._clock(), UTC)
        wanted = certificates.wanted(found, names=self._names, now=now)
        if not _is_in(wanted, found) and not await self._write(stored, wanted):
            return  # another replica was faster: the informer tells what it wrote
        self._adopt(wanted)

    async def _write(self, stored: Raw | None, wanted: Data) -> bool:
        """Whether it was stored."""
        place = f"{self._namespace}/{SECRET}"
        _LOG.info("writing certificates into Secret %s", place)
        encoded = {name: base64.b64encode(each).decode() for name, each in wanted.items()}
        try:
            if stored is None:
                metadata = {"name": SECRET, "namespace": self._namespace, "labels": _NAMED}
                secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
                await self._client.create(SECRETS, {**secret, "type": "Opaque", "data": encoded})
            else:
                data = {**(stored.get("data") or {}), **encoded}
                await self._client.replace(SECRETS, {**stored, "data": data})
        except (AlreadyExistsError, ConflictError, NotFoundError) as error:
            _LOG.info("Secret %s: %s; taking what another replica wrote", place, error.message)
            return False
        return True

    def _adopt(self, data: Data) -> None:
        """Serve this from the next handshake on."""
        served = (data[SERVER], data[SERVER_KEY])
        if served != self._served:
            load(self.context, b"".join(served))
            self._served = served
        is_new = data[AUTHORITIES] != self.bundle
        self.bundle = data[AUTHORITIES]
        self._loaded.set()
        if is_new:
            for callback in self._callbacks:
                callback()


def _is_in(wanted: Data, found: Data) -> bool:
    return all(found.get(name) == each for name, each in wanted.items())


def _decoded(secret: Raw | None) -> Mapping[str, bytes]:
    found: dict[str, bytes] = {}
    data: Any = (secret or {}).get("data")
    for name, text in (data or {}).items():
        try:
            found[name] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError, TypeError):
            continue  # as good as absent
    return found


def load(context: ssl.SSLContext, pem: bytes) -> None:
    """Load a certificate and its key from one PEM text.

    The standard library reads files alone. This one is in memory and has no name: a private key
    is not to be left lying about.
    """
    number = os.memfd_create("webhook-certificate", os.MFD_CLOEXEC)
    try:
        os.write(number, pem)
        context.load_cert_chain(f"/proc/self/fd/{number}")
    finally:
        os.close(number)
