"""The load report that activators send to the autoscaler, and how it stands on a line.

For: the one shape in which load is told, within a process and between two.
Must not know: who sends it, how, or what is decided from it.

Between processes every message is one line of JSON. Who reports begins with `hello`, and who is
told answers with the same or with `refused`, a sentence. Then the one sends `stats`, `beat` when
there was nothing else to send for a while, and `leaving` before it ends in good order; the other
answers each `beat` with one. A later version may add to the end of a row and to a message: what
is not known is passed over. What can not be read that way is another `FORMAT`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

FORMAT: Final = 1
LINE_BYTES_MAX: Final = 1024 * 1024
ROWS_MAX: Final = 1000  # in one line: names have at most 253 bytes each
BEAT_S: Final = 1.0  # who has nothing to say beats this often
SILENCE_S: Final = 3.0  # who was silent for so long is gone
BEAT: Final[Mapping[str, Any]] = {"beat": True}
LEAVING: Final[Mapping[str, Any]] = {"leaving": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    """The load of one Revision, seen by one reporter over one period.

    `average_concurrency` is time-weighted: the integral of requests held or executing,
    divided by the period (Knative's RequestStats). `queued` and `queued_bytes` are the
    length of the queue now. `is_poke` asks for a decision at once: requests wait and no
    replica exists. A crowd asks likewise: requests wait although replicas are ready, many more
    than they can take soon; then `queued` counts those that execute, too. Class kpa has no crowds.

    `tokens_in_flight` and `queue_delay_s` are what the replicas say of themselves, all of them
    together and the worst of them, for Revisions that scale on that; None: not reported. They
    tell of replicas, not of one reporter's requests: of several reporters the largest counts.
    """

    namespace: str
    revision: str
    reporter: str
    time_s: float  # the reporter's monotonic clock when the period ended
    average_concurrency: float
    requests_per_s: float
    queued: int = 0
    queued_bytes: int = 0
    is_poke: bool = False
    is_crowd: bool = False  # a poke of replicas that are ready
    tokens_in_flight: float | None = None
    queue_delay_s: float | None = None


class MessageError(ValueError):
    """A line that is not what it should be; the message says how."""


def hello(name: str) -> dict[str, Any]:
    """The first message of either side."""
    return {"hello": name, "format": FORMAT}


def read_hello(message: Any) -> str:
    """Who is there; MessageError."""
    if not isinstance(message, Mapping):
        raise MessageError("expected an object")
    if message.get("refused"):
        raise MessageError(f"refused: {str(message['refused'])[:200]}")
    name, format_ = message.get("hello"), message.get("format")
    if not isinstance(name, str) or not 0 < len(name) <= 253:
        raise MessageError("expected hello with a name")
    if format_ != FORMAT:
        raise MessageError(f"format {str(format_)[:20]} is spoken there, {FORMAT} here")
    return name


def message_of(stats: Iterable[Stat]) -> dict[str, Any]:
    """Reports of one reporter, whose name and clock the receiver has from elsewhere."""
    return {"stats": [_row(stat) for stat in stats]}


def read_stats(message: Any, *, reporter: str, time_s: float) -> list[Stat]:
    """The reports in a message, none in one of another sort; MessageError."""
    if not isinstance(message, Mapping):
        raise MessageError("expected an object")
    rows = message.get("stats", ())
    if not isinstance(rows, list | tuple) or len(rows) > ROWS_MAX:
        raise MessageError(f"stats: expected at most {ROWS_MAX} rows")
    return [_stat(row, reporter, time_s) for row in rows]


def _row(stat: Stat) -> list[Any]:
    return [
        stat.namespace,
        stat.revision,
        stat.average_concurrency,
        stat.requests_per_s,
        stat.queued,
        stat.queued_bytes,
        (1 if stat.is_poke else 0) + (2 if stat.is_crowd else 0),
        stat.tokens_in_flight,
        stat.queue_delay_s,
    ]


def _stat(row: Any, reporter: str, time_s: float) -> Stat:
    try:
        namespace, revision, average, rate, queued, bytes_, flags, tokens, delay_s = row[:9]
        if not (isinstance(namespace, str) and isinstance(revision, str)):
            raise MessageError(f"a row names no Revision: {str(row)[:80]}")
        return Stat(
            namespace=namespace,
            revision=revision,
            reporter=reporter,
            time_s=time_s,
            average_concurrency=_amount(average),
            requests_per_s=_amount(rate),
            queued=int(_amount(queued)),
            queued_bytes=int(_amount(bytes_)),
            is_poke=bool(flags & 1),
            is_crowd=bool(flags & 2),
            tokens_in_flight=None if tokens is None else _amount(tokens),
            queue_delay_s=None if delay_s is None else _amount(delay_s),
        )
    except (TypeError, ValueError, LookupError) as error:
        raise MessageError(f"a row can not be read: {str(row)[:80]}: {error}") from None


def _amount(value: Any) -> float:
    number = float(value)
    if not 0 <= number < 1e15:  # neither is infinity or no number at all
        raise MessageError(f"{str(value)[:40]} is no amount")
    return number
