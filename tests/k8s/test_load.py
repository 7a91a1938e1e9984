"""What the load counts as lost, and what it tries again: without a cluster."""

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.k8s.load import Load

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nrelight-revision: a-1\r\n\r\n"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 4\r\n\r\nnone"
Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    """A server: the address of one that sends so to its first connections, and then the last."""
    listeners = []

    def serve(listener: socket.socket, answers: list[bytes]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                if connection.recv(65536):
                    connection.sendall(answer)

    def start(*answers: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=serve, args=(listener, list(answers)), daemon=True).start()
        return f"127.0.0.1:{listener.getsockname()[1]}"

    yield start
    for each in listeners:
        each.shutdown(socket.SHUT_RDWR)
        each.close()


def test_one_broken_connection_is_tried_again_at_the_next_address(start: Start) -> None:
    broken, whole = start(b""), start(ANSWER)
    with Load([broken, whole], "a", workers=1) as load:
        load.more(10)
    assert load.failures == []
    assert load.broken_at[broken] >= 5
    assert set(load.broken_at) == {broken}
    assert set(load.answered) == {"a-1"}


def test_two_broken_connections_are_a_request_that_was_lost(start: Start) -> None:
    with Load(start(b"", b"", ANSWER), "a", workers=1) as load:
        load.more(5)
    assert load.broken == 2
    assert [each.partition("(")[0] for each in load.failures] == ["RemoteDisconnected"]


def test_with_patience_it_is_tried_until_it_works(start: Start) -> None:
    with Load(start(b"", b"", b"", ANSWER), "a", workers=1, patience_s=60) as load:
        load.more(5)
    assert (load.broken, load.failures) == (3, [])


def test_a_refusal_is_never_tried_again(start: Start) -> None:
    with Load(start(REFUSAL, ANSWER), "a", workers=1) as load:
        load.more(5)
    assert load.broken == 0
    (told,) = load.failures
    assert told.startswith("503 b'none'")


def test_one_of_two_workers_keeps_its_connection(start: Start) -> None:
    """Whose end is a broken connection, too: whoever ends in good order says so before."""
    with Load(start(ANSWER), "a", workers=2) as load:
        load.more(10)
    assert load.failures == []
    assert load.broken > 0, "the server said nothing of ending"
