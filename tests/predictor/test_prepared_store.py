"""The folder of prepared models: whole entries, damaged ones, locks, and what is removed."""

import os
import time
from pathlib import Path

import pytest

from predictor.prepared import ENTRY, GRAPH, WEIGHTS, Entry, Variant
from predictor.prepared_store import DamagedError, PreparedStore, check_of, file_of

LARGE = 3 * 1024 * 1024
NOW_S = time.time()


@pytest.fixture
def store(tmp_path: Path) -> PreparedStore:
    store = PreparedStore(tmp_path)
    os.close(store.lock_all())  # makes the folder
    return store


def put(store: PreparedStore, key: str, weights: bytes = b"w" * LARGE) -> Path:
    workspace = store.workspace()
    (workspace / GRAPH).write_bytes(b"graph")
    (workspace / WEIGHTS).write_bytes(weights)
    files = {name: file_of(workspace / name) for name in (GRAPH, WEIGHTS)}
    store.place(workspace, key, Entry(variant=Variant.SAVED, reason="r", files=files))
    return store.root / key


def test_what_was_placed_is_found(store: PreparedStore) -> None:
    assert store.find("k", now_s=NOW_S) is None
    folder = put(store, "k")
    found = store.find("k", now_s=NOW_S)
    assert found is not None
    assert found.folder == folder
    assert found.entry.variant is Variant.SAVED
    put(store, "k", b"other")
    assert (folder / WEIGHTS).read_bytes() == b"other"
    assert sorted(path.name for path in store.root.iterdir()) == [".locks", "k"]


def test_an_absent_cache_has_nothing(tmp_path: Path) -> None:
    assert PreparedStore(tmp_path / "no").find("k", now_s=NOW_S) is None


def cut(folder: Path) -> None:
    os.truncate(folder / WEIGHTS, LARGE - 1)


def hole(folder: Path) -> None:
    with (folder / WEIGHTS).open("r+b") as file:
        file.write(bytes(LARGE))


def graph(folder: Path) -> None:
    (folder / GRAPH).write_bytes(b"Graph")


def no_weights(folder: Path) -> None:
    (folder / WEIGHTS).unlink()


def no_entry(folder: Path) -> None:
    (folder / ENTRY).unlink()


def half_entry(folder: Path) -> None:
    os.truncate(folder / ENTRY, 9)


def a_folder(folder: Path) -> None:
    (folder / ENTRY).unlink()
    (folder / ENTRY).mkdir()


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "weights.bin is not as large as it was written"),
        (hole, "weights.bin is not what was written"),
        (graph, "model.onnx is not what was written"),
        (no_weights, "weights.bin is missing"),
        (no_entry, "entry.json is missing"),
        (half_entry, "entry.json can not be read"),
        (a_folder, "entry.json: Is a directory"),
    ],
)
def test_a_damaged_entry_is_told_and_goes(store: PreparedStore, damage: object, said: str) -> None:
    assert callable(damage)
    damage(put(store, "k"))
    with pytest.raises(DamagedError, match=said):
        store.find("k", now_s=NOW_S)
    store.discard("k")
    assert store.find("k", now_s=NOW_S) is None


def test_a_change_anywhere_in_a_small_file_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(1000))
    before = check_of(path)
    path.write_bytes(bytes(999) + b"1")
    assert check_of(path) != before


def test_what_is_mapped_stays_when_its_entry_goes(store: PreparedStore) -> None:
    with (put(store, "k") / WEIGHTS).open("rb") as file:
        store.discard("k")
        assert file.read() == b"w" * LARGE


def test_a_key_is_held_by_one_and_by_who_inherits_it(store: PreparedStore) -> None:
    held = store.lock("ab1")
    assert held is not None
    heir = os.dup(held)
    os.close(held)
    assert store.lock("ab2") is None
    other = store.lock("cd1")
    assert other is not None
    os.close(heir)
    again = store.lock("ab2")
    assert again is not None
    os.close(again)
    os.close(other)


def test_what_nobody_finished_goes_and_then_what_does_not_fit(store: PreparedStore) -> None:
    (store.workspace() / GRAPH).write_bytes(b"half")
    for age_s, key in ((20, "new"), (200, "old"), (100, "middle")):
        os.utime(put(store, key) / ENTRY, (NOW_S - age_s, NOW_S - age_s))
    (store.root / "broken").mkdir()
    assert store.clean(limit_bytes=4 * LARGE) == []
    assert len(list(store.root.glob(".tmp-*"))) == 0
    assert store.clean(limit_bytes=2 * LARGE + LARGE // 2) == ["broken", "old"]
    assert store.clean(limit_bytes=LARGE + LARGE // 2, sparing="middle") == ["new"]


def test_an_entry_that_is_loaded_is_young_again(store: PreparedStore) -> None:
    old_s = NOW_S - 1000
    path = put(store, "k") / ENTRY
    os.utime(path, (old_s, old_s))
    found = store.find("k", now_s=NOW_S)
    assert found is not None
    assert found.age_s == pytest.approx(1000, abs=1)
    store.used(found)
    assert path.stat().st_mtime > old_s + 900
    young_s = path.stat().st_mtime
    found = store.find("k", now_s=young_s + 1)
    assert found is not None
    store.used(found)
    assert path.stat().st_mtime == young_s
