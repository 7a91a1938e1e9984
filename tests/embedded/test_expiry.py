from collections.abc import Iterator
from pathlib import Path

import pytest

from api.kinds import EVENTS
from embedded import expiry
from embedded.expiry import Expiry
from embedded.store import IN_MEMORY, Store
from tests.cluster.serving import Clock


@pytest.fixture
def store() -> Iterator[Store]:
    store = Store(IN_MEMORY)
    yield store
    store.close()


def put(store: Store, name: str) -> None:
    store.put(EVENTS, {"metadata": {"name": name, "namespace": "n"}})


def names(store: Store) -> list[str]:
    return [each["metadata"]["name"] for each in store.select(EVENTS)]


def test_an_event_goes_an_hour_after_it_was_last_written(store: Store) -> None:
    clock = Clock(0)
    kept = Expiry(store, clock=clock)
    put(store, "a")
    put(store, "b")
    clock.now_s = 3000
    put(store, "a")
    clock.now_s = 3599
    kept.expire()
    assert names(store) == ["a", "b"]
    clock.now_s = 3600
    kept.expire()
    assert names(store) == ["a"]
    clock.now_s = 6600
    kept.expire()
    assert names(store) == []


def test_the_oldest_make_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "EVENTS_MAX", 3)
    kept = Expiry(store, clock=Clock(0))
    for name in "edcba":
        kept.expire(room=1)
        put(store, name)
    assert names(store) == ["a", "b", "c"]


def test_an_event_removed_by_others_is_forgotten(store: Store) -> None:
    clock = Clock(0)
    kept = Expiry(store, clock=clock)
    put(store, "a")
    store.remove(EVENTS, {"metadata": {"name": "a", "namespace": "n"}})
    clock.now_s = 9999
    kept.expire()
    assert names(store) == []


def test_after_a_restart_events_live_an_hour_more(tmp_path: Path) -> None:
    first = Store(tmp_path / "x.db")
    put(first, "a")
    first.close()
    again, clock = Store(tmp_path / "x.db"), Clock(10_000)
    kept = Expiry(again, clock=clock)
    clock.now_s += 3599
    kept.expire()
    assert names(again) == ["a"]
    clock.now_s += 1
    kept.expire()
    assert names(again) == []
    again.close()
