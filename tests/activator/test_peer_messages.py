"""The words of the protocol."""

import pytest

from activator.peer_messages import (
    Back,
    Done,
    Elsewhere,
    Granted,
    Hello,
    Message,
    MessageError,
    Ping,
    Place,
    Refused,
    Settled,
    Standing,
    Using,
    Want,
    decode,
    encode,
    key_of,
)
from activator.targets import RevisionKey

PLACE = Place("ns", "pod-1", "rev", "tcp:10.0.0.1:8080", True, False)
ALL: list[Message] = [
    Hello("a", "life", 1),
    Standing("member", ["b", "c"]),
    Settled(["a", "b"], 3, 0),
    Want(1, "ns", "rev", 100),
    Using(1, "ns", "rev", PLACE),
    Granted(1, "ns", "rev", PLACE),
    Refused(1, "ns", "rev", "QueueFull"),
    Elsewhere(1, "ns", "rev"),
    Done(1, "ns", "rev"),
    Back(1, "ns", "rev"),
    Ping(),
]


@pytest.mark.parametrize("message", ALL, ids=lambda each: type(each).__name__)
def test_what_is_said_is_what_is_heard(message: Message) -> None:
    line = encode(message)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    heard = decode(line[:-1])
    assert heard == message
    assert type(heard) is type(message)


def test_a_message_of_the_protocol_reads_so() -> None:
    assert encode(Want(7, "default", "app-1", 12)) == b'["want",7,"default","app-1",12]\n'
    assert key_of(Want(7, "default", "app-1", 12)) == RevisionKey("default", "app-1")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"GET / HTTP/1.1\r", "not JSON"),
        (b"{}", "no message known here"),
        (b"[]", "no message known here"),
        (b'["shout",1]', "no message known here"),
        (b'[["want"],1]', "no message known here"),
        (b"[{}]", "no message known here"),
        (b'["want",1,"ns","rev"]', "Want: 4 values expected"),
        (b'["want",-1,"ns","rev",1]', "Want.number: not what is expected"),
        (b'["want",true,"ns","rev",1]', "Want.number: not what is expected"),
        (b'["want",1,null,"rev",1]', "Want.namespace: not what is expected"),
        (b'["standing","member",[1]]', "Standing.links: not what is expected"),
        (b'["granted",1,"ns","rev",["ns"]]', "Place: 6 values expected"),
        (b'["granted",1,"ns","rev","p"]', "Place: 6 values expected"),
        (b'["granted",1,"ns","rev",["a","b","c","d",1,true]]', "Place.is_predictor: not what"),
        (b'["using",1,"ns","rev",["a","b","c","d",true,true]]', "Place.address: 'd': expected"),
    ],
)
def test_what_is_no_message_is_said_to_be_none(line: bytes, why: str) -> None:
    with pytest.raises(MessageError, match=why):
        decode(line)
