"""One parsed request head.

For: what a head says, apart from the exchange it begins: a client that repeats its head on a
connection is parsed once.
Must not know: connections, bodies, what a request is about.
"""

_LENGTH, _ID = b"content-length", b"x-request-id"


class Head:
    """Shared by every exchange that began with the same bytes: never changed after parsing.

    `memo` is for the handler: whatever it derived from this head, kept with it. What depends on
    neither its length nor its id it keeps with `origin`.
    """

    __slots__ = (
        "_origin",
        "content_length",
        "expects_continue",
        "headers",
        "index",
        "is_http_10",
        "keep_alive",
        "memo",
        "method",
        "target",
    )

    def __init__(
        self,
        method: bytes,
        target: bytes,
        headers: list[tuple[bytes, bytes]],
        index: dict[bytes, bytes],
    ) -> None:
        self.method = method
        self.target = target  # origin form, raw
        self.headers = headers  # names in lower case
        self.index = index  # repeated headers joined by ", "
        self.content_length: int | None = None  # None: no body, or a chunked one
        self.keep_alive = True
        self.is_http_10 = False
        self.expects_continue = False
        self.memo: object = None
        self._origin: Head | None = None

    @property
    def origin(self) -> "Head":
        """The head that this one was read after, which differs in length and id at most."""
        return self._origin or self

    def again(self, length: bytes, identity: bytes) -> "Head":
        """One with another length and id, which are the last two of its headers."""
        headers = [*self.headers[:-2], (_LENGTH, length), (_ID, identity)]
        index = {**self.index, _LENGTH: length, _ID: identity}
        head = Head(self.method, self.target, headers, index)
        head.content_length = int(length)
        head.keep_alive, head.is_http_10 = self.keep_alive, self.is_http_10
        head._origin = self._origin or self
        return head
