"""Frames as bytes, beside the `hyperframe` package, which comes with `h2`."""

import pytest
from hyperframe import frame as their

from wire import h2frames as ours


def parsed(data: bytes) -> list[their.Frame]:
    found = []
    while data:
        frame, size = their.Frame.parse_frame_header(memoryview(data[:9]))
        frame.parse_body(memoryview(data[9 : 9 + size]))
        found.append(frame)
        data = data[9 + size :]
    return found


def test_frames_are_what_others_read() -> None:
    (settings,) = parsed(ours.settings({3: 100, 6: 65536}))
    assert settings.settings == {3: 100, 6: 65536}
    (window,) = parsed(ours.window_update(5, 2**31 - 1))
    assert (window.stream_id, window.window_increment) == (5, 2**31 - 1)
    (reset,) = parsed(ours.rst_stream(7, ours.CANCEL))
    assert (reset.stream_id, reset.error_code) == (7, 8)
    (ping,) = parsed(ours.ping_ack(b"abcdefgh"))
    assert (ping.opaque_data, set(ping.flags)) == (b"abcdefgh", {"ACK"})
    (goaway,) = parsed(ours.goaway(9, 2, "why"))
    assert (goaway.last_stream_id, goaway.error_code, goaway.additional_data) == (9, 2, b"why")
    (ack,) = parsed(ours.SETTINGS_ACK)
    assert set(ack.flags) == {"ACK"}


@pytest.mark.parametrize("is_end", [False, True])
@pytest.mark.parametrize("size", [0, 1, 10, 11, 20, 25])
def test_a_header_block_takes_as_many_frames_as_it_needs(size: int, is_end: bool) -> None:
    block = bytes(range(size))
    frames = parsed(ours.headers(3, block, is_end=is_end, frame_bytes_max=10))
    assert b"".join(frame.data for frame in frames) == block
    assert isinstance(frames[0], their.HeadersFrame)
    assert ("END_STREAM" in frames[0].flags) == is_end
    assert all(isinstance(frame, their.ContinuationFrame) for frame in frames[1:])
    assert ["END_HEADERS" in frame.flags for frame in frames] == [
        *([False] * (len(frames) - 1)),
        True,
    ]


@pytest.mark.parametrize(
    ("payload", "carried"),
    [(b"\0", b""), (b"\0ab", b"ab"), (b"\2ab\0\0", b"ab"), (b"\1\0", b"")],
)
def test_padding_is_taken_off(payload: bytes, carried: bytes) -> None:
    assert ours.unpadded(payload) == carried


@pytest.mark.parametrize("payload", [b"", b"\1", b"\3ab"])
def test_padding_longer_than_its_frame_is_a_fault(payload: bytes) -> None:
    with pytest.raises(ours.ConnectionFaultError):
        ours.unpadded(payload)


def test_errors_have_names() -> None:
    assert ours.error_name(11) == "ENHANCE_YOUR_CALM"
    assert ours.error_name(99) == "error 99"
