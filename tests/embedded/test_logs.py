from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from api.kinds import PODS
from cluster.errors import BadRequestError, NotFoundError, UnavailableError
from cluster.options import WriteOptions
from embedded.logs import LogQuery, opened, query_of
from embedded.podlog import Wanted
from tests.cluster.serving import Served, pod


def test_what_is_wanted_is_read() -> None:
    assert query_of({}) == LogQuery()
    found = query_of(
        {
            "container": "c",
            "follow": "true",
            "previous": "false",
            "tailLines": "5",
            "limitBytes": "0",
            "timestamps": "true",
            "sinceTime": "1970-01-01T00:00:09Z",
        }
    )
    assert found == LogQuery(
        container="c", follow=True, tail_lines=5, bytes_max=0, timestamps=True, since_s=9.0
    )


@pytest.mark.parametrize(("text", "is_followed"), [("True", True), ("1", True), ("False", False)])
def test_a_flag_is_read_as_kubernetes_reads_it(text: str, is_followed: bool) -> None:
    assert query_of({"follow": text}).follow is is_followed


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"sinceSeconds": "-5"}, "sinceSeconds: must be a whole number"),
        ({"sinceTime": "yesterday"}, "sinceTime: must be a time of RFC 3339"),
        ({"sinceTime": "2027-01-15T08:00:00"}, "sinceTime: must be a time of RFC 3339"),
        ({"sinceTime": "2027-01-15T08:00:00Z", "sinceSeconds": "5"}, "at most one of"),
        ({"stream": "Stderr"}, "stream: not supported"),
        ({"tailLines": "-1"}, "tailLines: must be a whole number"),
        ({"limitBytes": "x"}, "limitBytes: must be a whole number"),
        ({"colour": "true"}, "colour: no such parameter"),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(query: dict[str, str], words: str) -> None:
    with pytest.raises(BadRequestError, match=words):
        query_of(query)


@pytest.fixture
def served() -> Iterator[Served]:
    served = Served()
    served.server.create(PODS, None, pod(), WriteOptions())
    yield served
    served.close()


async def test_the_kubelet_is_asked(served: Served) -> None:
    asked: list[Any] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a line\n"

    def port(namespace: str, name: str, **how: Any) -> AsyncIterator[bytes]:
        asked.append((namespace, name, how))
        return pieces()

    served.server.logs_port = port
    query = LogQuery(container="c", follow=True, tail_lines=3)
    assert [piece async for piece in opened(served.server, None, "p", query)] == [b"a line\n"]
    assert asked == [("default", "p", {"follow": True, "wanted": Wanted(tail_lines=3)})]


async def test_since_is_counted_back_from_now(served: Served) -> None:
    asked: list[Any] = []

    async def pieces() -> AsyncIterator[bytes]:
        yield b""

    def port(_namespace: str, _name: str, **how: Any) -> AsyncIterator[bytes]:
        asked.append(how["wanted"])
        return pieces()

    served.server.logs_port = port
    opened(served.server, None, "p", LogQuery(since_seconds=60, timestamps=True))
    opened(served.server, None, "p", LogQuery(since_s=5.0))
    now_s = served.server.now_s()
    assert asked == [Wanted(since_s=now_s - 60, timestamps=True), Wanted(since_s=5.0)]


def test_what_has_no_log_is_told(served: Served) -> None:
    with pytest.raises(NotFoundError, match='pods "q" not found'):
        opened(served.server, None, "q", LogQuery())
    with pytest.raises(BadRequestError, match="container x is not valid for pod p"):
        opened(served.server, None, "p", LogQuery(container="x"))
    with pytest.raises(UnavailableError, match="no kubelet"):
        opened(served.server, None, "p", LogQuery())


def test_one_of_several_containers_must_be_chosen(served: Served) -> None:
    raw = pod("two")
    raw["spec"] = {"containers": [{"name": name, "image": "i"} for name in "ab"]}
    served.server.create(PODS, None, raw, WriteOptions())
    with pytest.raises(BadRequestError, match=r"choose one of: \['a', 'b'\]"):
        opened(served.server, None, "two", LogQuery())
