from typing import Any

from wire.parking import Parked


class Exchange:
    def __init__(self) -> None:
        self.receiver: Any = None
        self.told: list[Any] = []

    def pause(self) -> None:
        self.told.append("pause")

    def resume(self) -> None:
        self.told.append("resume")

    def again(self, body: bytes) -> None:
        self.told.append(body)


def park() -> tuple[Exchange, Parked, list[str]]:
    exchange: Any = Exchange()
    gone: list[str] = []
    return exchange, Parked(exchange, lambda: gone.append("gone")), gone


def test_what_came_meanwhile_goes_with_the_request() -> None:
    exchange, parked, gone = park()
    assert exchange.receiver is parked
    exchange.receiver.on_body(b"ab")
    exchange.receiver.on_body(b"c")
    exchange.receiver.on_end()
    exchange.receiver.on_writable(False)
    parked.go_on()
    assert exchange.told == [b"abc"]
    assert gone == []


def test_a_client_that_sends_much_is_paused_until_it_goes_on() -> None:
    exchange, parked, _ = park()
    for _piece in range(3):
        exchange.receiver.on_body(b"x" * 40_000)
    assert exchange.told == ["pause"]
    parked.go_on()
    assert exchange.told[1:] == ["resume", b"x" * 120_000]


def test_a_client_that_leaves_is_told_of() -> None:
    exchange, _, gone = park()
    exchange.receiver.on_abort()
    assert gone == ["gone"]
