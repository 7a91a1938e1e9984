"""The admission webhook as a part of the controller's process, on every replica of it.

For: its flags, and how certificates, settings and server are put together.
Must not know: how any of them works, or who leads.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from api import autoscaler_config
from api.kinds import CONFIGMAPS
from api.live_defaults import LiveDefaults
from cluster import flags
from cluster.client import Client
from cluster.flags import Flag, listed, number, text, truth
from cluster.informer import Informer
from controller.certificates_keeping import SECRET, CertificateKeeper
from controller.webhook import Webhook
from controller.webhook_server import WebhookServer
from controller.webhook_trust import TrustKeeper

FLAGS: Final = (
    Flag(
        "--webhook",
        truth,
        "answer what the API server asks about our objects (default true; false with --namespace)",
        metavar="true|false",
    ),
    Flag("--webhook-host", text, "the address it listens on", "0.0.0.0", "HOST"),  # noqa: S104 - the API server calls it
    Flag("--webhook-port", flags.PORT, "its port, with TLS; 0: a free one", 8443, "PORT"),
    Flag("--webhook-service", text, "the Service by which it is called", "webhook", "NAME"),
    Flag(
        "--webhook-name",
        listed,
        "more names and addresses in its certificate; repeated, or between commas",
        metavar="NAME",
        is_repeated=True,
        sets="webhook_names",
    ),
    Flag(
        "--webhook-linger-s",
        number(0, 60),
        "after SIGTERM it serves so long, until no caller comes any more",
        5,
        "SECONDS",
    ),
)


class RunningWebhook:
    """The webhook, and what the leader keeps for it."""

    def __init__(
        self, client: Client, args: argparse.Namespace, *, clock: Callable[[], float]
    ) -> None:
        """`client` reads and writes whether we lead or not."""
        settings = Informer(client, CONFIGMAPS, args.config_namespace, is_optional=True)
        place = (args.config_namespace, autoscaler_config.NAME)
        defaults = LiveDefaults(lambda: settings.objects.get(place))
        self._args = args
        # All namespaces have one webhook: who looks at one of them alone does not answer for it.
        self.is_wanted = bool(not args.namespace if args.webhook is None else args.webhook)
        self._settings = settings
        self._certificates = CertificateKeeper(
            client, namespace=flags.system_namespace(args), names=names(args), clock=clock
        )
        self._followed = (settings, self._certificates)
        self._trust = TrustKeeper(client, self._certificates)
        self.server = WebhookServer(
            Webhook(config_namespace=args.config_namespace, defaults=defaults)
        )

    def unready(self) -> str:
        """Why the API server is not answered yet, or any more; "" while it is."""
        if self.server.is_serving or not self.is_wanted:
            return ""
        if not self._certificates.is_loaded:
            return f"the admission webhook waits for the Secret {SECRET}"
        return "the admission webhook does not serve"

    async def lead(self) -> None:
        """What only the leader does, until cancelled."""
        if self.is_wanted:
            await self._trust.run()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Answer while the context lasts, once there is a certificate; and linger."""
        if not self.is_wanted:
            yield
            return
        leaving = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            followed = [tasks.create_task(each.run()) for each in self._followed]
            serving = tasks.create_task(self._serve(leaving))
            try:
                yield
                leaving.set()
                if self.server.is_serving:
                    await serving
            finally:
                for task in (serving, *followed):
                    task.cancel()

    async def _serve(self, leaving: asyncio.Event) -> None:
        """Listen from the first certificate on until it is time to leave."""
        args, certificates = self._args, self._certificates
        await certificates.loaded()
        await self._settings.synced()
        async with self.server.listening(
            args.webhook_host,
            args.webhook_port,
            certificates.context,
            linger_s=args.webhook_linger_s,
        ):
            await leaving.wait()


def names(args: argparse.Namespace) -> tuple[str, ...]:
    """What callers may call it by: the API server says SERVICE.NAMESPACE.svc."""
    service = f"{args.webhook_service}.{flags.system_namespace(args)}"
    more = [name for each in args.webhook_names for name in each or ()]
    return (service, f"{service}.svc", f"{service}.svc.cluster.local", *more)
