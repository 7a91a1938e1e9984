"""What is remembered of requests, for how long, and how it is told."""

import asyncio
import sys
from typing import Any

from activator.ledger import (
    NOTE_BYTES_MAX,
    POKES_MAX,
    Ending,
    Ledger,
    Marks,
    Note,
    Origin,
    Wake,
    row,
    timeline,
)
from tests.activator.world import eventually, serving, world

ORIGIN = Origin("default", "app", "app-1")


def ledger(**changed: Any) -> Ledger:
    limits = {"length_max": 4, "notable_max": 2, "bytes_max": 10**6, "slow_s": 1}
    return Ledger(**limits | {"now": lambda: 3.0} | changed)


def note(kept: Ledger, name: bytes = b"r", **changed: Any) -> Note:
    times = {"arrived_s": 10.0, "slot_s": None, "forwarded_s": 10.0, "first_byte_s": -1.0}
    told = {"status": 200, "ending": Ending.ANSWERED, "why": "", "replica": None}
    rest = {"is_held": False, "wake": None, "bytes_in": 1, "bytes_out": 2, "ended_s": 10.5}
    facts = {"serial": next(kept.serials), "request_id": name, "origin": ORIGIN}
    return Note(**facts | times | told | rest | changed)  # type: ignore[arg-type] # by name


def test_a_flood_of_one_sort_does_not_push_the_others_out() -> None:
    kept = ledger()
    kept.add_slow(tuple(note(kept, b"slow")))
    kept.turn_away(b"refused", "UnknownHost", 404)
    for _ in range(9):
        kept.add(tuple(note(kept, b"fast")))
    assert [each.serial for each in kept.find(b"fast")] == [11, 10, 9, 8]
    assert [each.serial for each in kept.find(b"slow")] == [1]
    (refused,) = kept.find(b"refused")
    assert (refused.status, refused.why, refused.forwarded_s) == (404, "UnknownHost", -1.0)


def test_what_came_after_a_serial_and_what_of_it_is_lost() -> None:
    kept = ledger()
    assert (kept.last, list(kept.after(0)), kept.lost(0)) == (0, [], 0)
    for _ in range(6):
        kept.add(tuple(note(kept)))
    assert [each.serial for each in kept.after(0)] == [3, 4, 5, 6]
    assert [each.serial for each in kept.after(4)] == [5, 6]
    assert [each.serial for each in kept.after(6)] == []
    assert [kept.lost(serial) for serial in (0, 1, 2, 6)] == [2, 1, 0, 0]


def test_the_bound_in_bytes_shortens_the_rings() -> None:
    assert ledger(length_max=1000, notable_max=0, bytes_max=10**9).length_max == 1000
    assert ledger(length_max=1000, notable_max=0, bytes_max=10 * NOTE_BYTES_MAX).length_max == 10
    assert ledger(length_max=1000, bytes_max=1).length_max == 1


def test_the_largest_note_is_no_larger_than_stated() -> None:
    times = {"arrived_s": 1.5, "slot_s": 2.5, "forwarded_s": 3.5, "first_byte_s": 4.5}
    wake = Wake(1.0)
    largest = note(ledger(), b"x" * 128, **times, bytes_in=2**40, bytes_out=2**40, wake=wake)
    own = [tuple(largest), largest.request_id, largest.serial, largest.ended_s, wake, wake.pokes]
    own += [*times.values(), largest.bytes_in, largest.bytes_out]
    collected = 16 * 3  # the collector's part of the tuple, the wake and its list
    assert sum(sys.getsizeof(each) for each in own) + collected <= NOTE_BYTES_MAX


def test_pokes_are_bounded() -> None:
    wake = Wake(0.0)
    for number in range(POKES_MAX + 5):
        wake.poked(float(number), number)
    assert len(wake.pokes) == POKES_MAX


def test_a_row_tells_seconds_since_the_arrival() -> None:
    wake = Wake(10.0)
    wake.poked(10.25, 3)
    replica = Marks("pod", 10.5, 11.0)
    told = note(ledger(), is_held=True, wake=wake, replica=replica, forwarded_s=11.0, ended_s=11.5)
    found = row(told, epoch_s=1000.0)
    assert found == {
        "serial": 1,
        "id": "r",
        "namespace": "default",
        "service": "app",
        "revision": "app-1",
        "time": 1010.0,
        "held_s": 1.0,
        "executing_s": 0.5,
        "first_byte_s": 1.5,
        "status": 200,
        "ending": "answered",
        "replica": "pod",
        "cold": True,
        "bytes_in": 1,
        "bytes_out": 2,
        "poked_s": 0.25,
        "poked_queue": 3,
        "gathered_s": 0.25,
    }
    more = timeline(told, epoch_s=1000.0)
    assert {name: value for name, value in more.items() if name not in found} == {
        "is_held": True,
        "pokes": [{"after_s": 0.25, "queued": 3}],
        "replica_seen_s": 0.5,
        "replica_ready_s": 1.0,
    }


def test_a_row_of_who_came_later_and_never_got_on() -> None:
    wake = Wake(9.0)
    wake.poked(9.5, 1)
    wake.poked(10.25, 2)
    told = note(
        ledger(),
        wake=wake,
        forwarded_s=-1.0,
        ending=Ending.REFUSED,
        why="DeadlineExceeded",
        status=504,
    )
    found = row(told, epoch_s=0.0)
    assert (found["held_s"], found["executing_s"], found["first_byte_s"]) == (0.5, None, None)
    assert (found["refusal"], found["poked_s"], found["poked_queue"]) == (
        "DeadlineExceeded",
        0.25,
        2,
    )
    assert "gathered_s" not in found  # the burst was told of before it came


async def test_requests_leave_notes() -> None:
    async with serving() as (it, replica, client):
        await client.call(headers="X-Request-Id: plain\r\n", body=b"12345")
        (plain,) = it.activator.ledger.find(b"plain")
        assert (plain.status, plain.ending, plain.is_held) == (200, Ending.ANSWERED, False)
        assert (plain.origin, plain.bytes_in) == (ORIGIN, 5)
        assert plain.bytes_out == len(b"/x 12345")
        assert plain.replica is not None
        assert plain.replica.name == "p1"
        assert plain.arrived_s <= plain.forwarded_s <= plain.ended_s
        await client.call(host="nobody.localhost", headers="X-Request-Id: stray\r\n")
        (stray,) = it.activator.ledger.find(b"stray")
        assert (stray.status, stray.why) == (404, "UnknownHost")
        replica.auto = False
        client.send(headers="X-Request-Id: dies\r\n")
        await eventually(lambda: len(replica.calls) == 2)
        replica.calls[1].die()
        assert (await client.answer()).status == 502
        (died,) = it.activator.ledger.find(b"dies")
        assert (died.ending, died.why, died.status) == (Ending.REFUSED, "ReplicaDied", 502)


async def test_a_client_that_leaves_and_an_answer_that_is_cut() -> None:
    async with serving() as (it, replica, client):
        replica.auto = False
        client.send(headers="X-Request-Id: left\r\n")
        await eventually(lambda: len(replica.calls) == 1)
        client.leave()
        await eventually(lambda: bool(it.activator.ledger.find(b"left")))
        (left,) = it.activator.ledger.find(b"left")
        assert (left.ending, left.status) == (Ending.LEFT, 499)
        other = await it.connect()
        await eventually(lambda: it.now().ready_replicas == 1)
        other.send(headers="X-Request-Id: cut\r\n")
        await eventually(lambda: len(replica.calls) == 2)
        replica.calls[1].writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await other.reader.readuntil(b"abc")
        replica.calls[1].die()
        await eventually(lambda: bool(it.activator.ledger.find(b"cut")))
        (cut,) = it.activator.ledger.find(b"cut")
        assert (cut.ending, cut.status, cut.bytes_out) == (Ending.CUT, 200, 3)
        assert cut.first_byte_s >= cut.forwarded_s


async def test_a_request_that_waits_for_a_replica() -> None:
    async with world() as it:
        it.revision()
        it.route(("app-1", 100))
        await eventually(lambda: "default/app-1" in it.activator.statistics().revisions)
        client = await it.connect()
        client.send(headers="X-Request-Id: cold\r\n")
        await eventually(lambda: it.pokes == [1])
        ((held, ahead),) = it.activator.running(b"cold")
        assert (held.ending, ahead) == (Ending.RUNNING, 0)
        await it.replica()
        assert (await asyncio.wait_for(client.answer(), 10)).status == 200
        (cold,) = it.activator.ledger.find(b"cold")
        assert cold.wake is not None
        assert cold.replica is not None
        ((poked_s, queued),) = cold.wake.pokes
        assert queued == 1
        order = [cold.arrived_s, poked_s, cold.replica.seen_s, cold.replica.ready_s]
        assert [*order, cold.forwarded_s, cold.ended_s] == sorted(
            [*order, cold.forwarded_s, cold.ended_s]
        )
        assert it.activator.running(b"cold") == []
