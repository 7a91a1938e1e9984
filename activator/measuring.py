"""Carry a request whose Revision scales on what its replicas say of their load.

For: asking a replica for its load, hearing it in the answer, and keeping it from the client.
Must not know: what a report comes to, or what is decided from it.
"""

import logging

from typing_extensions import override

from activator.payloads import LoggedPassage
from activator.proxy import Passage
from api import keys, load_reports
from wire.client import Connection

_LOG = logging.getLogger(__name__)
_NAME = keys.HEADER_LOAD.encode()
_FORMAT = keys.HEADER_LOAD_FORMAT.encode()
# In lower case: Triton compares so.
_ASKING = _FORMAT + b": text\r\n"


class MeasuredPassage(Passage):
    """A passage that asks for a report. A client that asked itself gets what it asked for."""

    __slots__ = ()  # so that it can be joined with other passages

    @override
    def connected(self, connection: Connection) -> None:
        """Send the request, with a question more."""
        if _FORMAT not in self._exchange.index:
            self._plan = self._plan.asking(_ASKING)
        super().connected(connection)

    @override
    def on_answer(self, connection: Connection) -> None:
        """Hear the report; then send the answer's head, and what is here of its body."""
        value, rest = part(connection.head_lines())
        if value is not None:
            self._hear(value)
            if _FORMAT not in self._exchange.index:
                connection.rewrite_head(rest)
        super().on_answer(connection)

    def _hear(self, value: bytes) -> None:
        loads, replica = self._keeper.loads, self.replica
        if loads is None or replica is None:
            return  # the Revision changed its mind meanwhile
        try:
            report = load_reports.read(value)
        except ValueError as error:
            loads.unreadable += 1
            if loads.unreadable == 1:
                said = "revision %s: its replicas' %s can not be read and is ignored: %s"
                _LOG.warning(said, self._keeper.name, keys.HEADER_LOAD, error)
            return
        loads.record(replica, report, self._keeper.now_s())


class MeasuredLoggedPassage(MeasuredPassage, LoggedPassage):
    """Both: a sink is told of what the client gets."""

    __slots__ = ()


def part(lines: bytes) -> tuple[bytes | None, bytes]:
    """The value of the header in an answer's header lines, if it is there, and the other lines."""
    if _NAME not in lines.lower():
        return None, lines
    values: list[bytes] = []
    others: list[bytes] = []
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        if name.lower() == _NAME:
            values.append(value.strip())
        else:
            others.append(line + b"\r\n")
    return b", ".join(values) if values else None, b"".join(others)
