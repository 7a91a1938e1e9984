"""A transport in memory, for protocols that are fed by hand."""

import asyncio


class Memory(asyncio.Transport):
    def __init__(self, peer: object = ("127.0.0.1", 1)) -> None:
        super().__init__()
        self.peer = peer
        self.sent = b""
        self.writes = 0
        self.is_closed = False
        self.is_aborted = False
        self.is_paused = False
        self.has_eof = False

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:  # type: ignore[override] # bytes are all that is written
        self.sent += data
        self.writes += 1

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self.peer if name == "peername" else default

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_eof = True

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
