"""Questions that operators ask a running component: the form of every answer.

For: admin endpoints of the components, which are reached through an API server's service
proxy: JSON, JSON lines that go on, and refusals as Kubernetes Status objects, which kubectl
prints.
Must not know: what is asked, or which component answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final

import orjson
from aiohttp import web

_LINES_BYTES: Final = 64 * 1024  # of one write
_PERIOD_S: Final = 0.1  # how often a stream looks for more
ELSEWHERE: Final = "AskTheLeader"
_ELSEWHERE: Final = "this one stands by: another one leads, and knows"
ALWAYS: Final = ("/healthz", "/readyz", "/metrics")  # answered whoever leads
_TRUE: Final = ("true", "1")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Lines = Callable[[], tuple[Iterable[Any], bool]]  # what is new, and whether more may come


class AskedWronglyError(Exception):
    """A question without an answer; its text is for the person who asked."""

    def __init__(self, message: str, *, status: int = 400, reason: str = "BadRequest") -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class UnknownError(AskedWronglyError):
    """What is asked about is not known here."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=404, reason="NotFound")


class Questions:
    """The endpoints of one component."""

    def __init__(self) -> None:
        self.app = web.Application(middlewares=[_answer_errors])
        self.app.on_shutdown.append(self._shut_down)
        self._is_ending = False

    def only_while(self, is_answering: Callable[[], bool]) -> None:
        """Refuse every question while another process is the one that knows."""

        @web.middleware
        async def refuse(request: web.Request, handler: _Handler) -> web.StreamResponse:
            if not is_answering() and request.path not in ALWAYS:
                raise AskedWronglyError(_ELSEWHERE, status=503, reason=ELSEWHERE)
            return await handler(request)

        self.app.middlewares.append(refuse)

    def get(self, path: str, handler: _Handler) -> None:
        """Answer GET of a path, which may have {names} in it."""
        self.app.router.add_get(path, handler)

    async def send_lines(self, request: web.Request, lines: Lines) -> web.StreamResponse:
        """Write JSON, one object a line, until `lines` has no more or the client leaves."""
        response = web.StreamResponse(headers={"Content-Type": "application/jsonl"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            while not (self._is_ending or _is_gone(request)):
                found, goes_on = lines()
                for piece in _pieces(found):
                    await response.write(piece)
                if not goes_on:
                    break
                await asyncio.sleep(_PERIOD_S)
        except ConnectionError:
            pass  # the client left while something was being written
        return response

    async def _shut_down(self, _app: web.Application) -> None:
        self._is_ending = True


def answer(raw: Any) -> web.Response:
    """A whole answer."""
    return web.Response(body=orjson.dumps(raw) + b"\n", content_type="application/json")


def whole(query: Mapping[str, str], name: str, default: int, *, most: int) -> int:
    """A whole number from 0 to `most`."""
    text = query.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text[:20]) > most:
        raise AskedWronglyError(f"{name}: {text[:80]!r}: want a whole number from 0 to {most}")
    return int(text)


def truth(query: Mapping[str, str], name: str) -> bool:
    """A switch: true or false."""
    text = query.get(name, "false").lower()
    if text not in (*_TRUE, "false", "0", ""):
        raise AskedWronglyError(f"{name}: {text[:80]!r}: want true or false")
    return text in _TRUE


def known(query: Mapping[str, str], *names: str) -> None:
    """Refuse parameters that nobody reads."""
    for name in query:
        if name not in names:
            raise AskedWronglyError(f"{name}: no such parameter here; there are {', '.join(names)}")


@web.middleware
async def _answer_errors(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except AskedWronglyError as error:
        return _refused(error.status, error.reason, str(error))
    except web.HTTPMethodNotAllowed:
        return _refused(405, "MethodNotAllowed", "this can only be read")
    except web.HTTPNotFound:
        return _refused(404, "NotFound", "the server could not find the requested resource")


def _refused(status: int, reason: str, message: str) -> web.Response:
    raw = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status,
    }
    return web.Response(
        body=orjson.dumps(raw) + b"\n", status=status, content_type="application/json"
    )


def _pieces(found: Iterable[Any]) -> Iterable[bytes]:
    piece = bytearray()
    for raw in found:
        piece += orjson.dumps(raw) + b"\n"
        if len(piece) >= _LINES_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _is_gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()
