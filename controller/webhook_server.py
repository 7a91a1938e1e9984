"""The admission webhook's port: HTTPS, two paths, and bounds on all that a caller can ask for.

For: the API server, which calls any replica of the controller.
Must not know: what is admitted and why.
"""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from controller import webhook_reviews
from controller.webhook import Webhook
from controller.webhook_reviews import Review, ReviewError, Verdict

PATH_DEFAULT: Final = "/default"
PATH_VALIDATE: Final = "/validate"
BODY_BYTES_MAX: Final = 8 * 1024 * 1024  # two objects of 3 MiB, an API server's limit, and more
READ_S: Final = 8.0  # an API server waits ten seconds
REVIEWS_MAX: Final = 16  # read at once; more wait
# What takes no longer than a few milliseconds. A megabyte of mistakes takes a second, in which the
# Lease may have to be renewed: that is left to a thread.
_AT_ONCE_BYTES_MAX: Final = 64 * 1024
# An API server keeps connections for 90 s and must be the one that closes them: a call on one
# that we are closing fails, and with it what its user wrote.
_IDLE_S: Final = 600.0
_CLOSING_S: Final = 5.0
_LOG = logging.getLogger(__name__)
_Decide = Callable[[Review], Verdict]
_Handle = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStatistics:
    """What was asked since the start."""

    allowed: int
    refused: int
    malformed: int  # not an AdmissionReview, too large or too slow


class WebhookServer:
    """Serves `webhook` until it is told to leave."""

    def __init__(self, webhook: Webhook) -> None:
        self._webhook = webhook
        self._slots = asyncio.Semaphore(REVIEWS_MAX)
        self._is_leaving = False
        self._allowed = self._refused = self._malformed = 0
        self.port = 0  # once it listens

    @property
    def is_serving(self) -> bool:
        """Whether it listens and goes on doing so."""
        return bool(self.port) and not self._is_leaving

    def statistics(self) -> WebhookStatistics:
        """How many were let through and how many were not."""
        return WebhookStatistics(
            allowed=self._allowed, refused=self._refused, malformed=self._malformed
        )

    @asynccontextmanager
    async def listening(
        self, host: str, port: int, context: ssl.SSLContext | None, *, linger_s: float = 0.0
    ) -> AsyncIterator[None]:
        """Listen while the context lasts, and after a good end `linger_s` longer.

        Callers hear late of an end.
        """
        runner = web.AppRunner(
            self.app(), access_log=None, keepalive_timeout=_IDLE_S, shutdown_timeout=_CLOSING_S
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=context).start()
            self.port = int(runner.addresses[0][1])
            _LOG.info("the admission webhook listens on port %d", self.port)
            yield
            self._is_leaving = True
            await asyncio.sleep(linger_s)
        finally:
            self._is_leaving = True
            await runner.cleanup()

    def app(self) -> web.Application:
        """The two paths."""
        app = web.Application(client_max_size=BODY_BYTES_MAX)
        app.router.add_post(PATH_DEFAULT, self._answering(self._webhook.default))
        app.router.add_post(PATH_VALIDATE, self._answering(self._webhook.validate))
        return app

    def _answering(self, decide: _Decide) -> _Handle:
        async def handle(request: web.Request) -> web.Response:
            try:
                async with asyncio.timeout(READ_S), self._slots:
                    body = await request.read()
                    if len(body) <= _AT_ONCE_BYTES_MAX:
                        answer = self._answer(decide, body)
                    else:
                        answer = await asyncio.to_thread(self._answer, decide, body)
            except ReviewError as error:
                return self._unread(400, str(error))
            except TimeoutError:
                return self._unread(408, f"the review was not answered within {READ_S:g} seconds")
            except web.HTTPRequestEntityTooLarge:
                return self._unread(413, f"a review has at most {BODY_BYTES_MAX} bytes")
            return self._leaving(web.Response(body=answer, content_type="application/json"))

        return handle

    def _answer(self, decide: _Decide, body: bytes) -> bytes:
        review = webhook_reviews.read(body)
        verdict = decide(review)
        self._note(review, verdict)
        return webhook_reviews.answer(review, verdict)

    def _note(self, review: Review, verdict: Verdict) -> None:
        if not verdict.message:
            self._allowed += 1
            return
        self._refused += 1
        name = ((review.new or {}).get("metadata") or {}).get("name", "")
        _LOG.info(
            "refused %s of %s %s/%s: %s",
            review.operation,
            review.plural,
            review.namespace,
            name,
            verdict.message.partition("\n")[0],
        )

    def _unread(self, status: int, why: str) -> web.Response:
        self._malformed += 1
        return self._leaving(web.json_response({"error": why}, status=status))

    def _leaving(self, response: web.Response) -> web.Response:
        """An answer after which the connection ends, once this replica is about to."""
        if self._is_leaving:
            response.force_close()
        return response
