import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from api.kinds import DEPLOYMENTS, NAMESPACES, PODS, Resource
from embedded.history import Change
from embedded.storage_errors import StorageError
from embedded.store import IN_MEMORY, Store

ROOT = Path(__file__).parent.parent.parent


def obj(name: str, namespace: str = "default", **fields: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": namespace}, **fields}


def names(store: Store, resource: Resource = PODS, namespace: str | None = None) -> list[str]:
    return [each["metadata"]["name"] for each in store.select(resource, namespace)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "objects.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def test_a_write_is_read_back(store: Store) -> None:
    stored = store.put(PODS, obj("a", spec={"x": [1]}))
    assert store.get(PODS, "default", "a") is stored
    assert stored["spec"] == {"x": [1]}
    assert stored["metadata"]["resourceVersion"] == str(store.version)
    assert store.get(PODS, "other", "a") is None
    assert store.get(DEPLOYMENTS, "default", "a") is None


def test_what_is_stored_shares_nothing_with_what_was_given(store: Store) -> None:
    given = obj("a", spec={"x": [1]})
    stored = store.put(PODS, given)
    given["spec"]["x"].append(2)
    assert stored["spec"] == {"x": [1]}


def test_objects_come_in_order_of_namespace_and_name(store: Store) -> None:
    for namespace, name in (("b", "y"), ("a", "z"), ("b", "x"), ("a", "a"), ("ab", "m")):
        store.put(PODS, obj(name, namespace))
    assert names(store) == ["a", "z", "m", "x", "y"]
    assert names(store, namespace="a") == ["a", "z"]
    assert [each["metadata"]["name"] for each in store.select(PODS, after=("a", "z"))] == [
        "m",
        "x",
        "y",
    ]


def test_everything_is_there_after_a_restart(path: Path) -> None:
    store = Store(path)
    store.put(PODS, obj("a", spec={"n": 1}))
    store.put(PODS, obj("b"))
    store.put(PODS, obj("a", spec={"n": 2}))
    store.remove(PODS, obj("b"))
    store.put(NAMESPACES, {"metadata": {"name": "team"}})
    before = dict(store.get(PODS, "default", "a") or {})
    store.close()
    again = Store(path)
    assert again.get(PODS, "default", "a") == before
    assert names(again) == ["a"]
    assert names(again, NAMESPACES) == ["team"]
    again.close()


def test_a_version_never_comes_twice(path: Path) -> None:
    seen: list[int] = []
    for _ in range(3):
        store = Store(path)
        for _ in range(2):
            seen.append(int(store.put(PODS, obj("a"))["metadata"]["resourceVersion"]))
            # The last version of all belongs to an object that is gone.
            seen.append(int(store.remove(PODS, obj("a"))["metadata"]["resourceVersion"]))
        store.close()
    assert seen == sorted(set(seen))


def test_the_past_before_a_restart_is_forgotten(path: Path) -> None:
    store = Store(path)
    store.put(PODS, obj("a"))
    before = store.version
    store.close()
    again = Store(path)
    assert again.oldest_version > before
    again.close()


def test_listeners_hear_of_each_write_after_it(store: Store) -> None:
    heard: list[Change] = []
    store.subscribe(heard.append)
    first = store.put(PODS, obj("a", n=1))
    second = store.put(PODS, obj("a", n=2))
    last = store.remove(PODS, {**second, "metadata": dict(second["metadata"])})
    assert [(each.type, each.old is None) for each in heard] == [
        ("ADDED", True),
        ("MODIFIED", False),
        ("DELETED", False),
    ]
    assert [each.object for each in heard] == [first, second, last]
    assert heard[1].old is first
    assert store.changes_since(PODS, heard[0].version - 1)[0].object == first


def test_two_processes_cannot_share_a_store(path: Path, store: Store) -> None:
    with pytest.raises(StorageError, match=f"in use by another process \\(pid {os.getpid()}\\)"):
        Store(path)


def test_a_closed_store_can_be_opened_again(path: Path) -> None:
    Store(path).close()
    Store(path).close()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot open"):
        Store(tmp_path / "file" / "objects.db")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"this is no database" * 100, "not an SQLite file"),
        (b"SQLite format 3\x00" + b"\xff" * 4096, "damaged|not an SQLite file"),
    ],
)
def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes, words: str) -> None:
    path.write_bytes(content)
    with pytest.raises(StorageError, match=words) as refused:
        Store(path)
    assert str(path) in str(refused.value)
    assert path.read_bytes() == content


def test_a_read_only_file_is_told_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(path, 3)
    connect = sqlite3.connect

    def read_only(name: str, **options: Any) -> sqlite3.Connection:  # also when root runs this
        return connect(f"file:{name}?mode=ro", uri=True, **options)

    monkeypatch.setattr(sqlite3, "connect", read_only)
    with pytest.raises(StorageError, match="read-only: make both writable"):
        Store(path)
    monkeypatch.undo()
    reopened = Store(path)  # the refusal let go of the lock
    assert len(list(reopened.select(PODS))) == 3
    reopened.close()


def written(path: Path, count: int = 200) -> None:
    store = Store(path)
    for at in range(count):
        store.put(PODS, obj(f"p{at}", text="x" * 200))
    store.close()


def test_a_damaged_page_is_refused(path: Path) -> None:
    written(path)
    raw = bytearray(path.read_bytes())
    raw[8192:20000] = os.urandom(20000 - 8192)
    path.write_bytes(raw)
    with pytest.raises(StorageError, match="damaged"):
        Store(path)


def test_an_unreadable_object_is_named(path: Path) -> None:
    written(path, 3)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE objects SET body = '{' WHERE name = 'p1'")
    database.close()
    with pytest.raises(StorageError, match="/pods default/p1 cannot be read"):
        Store(path)


def test_a_newer_schema_is_refused(path: Path) -> None:
    written(path, 1)
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version = 2")
    database.close()
    with pytest.raises(StorageError, match="written by a newer Relight"):
        Store(path)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE t (x)")
    database.close()
    with pytest.raises(StorageError, match="another program"):
        Store(path)


def test_a_kind_that_is_not_known_is_refused(path: Path) -> None:
    written(path, 1)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE objects SET resource = 'example.com/things'")
    database.close()
    with pytest.raises(StorageError, match=r"does not know \(example\.com/things\)"):
        Store(path)


def check_refused(store: Store, words: str) -> None:
    """A write and a removal are refused and leave no trace; then both work again."""
    heard: list[Change] = []
    store.subscribe(heard.append)
    version, before = store.version, names(store)
    with pytest.raises(StorageError, match=words):
        store.put(PODS, obj("new"))
    with pytest.raises(StorageError, match=words):
        store.put(PODS, obj("kept", spec="changed"))
    with pytest.raises(StorageError, match=words):
        store.remove(PODS, obj("kept"))
    assert (store.version, names(store), heard) == (version, before, [])
    assert "spec" not in (store.get(PODS, "default", "kept") or {})


def test_a_lock_of_another_program_refuses_the_write(path: Path, store: Store) -> None:
    store.put(PODS, obj("kept"))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    check_refused(store, "another program holds a lock")
    other.execute("ROLLBACK")
    other.close()
    store.put(PODS, obj("new"))
    store.remove(PODS, obj("kept"))
    assert names(store) == ["new"]


def test_a_file_made_read_only_refuses_the_write(store: Store) -> None:
    store.put(PODS, obj("kept"))
    store._database.execute("PRAGMA query_only = ON")  # what SQLite says of a read-only file
    check_refused(store, "make both writable")
    store._database.execute("PRAGMA query_only = OFF")
    store.put(PODS, obj("new"))
    assert names(store) == ["kept", "new"]


def test_a_full_disk_refuses_the_write(store: Store) -> None:
    store.put(PODS, obj("kept"))
    (pages,) = store._database.execute("PRAGMA page_count").fetchone()
    store._database.execute(f"PRAGMA max_page_count = {pages}")  # SQLite's own word for full
    with pytest.raises(StorageError, match="free space"):
        store.put(PODS, obj("large", text="x" * 100_000))
    assert names(store) == ["kept"]
    store._database.execute("PRAGMA max_page_count = 100000")
    store.put(PODS, obj("large", text="x" * 100_000))
    assert names(store) == ["kept", "large"]


WRITER = """
import sys
from api.kinds import PODS
from embedded.store import Store
store = Store(sys.argv[1])
at = 0
while True:
    name = f"p{at % 50}"
    if at % 7 == 6 and store.get(PODS, "n", name):
        done = store.remove(PODS, {"metadata": {"name": name, "namespace": "n"}})
        word = "gone"
    else:
        done = store.put(PODS, {"metadata": {"name": name, "namespace": "n"}, "at": at})
        word = str(at)
    print(name, word, done["metadata"]["resourceVersion"], flush=True)
    at += 1
"""


def test_every_acknowledged_write_survives_kill_9(path: Path) -> None:
    expected: dict[str, str] = {}
    last = 0
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(500)]
            writer.send_signal(signal.SIGKILL)
            lines += writer.stdout.readlines()
        acknowledged = [line.split() for line in lines if line.endswith("\n")]
        assert len(acknowledged) >= 500
        for name, word, version in acknowledged:
            assert int(version) > last
            last = int(version)
            expected[name] = word
        store = Store(path)
        found = {each["metadata"]["name"]: str(each["at"]) for each in store.select(PODS)}
        # One write more than was acknowledged may have been committed: the one under way.
        differing = {
            name
            for name in expected.keys() | found.keys()
            if expected.get(name, "gone") != found.get(name, "gone")
        }
        assert len(differing) <= 1
        assert store.version > last
        expected = found
        store.close()


class StoreAgainstADict(RuleBasedStateMachine):
    """The store and a dict see the same writes; list and watch must agree with the dict."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(IN_MEMORY, history_events_max=8)
        self.twin: dict[tuple[str, str], Any] = {}
        self.live: list[Change] = []
        self.store.subscribe(self.live.append)
        self.snapshots: dict[int, dict[tuple[str, str], Any]] = {self.store.version: {}}

    places = st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"))
    versions: Bundle[int] = Bundle("versions")

    @rule(place=places, value=st.integers(0, 3))
    def put(self, place: tuple[str, str], value: int) -> None:
        self.store.put(PODS, obj(place[1], place[0], value=value))
        self.twin[place] = value
        self.snapshots[self.store.version] = dict(self.twin)

    @rule(place=places)
    def remove(self, place: tuple[str, str]) -> None:
        if place in self.twin:
            self.store.remove(PODS, obj(place[1], place[0]))
            del self.twin[place]
            self.snapshots[self.store.version] = dict(self.twin)

    @rule(target=versions)
    def note(self) -> int:
        return self.store.version

    @rule(version=versions)
    def replay(self, version: int) -> None:
        """List at a version, then the events since: the present state."""
        if version < self.store.oldest_version:
            return
        state = dict(self.snapshots[version])
        for change in self.store.changes_since(PODS, version):
            place = (change.object["metadata"]["namespace"], change.object["metadata"]["name"])
            assert (change.type == "ADDED") is (place not in state)
            if change.type == "DELETED":
                del state[place]
            else:
                state[place] = change.object["value"]
        assert state == self.twin

    @invariant()
    def the_store_holds_what_the_dict_holds(self) -> None:
        found = {
            (each["metadata"]["namespace"], each["metadata"]["name"]): each["value"]
            for each in self.store.select(PODS)
        }
        assert found == self.twin
        assert list(found) == sorted(self.twin)

    @invariant()
    def what_was_told_is_what_is_remembered(self) -> None:
        floor = self.store.oldest_version
        told = [
            (each.version, each.type, each.object) for each in self.live if each.version > floor
        ]
        kept = [
            (each.version, each.type, each.object) for each in self.store.changes_since(PODS, floor)
        ]
        assert kept == told

    def teardown(self) -> None:
        self.store.close()


StoreAgainstADict.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestStoreAgainstADict = StoreAgainstADict.TestCase
