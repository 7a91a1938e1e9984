from typing import Any

from activator import tally
from activator.ledger import Ending, Ledger, Origin, Wake
from activator.tally import Tally
from telemetry.metrics import Buckets, Family

ONE = Origin("n", "s", "r")


def ledger(length_max: int = 100) -> Ledger:
    return Ledger(
        length_max=length_max, notable_max=10, bytes_max=1 << 30, slow_s=1.0, now=lambda: 0.0
    )


def note(
    ledger: Ledger,
    *,
    origin: Origin = ONE,
    took_s: float = 0.004,
    ending: Ending = Ending.ANSWERED,
    **more: Any,
) -> tuple[Any, ...]:
    times = (10.0, None, 10.0, -1.0, 10.0 + took_s)
    answer = (more.get("status", 200), ending, more.get("why", ""), None)
    held = (more.get("is_held", False), more.get("wake"), 0, 0)
    return (next(ledger.serials), b"id", origin, *times, *answer, *held)


def samples(tally_: Tally, name: str) -> dict[tuple[str, ...], Any]:
    families: list[Family] = list(tally_.families())
    (family,) = (each for each in families if each.name == name)
    return dict(family.samples)


def test_requests_are_counted_by_how_they_ended() -> None:
    notes = ledger()
    counted = Tally(notes)
    notes.add(note(notes))
    notes.add(note(notes, status=204))
    notes.add(note(notes, status=404))
    notes.add(note(notes, why="INVALID_ARGUMENT"))  # of a call
    counted.read()
    notes.add_failed(note(notes, ending=Ending.REFUSED, status=429, why="Overflow"))
    notes.add_slow(note(notes, is_held=True, wake=Wake(0.0)))
    assert samples(counted, "activator_requests") == {
        (*ONE, "answered", "", "2xx"): 3,
        (*ONE, "answered", "", "4xx"): 1,
        (*ONE, "answered", "", "INVALID_ARGUMENT"): 1,
        (*ONE, "refused", "Overflow", "4xx"): 1,
    }
    assert samples(counted, "activator_cold_requests") == {ONE: 1}
    assert samples(counted, "activator_held_requests") == {ONE: 1}
    assert samples(counted, "activator_uncounted_requests") == {(): 0}


def test_durations_fall_into_buckets() -> None:
    notes = ledger()
    counted = Tally(notes)
    for took_s in (0.004, 0.006, 100.0):
        notes.add(note(notes, took_s=took_s))
    (found,) = samples(counted, "activator_request_seconds").values()
    assert isinstance(found, Buckets)
    assert found.counts[0] == 1
    assert found.counts[1] == 1
    assert found.counts[-1] == 1
    assert sum(found.counts) == 3
    assert abs(found.total - 100.01) < 1e-6


def test_what_the_ledger_forgot_first_is_told() -> None:
    notes = ledger(length_max=3)
    counted = Tally(notes)
    for _ in range(5):
        notes.add(note(notes))
    assert samples(counted, "activator_uncounted_requests") == {(): 2}
    assert samples(counted, "activator_requests") == {(*ONE, "answered", "", "2xx"): 3}


def test_a_revision_that_is_gone_is_forgotten() -> None:
    notes = ledger()
    counted = Tally(notes)
    other = Origin("n", "s", "other")
    notes.add(note(notes))
    notes.add(note(notes, origin=other))
    notes.turn_away(b"id", "NotFound", 404)
    counted.read()
    counted.keep([("n", "other")])
    assert {key[:3] for key in samples(counted, "activator_requests")} == {("", "", ""), other}


def test_there_is_a_limit_beyond_which_revisions_are_counted_as_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(tally, "_ORIGINS_MAX", 2)
    notes = ledger()
    counted = Tally(notes)
    for each in range(5):
        notes.add(note(notes, origin=Origin("n", "s", str(each))))
    assert samples(counted, "activator_held_requests").keys() == {
        ("n", "s", "0"),
        ("n", "s", "1"),
        ("", "", "others"),
    }
    assert sum(samples(counted, "activator_requests").values()) == 5
