"""What activators say to one another: one line of JSON a message.

For: the words of the protocol, and reading them strictly.
Must not know: connections, who says what when.
"""

from typing import Any, Final, NamedTuple

import orjson

from activator.targets import RevisionKey
from wire.address import Address

LINE_BYTES_MAX: Final = 65_536
VERSION: Final = 1
JOINING, MEMBER, LEAVING = "joining", "member", "leaving"  # phases: not yet, owning, no longer


class MessageError(ValueError):
    """A line that is no message; the text says why."""


class Place(NamedTuple):
    """A replica as one activator names it to another, so that the other can reach it unseen."""

    namespace: str
    pod: str
    revision: str
    address: str  # as wire.address writes it
    is_predictor: bool
    is_h2c: bool


class Hello(NamedTuple):
    """Who speaks. `life` differs each time the process is started."""

    name: str
    life: str
    version: int


class Standing(NamedTuple):
    """What the sender is, and whom it reaches of those that are not joining."""

    phase: str
    links: list[str]


class Settled(NamedTuple):
    """All that follows for the receiver from these being eligible was said before.

    `view` numbers the sender's changes of mind; `heard` is the last such number of the receiver.
    """

    eligible: list[str]
    view: int
    heard: int


class Want(NamedTuple):
    """Entry → owner: a request waits for a slot. `number` is its ticket."""

    number: int
    namespace: str
    revision: str
    size: int


class Using(NamedTuple):
    """Entry → owner: a ticket's request has a slot already, granted by another or by ourselves."""

    number: int
    namespace: str
    revision: str
    place: Place


class Granted(NamedTuple):
    """Owner → entry: the ticket's request may be sent there."""

    number: int
    namespace: str
    revision: str
    place: Place


class Refused(NamedTuple):
    """Owner → entry: too many wait; `why` names a refusal."""

    number: int
    namespace: str
    revision: str
    why: str


class Elsewhere(NamedTuple):
    """Owner → entry: not here; ask again, whoever owns it then."""

    number: int
    namespace: str
    revision: str


class Done(NamedTuple):
    """Entry → owner: the ticket is needed no more, granted or not."""

    number: int
    namespace: str
    revision: str


class Back(NamedTuple):
    """Entry → owner: the slot could not be used, nothing was sent; the request waits again."""

    number: int
    namespace: str
    revision: str


class Ping(NamedTuple):
    """Still there."""


Ticketed = Want | Using | Granted | Refused | Elsewhere | Done | Back
Message = Hello | Standing | Settled | Ping | Ticketed

_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__.lower(): kind
    for kind in (
        *(Hello, Standing, Settled, Ping),
        *(Want, Using, Granted, Refused, Elsewhere, Done, Back),
    )
}
_NAMES: Final = {kind: name for name, kind in _KINDS.items()}
_STRINGS: Final = list[str]
_CHECKS: Final[dict[Any, Any]] = {
    str: lambda value: isinstance(value, str),
    int: lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
    bool: lambda value: isinstance(value, bool),
    _STRINGS: lambda value: (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    ),
}


def key_of(message: Ticketed) -> RevisionKey:
    """The Revision that a message is about."""
    return RevisionKey(message.namespace, message.revision)


def encode(message: Message) -> bytes:
    """One line."""
    return orjson.dumps((_NAMES[type(message)], *message), default=tuple) + b"\n"


def decode(line: bytes) -> Message:
    """The message in one line, without its end; MessageError."""
    try:
        parts = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise MessageError("not JSON") from None
    name = parts[0] if isinstance(parts, list) and parts else None
    kind = _KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise MessageError("no message known here")
    message: Message = _filled(kind, parts[1:])
    return message


def _filled(kind: type[Any], values: Any) -> Any:
    fields = kind.__annotations__
    if not isinstance(values, list) or len(values) != len(fields):
        raise MessageError(f"{kind.__name__}: {len(fields)} values expected")
    found = []
    for (name, wanted), value in zip(fields.items(), values, strict=True):
        if wanted is Place:
            found.append(_place(value))
            continue
        if not _CHECKS[wanted](value):
            raise MessageError(f"{kind.__name__}.{name}: not what is expected")
        found.append(value)
    return kind(*found)


def _place(values: Any) -> Place:
    place: Place = _filled(Place, values)
    try:
        Address.parse(place.address)
    except ValueError as error:
        raise MessageError(f"Place.address: {error}") from None
    return place
