"""What a kubelet, Prometheus and an operator ask a component on its admin port.

For: `/healthz`, `/readyz` and `/metrics` beside the component's own questions.
Must not know: which component it is, or what makes it ready.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aiohttp import web

from telemetry import metrics
from telemetry.metrics import Exposition

_LOG = logging.getLogger(__name__)
_ENDS_S: Final = 1.0  # for answers that go on, when the process ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether to be sent work, and what there is to know about it."""

    is_ready: bool
    facts: Mapping[str, Any] = field(default_factory=dict)


class Admin:
    """One port. Whoever answers on it has an event loop that runs."""

    def __init__(
        self, app: web.Application, *, ready: Callable[[], Readiness], exposition: Exposition
    ) -> None:
        """`app` has the component's own questions."""
        self._app = app
        self._ready = ready
        self._exposition = exposition
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)

    async def run(self, listener: socket.socket) -> None:
        """Serve at a bound socket until cancelled."""
        runner = web.AppRunner(
            self._app, access_log=None, handle_signals=False, shutdown_timeout=_ENDS_S
        )
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            _LOG.info("asked at %s:%d", *listener.getsockname()[:2])
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _readyz(self, _request: web.Request) -> web.Response:
        readiness = self._ready()
        body = orjson.dumps({"ready": readiness.is_ready, **readiness.facts}) + b"\n"
        status = 200 if readiness.is_ready else 503
        return web.Response(body=body, status=status, content_type="application/json")

    async def _metrics(self, _request: web.Request) -> web.Response:
        collected = self._exposition.collect()
        text = await asyncio.to_thread(self._exposition.text, collected)
        return web.Response(body=text, headers={"Content-Type": metrics.CONTENT_TYPE})
