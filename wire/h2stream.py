"""One stream of an HTTP/2 connection, as both of its ends keep it.

For: windows, what waits to be sent, and which sides are still open.
Must not know: frames, what is carried, who it is for.
"""

from abc import abstractmethod
from collections import deque

# Bytes that may come before we say more. It begins at the default of the protocol, so that a
# paused stream holds little, and doubles as long as the reader keeps up.
RECEIVE_WINDOW_MAX = 1024 * 1024
QUEUE_HIGH_BYTES = 65_536  # waits in a stream: its writer is told to stop
QUEUE_LOW_BYTES = 16_384  # and to go on


class Stream:
    """Both sides are open at first."""

    __slots__ = (
        "id",
        "is_backed_up",
        "is_ending",
        "is_local_done",
        "is_paused",
        "is_remote_done",
        "left",
        "queue",
        "queued",
        "room",
        "room_max",
        "send_window",
        "trailers",
    )

    def __init__(self, stream_id: int, *, send_window: int, room: int) -> None:
        self.id = stream_id
        self.send_window = send_window  # what the far side takes; below 0 after new settings
        self.room = self.room_max = room  # what we take, and how much that is after a refill
        self.queue: deque[memoryview] = deque()  # of DATA, until there is a window for it
        self.queued = 0  # bytes
        self.trailers = b""  # encoded; behind the queue
        self.left: int | None = None  # bytes of the announced body that have not come
        self.is_ending = False  # nothing is added to the queue any more
        self.is_local_done = False  # we have sent the end
        self.is_remote_done = False  # the far side has
        self.is_paused = False  # no window is given: our reader takes no more
        self.is_backed_up = False  # our writer was told to stop

    @abstractmethod
    def on_writable(self, is_writable: bool) -> None:
        """Tell the writer whether more is taken now."""
