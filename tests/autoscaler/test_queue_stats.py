import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.queue_stats import QueueStat, order, total
from autoscaler.sampling import Measured, sample_size
from tests.autoscaler.queue_proxy import QueueProxy


def stat(concurrency: float = 2.0, proxied: float = 0.0, requests: float = 5.0) -> QueueStat:
    return QueueStat(concurrency=concurrency, proxied_concurrency=proxied, requests=requests)


def test_the_bytes_are_those_of_stat_proto() -> None:
    # Written by hand: field numbers 1 (string), 2 to 4 and 6 (doubles), 7 (varint).
    body = b"\x0a\x03p-1" + b"\x11" + struct.pack("<d", 2.5) + b"\x19" + struct.pack("<d", 1.5)
    body += b"\x21" + struct.pack("<d", 7.0) + b"\x31" + struct.pack("<d", 60.0) + b"\x38\x05"
    assert QueueStat.read(body) == stat(2.5, 1.5, 7.0)


def test_what_a_queue_proxy_says_is_read() -> None:
    proxy = QueueProxy(concurrency=3.0, proxied=1.0)
    assert QueueStat.read(proxy.stat()) == stat(3.0, 1.0, 0.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"# HELP go_goroutines\n",
        QueueProxy("").stat(),
        QueueProxy("a", 1.0).stat()[:-3],  # cut off
        QueueProxy("a", 1.0).stat()[:9],
        b"\x0a\x80\x80",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\x0b\x01",  # a group
        b"\x00\x01",
        QueueProxy(concurrency=float("nan")).stat(),
        QueueProxy(concurrency=-1.0).stat(),
    ],
)
def test_an_answer_that_is_none_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match="Stat"):
        QueueStat.read(body)


def test_pods_known_for_a_window_are_asked_first() -> None:
    seen_s = {"young": 50.0, "old": 0.0, "elder": 10.0, "new": 99.0}
    drawn = {"young": 0.1, "old": 0.9, "elder": 0.2, "new": 0.0}
    assert order(seen_s, drawn, window_s=60, now_s=100) == ["elder", "old", "new", "young"]


def test_what_came_through_activators_counts_once() -> None:
    answers = [stat(4.0, 3.0), stat(2.0, 0.0)]
    whole = total(answers, population=2, is_proxied_counted=False)
    assert whole == Measured(concurrency=6.0, requests_per_s=10.0)
    rest = total(answers, population=2, is_proxied_counted=True)
    assert rest == Measured(concurrency=3.0, requests_per_s=10.0)


def test_a_sample_speaks_for_all() -> None:
    size = sample_size(100)
    found = total([stat()] * size, population=100, is_proxied_counted=False)
    assert found is not None
    assert found.concurrency == pytest.approx(200.0)


def test_fewer_than_have_to_tell_nothing() -> None:
    assert total([stat()] * 2, population=3, is_proxied_counted=False) is None
    assert total([], population=0, is_proxied_counted=False) is None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_stat_or_refused(body: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert QueueStat.read(body).concurrency >= 0
