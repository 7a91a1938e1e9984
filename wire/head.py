"""One parsed request head.

For: what a head says, apart from the exchange it begins: a client that repeats its head on a
connection is parsed once.
Must not know: connections, bodies, what a request is about.
"""


class Head:
    """Shared by every exchange that began with the same bytes: never changed after parsing.

    `memo` is for the handler: whatever it derived from this head, kept with it.
    """

    __slots__ = (
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
