"""CPU of HTTP/2 for one request, in memory: ours beside the `h2` package.

A gRPC-shaped unary call (HEADERS and DATA in, HEADERS, DATA and trailers out, one write), as
grpcio's client encodes it: the first call fills the table of the compression, the later ones refer
to it. `--vary` adds a header that differs with every call. The two take turns.

    python -m benchmarks.http2_framing [--vary]

prints `ours_us= h2_us= ratio=`, medians of the rounds, in the CPU time of this process. Of a shared
machine with 2 cores (Xeon), Debian's Python 3.11, other work on both: ours_us=8.4 h2_us=158.5
ratio=18.9; with --vary ours_us=38.3 h2_us=180.5 ratio=4.7.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Callable

import h2.config
import h2.connection
import h2.events
import hpack
from typing_extensions import override

from wire import h2frames
from wire.exchange import Exchange
from wire.limits import Limits
from wire.roster import Roster
from wire.server import ServerProtocol

CALLS = 500
ROUNDS = 15
MESSAGE = b"\0\0\0\0\x64" + b"x" * 100
FIELDS = [
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/inference.GRPCInferenceService/ModelInfer"),
    (b":authority", b"127.0.0.1:8080"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
    (b"user-agent", b"grpc-python/1.85.1 grpc-c/50 (linux; chttp2)"),
    (b"grpc-accept-encoding", b"identity, deflate, gzip"),
]
HEAD = b"content-type: application/grpc\r\nserver-timing: run;dur=0.123\r\n"
HEAD_FIELDS = [
    (b":status", b"200"),
    (b"content-type", b"application/grpc"),
    (b"server-timing", b"run;dur=0.123"),
]


class _Transport(asyncio.Transport):
    """Swallows what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: asyncio.BaseProtocol | None = None

    @override
    def write(self, data: bytes) -> None:  # type: ignore[override] # bytes are all that is written
        assert data

    @override
    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    @override
    def is_closing(self) -> bool:
        return False


class _Handler:
    def on_request(self, exchange: Exchange) -> None:
        exchange.respond(200, HEAD, exchange.take(), b"grpc-status: 0\r\n")


def ours() -> Callable[[bytes], None]:
    """Take the bytes of one call."""
    limits = Limits()
    transport = _Transport()
    protocol = ServerProtocol(_Handler(), limits, Roster(limits))
    transport.protocol = protocol
    protocol.connection_made(transport)
    protocol.data_received(h2frames.PREFACE + h2frames.settings({}))
    assert isinstance(transport.protocol, asyncio.Protocol)
    return transport.protocol.data_received


def theirs() -> Callable[[bytes], None]:
    """Take the bytes of one call, with the least that a server on `h2` has to do."""
    config = h2.config.H2Configuration(client_side=False, header_encoding=None)
    link = h2.connection.H2Connection(config)
    link.initiate_connection()
    link.receive_data(h2frames.PREFACE + h2frames.settings({}))
    bodies: dict[int, bytes] = {}

    def take(data: bytes) -> None:
        for event in link.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                assert dict(event.headers)[b":method"] == b"POST"
                bodies[event.stream_id] = b""
            elif isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
                link.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                stream_id = event.stream_id
                link.send_headers(stream_id, HEAD_FIELDS)
                link.send_data(stream_id, bodies.pop(stream_id))
                link.send_headers(stream_id, [(b"grpc-status", b"0")], end_stream=True)
        assert link.data_to_send()

    return take


def calls(encoder: hpack.Encoder, first_id: int, *, is_varied: bool) -> list[bytes]:
    """The bytes of one round of calls."""
    made = []
    for stream_id in range(first_id, first_id + 2 * CALLS, 2):
        varied = [(b"x-request-id", b"%032x" % stream_id, True)] if is_varied else []
        block = encoder.encode([*FIELDS, *varied])
        data = h2frames.pack_head(len(MESSAGE) << 8, h2frames.END_STREAM, stream_id) + MESSAGE
        head = h2frames.headers(stream_id, block, is_end=False, frame_bytes_max=16_384)
        made.append(head + data)
    return made


def timed_us(
    take: Callable[[bytes], None], encoder: hpack.Encoder, at: int, is_varied: bool
) -> float:
    """CPU time of one call."""
    made = calls(encoder, at, is_varied=is_varied)
    # The window of the connection is refilled, as a client does; it is no part of the call.
    take(h2frames.window_update(0, CALLS * len(MESSAGE)) + made.pop(0))
    started_s = time.process_time()
    for data in made:
        take(data)
    return (time.process_time() - started_s) / len(made) * 1e6


async def main() -> None:
    """Take turns and print."""
    parser = argparse.ArgumentParser(description="CPU of HTTP/2 for one request")
    parser.add_argument("--vary", action="store_true", help="a header that differs in every call")
    is_varied = parser.parse_args().vary
    sides = [(ours(), hpack.Encoder(), []), (theirs(), hpack.Encoder(), [])]
    for turn in range(ROUNDS):
        for take, encoder, found in sides:
            found.append(timed_us(take, encoder, 1 + 2 * CALLS * turn, is_varied))
    ours_us, h2_us = (statistics.median(found) for _, _, found in sides)
    print(f"ours_us={ours_us:.1f} h2_us={h2_us:.1f} ratio={h2_us / ours_us:.1f}")


if __name__ == "__main__":
    asyncio.run(main())
