import os
import shutil
from pathlib import Path

import pytest

from predictor.fetch_cache import LEFTOVER_S, Known, ModelCache, key_of

DIGESTS = [f"sha256:{n:064x}" for n in range(4)]
NOW_S = 1_000_000.0


def filled(root: Path, *digests: str, size: int = 100) -> ModelCache:
    cache = ModelCache(root)
    cache.prepare()
    for at, digest in enumerate(digests):
        folder = root / f"new{at}"
        folder.mkdir()
        (folder / "m.onnx").write_bytes(bytes(size))
        cache.place(folder, digest, load="m.onnx")
        os.utime(cache.root / f"{digest.replace(':', '-')}.json", (at, at))
    return cache


def test_what_is_placed_is_found(tmp_path: Path) -> None:
    cache = filled(tmp_path, DIGESTS[0])
    kept = cache.find(DIGESTS[0], now_s=NOW_S)
    assert kept is not None
    assert (kept.path.read_bytes(), kept.size) == (bytes(100), 100)
    assert not os.access(kept.path, os.W_OK) or os.geteuid() == 0
    assert cache.find(DIGESTS[1], now_s=NOW_S) is None
    assert ModelCache(tmp_path / "none").find(DIGESTS[0], now_s=NOW_S) is None


@pytest.mark.parametrize(
    "damage", ["no note", "half a note", "no file", "cut file", "longer file", "no folder"]
)
def test_what_is_not_whole_is_not_found_and_is_replaced(tmp_path: Path, damage: str) -> None:
    cache = filled(tmp_path, DIGESTS[0])
    note = cache.root / f"{DIGESTS[0].replace(':', '-')}.json"
    folder = note.with_suffix("")
    if damage == "no note":
        note.unlink()
    elif damage == "half a note":
        note.write_text('{"load": "m.o')
    elif damage == "no folder":
        shutil.rmtree(folder)
    elif damage == "no file":
        (folder / "m.onnx").unlink()
    else:
        (folder / "m.onnx").chmod(0o644)
        (folder / "m.onnx").write_bytes(bytes(99 if damage == "cut file" else 101))
    assert cache.find(DIGESTS[0], now_s=NOW_S) is None
    filled(tmp_path, DIGESTS[0])  # fetched once more
    kept = cache.find(DIGESTS[0], now_s=NOW_S)
    assert kept is not None
    assert kept.path.read_bytes() == bytes(100)


def test_a_model_without_its_note_is_swept(tmp_path: Path) -> None:
    cache = filled(tmp_path, DIGESTS[0])
    note = cache.root / f"{DIGESTS[0].replace(':', '-')}.json"
    note.unlink()
    cache.sweep(now_s=NOW_S)
    assert not note.with_suffix("").exists()


def test_the_longest_unused_goes_first_and_what_is_held_stays(tmp_path: Path) -> None:
    cache = filled(tmp_path, *DIGESTS)
    assert cache.find(DIGESTS[1], now_s=NOW_S) is not None  # used just now
    assert cache.evict(250, keep={DIGESTS[0]}) == [DIGESTS[2], DIGESTS[3]]
    assert [d for d in DIGESTS if cache.find(d, now_s=NOW_S)] == DIGESTS[:2]
    assert cache.evict(0, keep=set(DIGESTS)) == []


def test_leftovers_go_when_they_are_old_and_nobodys(tmp_path: Path) -> None:
    cache = filled(tmp_path, DIGESTS[0])
    for key in ("old", "held", "new"):
        (cache.workspace(key) / "0.part").write_bytes(b"half")
        at = NOW_S if key == "new" else NOW_S - LEFTOVER_S - 1
        os.utime(cache.root / "partial" / key, (at, at))
    (cache.root / ".trash-1").mkdir()
    cache.note("here", uri="u", version="1", digest=DIGESTS[0])
    cache.note("gone", uri="u", version="1", digest=DIGESTS[1])
    with cache.locked("held"):
        cache.sweep(now_s=NOW_S)
    assert sorted(each.name for each in (cache.root / "partial").iterdir()) == ["held", "new"]
    assert not (cache.root / ".trash-1").exists()
    assert cache.known("here") is not None
    assert cache.known("gone") is None
    assert cache.find(DIGESTS[0], now_s=NOW_S) is not None


def test_a_name_that_says_what_the_bytes_are_wins(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    cache.prepare()
    for at, name in enumerate(("download", "m.onnx", "other")):
        (tmp_path / f"{at}").mkdir()
        (tmp_path / f"{at}" / name).write_bytes(b"1")
        cache.place(tmp_path / f"{at}", DIGESTS[0], load=name)
    kept = cache.find(DIGESTS[0], now_s=NOW_S)
    assert kept is not None
    assert [each.name for each in kept.path.parent.iterdir()] == ["m.onnx"]


def test_files_beside_the_one_that_is_loaded_count(tmp_path: Path) -> None:
    cache = ModelCache(tmp_path)
    cache.prepare()
    (tmp_path / "new").mkdir()
    for name in ("m.onnx", "weights.bin"):
        (tmp_path / "new" / name).write_bytes(bytes(10))
    cache.place(tmp_path / "new", DIGESTS[0], load="m.onnx")
    kept = cache.find(DIGESTS[0], now_s=NOW_S)
    assert kept is not None
    assert (kept.path.name, kept.size) == ("m.onnx", 20)
    kept.path.with_name("weights.bin").unlink()
    assert cache.find(DIGESTS[0], now_s=NOW_S) is None


def test_an_index_remembers_a_uri_and_its_endpoint(tmp_path: Path) -> None:
    cache = filled(tmp_path)
    key = key_of("s3://b/m", {})
    assert cache.known(key) is None
    cache.note(key, uri="s3://b/m", version="1", digest=DIGESTS[0])
    assert cache.known(key) == Known(version="1", digest=DIGESTS[0])
    assert key_of("s3://b/m", {"AWS_ENDPOINT_URL": "http://minio"}) != key
    assert key_of("s3://b/m", {"AWS_ACCESS_KEY_ID": "k"}) == key
