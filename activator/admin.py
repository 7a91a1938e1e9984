"""Questions about requests: where the time of one went, and all that end from now on.

For: `relight why REQUEST_ID` and `relight record`, through the API server's service proxy.
Must not know: how a request is carried, or how its note came about.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from aiohttp import web

from activator import errors
from activator.ledger import Ledger, Note, row, timeline
from activator.server import Activator
from telemetry import asking
from telemetry.asking import Questions

_SERIAL_MAX: Final = 2**53
_LATEST: Final = "latest"
_FILTERS: Final = ("namespace", "service", "revision")


def make_app(activator: Activator) -> web.Application:
    """`GET /requests/ID`, and `GET /requests` as JSON lines."""
    questions = Questions()
    desk = _Desk(activator, questions)
    questions.get("/requests/{id}", desk.one)
    questions.get("/requests", desk.many)
    return questions.app


class _Desk:
    def __init__(self, activator: Activator, questions: Questions) -> None:
        self._activator = activator
        self._questions = questions

    async def one(self, request: web.Request) -> web.Response:
        """The timelines of the requests with this id, newest first."""
        asking.known(request.query)
        said = request.match_info["id"]
        request_id = said.encode("latin-1", "replace")
        epoch_s = self._activator.epoch_s()
        found = [
            timeline(note, epoch_s=epoch_s) | _standing(place)
            for note, place in self._activator.running(request_id)
        ]
        notes = self._activator.ledger.find(request_id)
        found += [timeline(note, epoch_s=epoch_s) | _ended(note) for note in notes]
        if not found:
            ledger = self._activator.ledger
            raise asking.UnknownError(
                f"request {said[:128]!r} is not known: the last {ledger.length_max} requests are "
                "remembered, and more of those that were slow, held or refused, until the "
                "activator is started again"
            )
        return asking.answer({"requests": found})

    async def many(self, request: web.Request) -> web.StreamResponse:
        """Requests that ended, one object a line, oldest first."""
        query = request.query
        asking.known(query, *_FILTERS, "after", "limit", "follow")
        ledger = self._activator.ledger
        if query.get("after") == _LATEST:
            serial = ledger.last
        else:
            serial = asking.whole(query, "after", 0, most=_SERIAL_MAX)
        reader = _Reader(
            ledger,
            serial=serial,
            limit=asking.whole(query, "limit", _SERIAL_MAX, most=_SERIAL_MAX),
            epoch_s=self._activator.epoch_s(),
            wanted={name: query[name] for name in _FILTERS if query.get(name)},
            is_followed=asking.truth(query, "follow"),
        )
        return await self._questions.send_lines(request, reader.lines)


class _Reader:
    """Reads on in a ledger where it stopped; says how many notes it was too slow for."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        serial: int,
        limit: int,
        epoch_s: float,
        wanted: dict[str, str],
        is_followed: bool,
    ) -> None:
        self._ledger = ledger
        self._serial = serial
        self._left = limit
        self._epoch_s = epoch_s
        self._wanted = wanted
        self._is_followed = is_followed
        self._is_first = True

    def lines(self) -> tuple[Iterable[Any], bool]:
        """What came since the last call. Who asks from the start on has lost nothing."""
        lost = self._ledger.lost(self._serial) if self._serial or not self._is_first else 0
        self._is_first = False
        found: list[Any] = [{"lost": lost, "serial": self._serial + lost}] if lost else []
        found += self._rows()
        return found, self._is_followed and self._left > 0

    def _rows(self) -> Iterator[dict[str, Any]]:
        for note in self._ledger.after(self._serial):
            if self._left <= 0:
                return
            self._serial = note.serial
            if self._is_wanted(note):
                self._left -= 1
                yield row(note, epoch_s=self._epoch_s)

    def _is_wanted(self, note: Note) -> bool:
        return all(getattr(note.origin, name) == value for name, value in self._wanted.items())


def _ended(note: Note) -> dict[str, Any]:
    says = errors.sentence(note.why) if note.why else ""
    return {"state": "ended"} | ({"says": says} if says else {})


def _standing(place: int | None) -> dict[str, Any]:
    return {"state": "executing"} if place is None else {"state": "held", "ahead": place}
