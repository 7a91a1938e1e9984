"""The authorities that the API server is told to trust when it asks our webhooks.

For: the leader keeping caBundle of both configurations as the Secret has it.
Must not know: how certificates are made, or what the webhooks answer.
"""

import asyncio
import base64
import logging
from typing import Any, Final

from api.kinds import MUTATINGWEBHOOKCONFIGURATIONS, VALIDATINGWEBHOOKCONFIGURATIONS, Resource
from api.objects import Raw
from cluster.client import Client
from cluster.errors import ApiError
from cluster.informer import Informer
from controller.certificates_keeping import CertificateKeeper

DEFAULTING: Final = "defaulting.webhook.relight.dev"
VALIDATION: Final = "validation.webhook.relight.dev"
CONFIGURATIONS: Final = (
    (MUTATINGWEBHOOKCONFIGURATIONS, DEFAULTING),
    (VALIDATINGWEBHOOKCONFIGURATIONS, VALIDATION),
)
_AGAIN_S: Final = 2.0  # after a failure
_LOOK_S: Final = 600.0
_LOG = logging.getLogger(__name__)


def operations(configuration: Raw, bundle: bytes) -> list[dict[str, Any]]:
    """The JSON patch that makes every webhook of a configuration trust this bundle; or none."""
    text = base64.b64encode(bundle).decode()
    found = [
        {"op": "add", "path": f"/webhooks/{at}/clientConfig/caBundle", "value": text}
        for at, each in enumerate(configuration.get("webhooks") or [])
        if (each.get("clientConfig") or {}).get("caBundle") != text
    ]
    if not found:
        return []
    # Places in a list mean nothing once somebody else has written it.
    version = configuration["metadata"].get("resourceVersion")
    return [{"op": "test", "path": "/metadata/resourceVersion", "value": version}, *found]


class TrustKeeper:
    """Writes caBundle wherever it differs. One replica does this at a time: the leader."""

    def __init__(self, client: Client, certificates: CertificateKeeper) -> None:
        self._client = client
        self._certificates = certificates
        self._changed = asyncio.Event()
        self._written: dict[str, str] = {}  # the version of each that was written over
        # Absent ones are not installed: then nobody asks us.
        self._informers = {
            resource: Informer(
                client, resource, field_selector=f"metadata.name={name}", is_optional=True
            )
            for resource, name in CONFIGURATIONS
        }
        certificates.on_change(self._changed.set)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for informer in self._informers.values():
                informer.on_change(lambda *_: self._changed.set())
                tasks.create_task(informer.run())
            await self._certificates.loaded()
            for informer in self._informers.values():
                await informer.synced()
            while True:
                self._changed.clear()
                is_done = True
                for resource, informer in self._informers.items():
                    for found in list(informer.objects.values()):
                        is_done &= await self._write(resource, found)
                await self._wait(_LOOK_S if is_done else _AGAIN_S)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _write(self, resource: Resource, found: Raw) -> bool:
        """Whether it is as it should be, or was made so."""
        patch = operations(found, self._certificates.bundle)
        if not patch:
            return True
        name, version = found["metadata"]["name"], found["metadata"]["resourceVersion"]
        if self._written.get(name) == version:
            return True  # what became of it is on its way to us
        try:
            await self._client.patch(resource, None, name, patch, kind="json")
        except ApiError as error:
            _LOG.warning("caBundle of %s %s: %s", resource.singular, name, error.message)
            return False
        self._written[name] = version
        _LOG.info("wrote caBundle of %s %s", resource.singular, name)
        return True
