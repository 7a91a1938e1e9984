"""A stream as it begins."""

from typing_extensions import override

from wire.h2stream import QUEUE_HIGH_BYTES, QUEUE_LOW_BYTES, RECEIVE_WINDOW_MAX, Stream


class Plain(Stream):
    @override
    def on_writable(self, is_writable: bool) -> None: ...


def test_both_sides_are_open_and_nothing_waits() -> None:
    stream = Plain(3, send_window=10, room=20)
    assert (stream.id, stream.send_window, stream.room, stream.room_max) == (3, 10, 20, 20)
    flags = (stream.is_local_done, stream.is_remote_done, stream.is_ending, stream.is_paused)
    assert not any((*flags, stream.is_backed_up, stream.queue, stream.queued))
    assert stream.left is None


def test_the_bounds_leave_room_between_them() -> None:
    assert 0 < QUEUE_LOW_BYTES < QUEUE_HIGH_BYTES < RECEIVE_WINDOW_MAX
