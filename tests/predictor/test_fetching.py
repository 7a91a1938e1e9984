import hashlib
import io
import os
import threading
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from predictor.fetch_cache import Kept, ModelCache
from predictor.fetch_uris import FetchError
from predictor.fetching import Clock, Fetch, Wanted
from tests.predictor.fetch_servers import Asked, File, Server, hub, serving

MODEL = (Path(__file__).parent.parent.parent / "examples/models/fahrenheit.onnx").read_bytes()
DIGEST = f"sha256:{hashlib.sha256(MODEL).hexdigest()}"
LARGE = MODEL + bytes([0x1A, 0x80, 0x80, 0x40]) + bytes(1 << 20)  # a name, longer than any


@dataclass
class Ticking:
    at_s: float = 0.0
    waits: list[float] = field(default_factory=list)

    def pause(self, wait_s: float) -> None:
        self.waits.append(wait_s)
        self.at_s += wait_s

    def clock(self) -> Clock:
        return Clock(wall_s=lambda: 1e9, now_s=lambda: self.at_s, pause=self.pause)


def fetched(
    cache: Path,
    uri: str,
    *,
    time: Ticking | None = None,
    env: dict[str, str] | None = None,
    **more: object,
) -> Kept:
    wanted = Wanted(uri=uri, **more)  # type: ignore[arg-type]
    return Fetch(wanted, ModelCache(cache), env or {}, (time or Ticking()).clock()).run()


def left(cache: Path) -> list[str]:
    """What there is of models, whole or half."""
    models = cache / "models"
    found = [*models.glob("sha256-*/*"), *models.glob("partial/*/*")]
    return sorted(each.name for each in found)


def test_once_fetched_it_is_asked_for_and_not_sent_again(tmp_path: Path) -> None:
    with serving(m__onnx=MODEL) as server:
        kept = fetched(tmp_path, f"{server.url}/m.onnx")
        assert (kept.digest, kept.path.name, kept.path.read_bytes()) == (DIGEST, "m.onnx", MODEL)
        assert fetched(tmp_path, f"{server.url}/m.onnx") == kept
        assert "if-none-match" in server.gets[-1].headers
        server.files["/m.onnx"] = File(LARGE)
        assert fetched(tmp_path, f"{server.url}/m.onnx").path.read_bytes() == LARGE
        asked = len(server.asked)
        assert fetched(tmp_path, f"{server.url}/m.onnx", digest=DIGEST) == kept
        assert fetched(tmp_path, f"{server.url}/m.onnx#{DIGEST.replace(':', '=')}") == kept
        assert len(server.asked) == asked
    assert fetched(tmp_path, "http://127.0.0.1:1/gone", digest=DIGEST) == kept


def test_another_digest_is_refused_and_nothing_is_kept(tmp_path: Path) -> None:
    other = f"sha256:{'0' * 64}"
    with serving(m__onnx=MODEL) as server:
        uri = f"{server.url}/m.onnx"
        with pytest.raises(FetchError, match=f"expected {other}, got {DIGEST}") as caught:
            fetched(tmp_path, uri, digest=other)
        assert caught.value.is_final
        assert left(tmp_path) == []
        fetched(tmp_path, uri)
        with pytest.raises(FetchError, match=f"expected {other}, got {DIGEST}"):
            fetched(tmp_path, f"{uri}#sha256={'0' * 64}")
        with pytest.raises(FetchError, match="and its URI says"):
            fetched(tmp_path, f"{uri}#sha256={'0' * 64}", digest=DIGEST)


def test_what_breaks_off_goes_on_where_it_broke(tmp_path: Path) -> None:
    time = Ticking()
    with serving(m__onnx=File(LARGE, cut_after=400_000)) as server:
        kept = fetched(tmp_path, f"{server.url}/m.onnx", time=time)
        assert kept.path.read_bytes() == LARGE
        starts = [each.headers.get("range") for each in server.gets]
        assert starts == [None, None, "bytes=400000-", "bytes=800000-"]
    assert time.waits == [0.5, 0.5]  # each attempt brought something
    assert left(tmp_path) == ["m.onnx"]


@pytest.mark.parametrize("kept_of_it", [400_000, 0])
def test_without_ranges_or_validators_it_starts_anew(tmp_path: Path, kept_of_it: int) -> None:
    file = File(LARGE, cut_after=400_000, cuts=2, has_ranges=False)
    if not kept_of_it:
        file.etag = None
    with serving(m__onnx=file) as server:
        assert fetched(tmp_path, f"{server.url}/m.onnx").path.read_bytes() == LARGE


def test_what_starts_anew_is_counted_once(tmp_path: Path) -> None:
    file = File(LARGE, cut_after=400_000, cuts=3, has_ranges=False, etag=None)
    with serving(m__onnx=file) as server:
        uri = f"{server.url}/m.onnx"
        assert fetched(tmp_path, uri, bytes_max=len(LARGE)).path.read_bytes() == LARGE


def test_what_is_shorter_the_next_time_keeps_nothing_of_the_last(tmp_path: Path) -> None:
    # Neither a length nor a version: nothing but the bytes says that it is another file.
    def part(content: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(content), content)

    def routes(asked: Asked) -> tuple[int, dict[str, str], bytes]:
        del asked
        said = {"transfer-encoding": "chunked", "connection": "close", "content-length": ""}
        is_cut = len(server.asked) < 3
        return 200, said, part(LARGE[:5000]) + b"zz" if is_cut else part(MODEL) + b"0\r\n\r\n"

    with Server() as server:
        server.routes = routes
        assert fetched(tmp_path, f"{server.url}/m.onnx").path.read_bytes() == MODEL


def test_objects_that_would_be_one_file_are_refused(tmp_path: Path) -> None:
    with Server() as server:
        hub(server, "org/repo", {"m": b"x", "m/model.onnx": MODEL})
        with pytest.raises(FetchError, match="as a file and as a folder") as caught:
            fetched(tmp_path, "hf://org/repo", env={"HF_ENDPOINT": server.url})
    assert caught.value.is_final


def test_a_fetch_that_gave_up_is_gone_on_with_by_the_next(tmp_path: Path) -> None:
    with serving(m__onnx=File(LARGE, cut_after=300_000)) as server:
        uri = f"{server.url}/m.onnx"
        time = Ticking()
        server.files["/m.onnx"].before = lambda: setattr(time, "at_s", 9e9)
        with pytest.raises(FetchError, match="not fetched within 60 s") as caught:
            fetched(tmp_path, uri, time=time, within_s=60.0)
        assert not caught.value.is_final
        assert left(tmp_path) == ["0.part", "plan.json"]
        size = next((tmp_path / "models/partial").glob("*/0.part")).stat().st_size
        assert 0 < size <= 300_000
        server.files["/m.onnx"].before = None
        server.files["/m.onnx"].cut_after = 0
        assert fetched(tmp_path, uri).path.read_bytes() == LARGE
        assert server.gets[-1].headers["range"] == f"bytes={size}-"


def test_what_changes_meanwhile_is_fetched_anew(tmp_path: Path) -> None:
    with serving(m__onnx=File(LARGE, cut_after=300_000)) as server:
        path = "/m.onnx"
        swapped = threading.Event()

        def swap() -> None:
            if len(server.gets) == 2 and not swapped.is_set():
                swapped.set()
                server.files[path] = File(MODEL)

        server.files[path].before = swap
        assert fetched(tmp_path, f"{server.url}{path}").digest == DIGEST
        assert swapped.is_set()
    assert left(tmp_path) == ["m.onnx"]


def test_trouble_that_may_pass_is_waited_for_and_bounded(tmp_path: Path) -> None:
    time = Ticking()
    with serving(m__onnx=File(MODEL, status=503, failures=3)) as server:
        assert fetched(tmp_path, f"{server.url}/m.onnx", time=time).digest == DIGEST
        assert time.waits == [0.5, 1.0, 2.0]
        server.files["/m.onnx"] = File(MODEL, status=503, failures=-1, headers={"retry-after": "9"})
        time.waits.clear()
        with pytest.raises(FetchError, match="HTTP 503"):
            fetched(tmp_path, f"{server.url}/m.onnx", time=time)
        assert time.waits == [9, 9, 9, 9]


def test_a_length_that_lies_is_told(tmp_path: Path) -> None:
    with serving(m__onnx=File(MODEL, length=len(MODEL) + 50)) as server:
        with pytest.raises(FetchError, match="changes while it is fetched"):
            fetched(tmp_path, f"{server.url}/m.onnx")
        server.files["/m.onnx"] = File(MODEL, length=len(MODEL) - 50)
        with pytest.raises(FetchError, match=f"expected {DIGEST}, got"):
            fetched(tmp_path, f"{server.url}/m.onnx", digest=DIGEST)
    assert not list((tmp_path / "models").glob("sha256-*"))


def test_limits_are_checked_before_and_while_it_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(m__onnx=LARGE) as server:
        with pytest.raises(FetchError, match=r"is 1\.0 MB, and 1\.0 kB is the limit"):
            fetched(tmp_path, f"{server.url}/m.onnx", bytes_max=1000)
        unsized = {"content-length": "", "connection": "close"}
        server.files["/m.onnx"].headers = unsized
        with pytest.raises(FetchError, match=r"is more than 1\.0 kB, which is the limit"):
            fetched(tmp_path, f"{server.url}/m.onnx", bytes_max=1000)
        server.files["/m.onnx"].headers = {}
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
        with pytest.raises(
            FetchError,
            match=r"is 1\.0 MB, and the cache's disk has 1\.0 MB free, of which 67\.1 MB stay free",
        ):
            fetched(tmp_path, f"{server.url}/m.onnx")
    assert not list((tmp_path / "models").glob("sha256-*"))


def test_what_comes_without_a_size_leaves_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([1 << 30, 1 << 30])
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: SimpleNamespace(free=next(free, 1 << 20)), raising=True
    )
    with serving(m__onnx=LARGE) as server:
        server.files["/m.onnx"].headers = {"content-length": "", "connection": "close"}
        with pytest.raises(OSError, match="No space left on device"):
            fetched(tmp_path, f"{server.url}/m.onnx")
        assert next((tmp_path / "models/partial").glob("*/0.part")).stat().st_size == 0


def an_archive(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, content in files.items():
            opened.writestr(name.replace("_x_", "/").replace("__", "."), content)
    return out.getvalue()


def test_an_archive_is_unpacked_and_only_the_model_is_kept(tmp_path: Path) -> None:
    content = an_archive(m_x_1_x_model__onnx=MODEL, m_x_README=b"read me")
    with serving(m__zip=content, bad__zip=an_archive(README=b"hello there")) as server:
        kept = fetched(tmp_path, f"{server.url}/m.zip")
        assert kept.digest == DIGEST  # as of the same model anywhere else
        assert kept.path.read_bytes() == MODEL
        with pytest.raises(FetchError, match=r"bad.zip.*README") as caught:
            fetched(tmp_path, f"{server.url}/bad.zip")
        assert caught.value.is_final
    assert not list(tmp_path.rglob("README*"))
    assert not list((tmp_path / "models/partial").iterdir())


def test_an_archive_that_leads_out_leaves_nothing(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        opened.writestr("model.onnx", MODEL)
        opened.writestr("../../../../evil", b"x")
    refused = pytest.raises(FetchError, match="leads out of its folder")
    with serving(m__zip=out.getvalue()) as server, refused:
        fetched(tmp_path / "cache", f"{server.url}/m.zip")
    assert left(tmp_path / "cache") == []
    assert not list(tmp_path.rglob("evil"))


def test_a_repository_of_the_hub_with_a_file_that_is_not_what_it_says(tmp_path: Path) -> None:
    with Server() as server:
        hub(server, "org/repo", {"model.onnx": MODEL, "README.md": b"hello"})
        env = {"HF_ENDPOINT": server.url}
        assert fetched(tmp_path, "hf://org/repo", env=env).digest == DIGEST
        path = next(path for path in server.files if path.endswith("model.onnx"))
        server.files[path].content = bytes(len(MODEL))
        with pytest.raises(FetchError, match=r"model\.onnx is not what its source says"):
            fetched(tmp_path, "hf://org/repo/model.onnx", env=env)


def test_what_is_not_what_it_says_is_counted_once(tmp_path: Path) -> None:
    with Server() as server:
        hub(server, "org/repo", {"m.onnx": LARGE})
        server.files[f"/org/repo/resolve/{'c0ffee' * 6}/m.onnx"].content = bytes(len(LARGE))
        with pytest.raises(FetchError, match="is not what its source says it is"):
            fetched(
                tmp_path, "hf://org/repo", env={"HF_ENDPOINT": server.url}, bytes_max=len(LARGE)
            )


def test_one_of_several_at_once_fetches(tmp_path: Path) -> None:
    with serving(m__onnx=LARGE) as server:
        found: list[Kept] = []
        threads = [
            threading.Thread(target=lambda: found.append(fetched(tmp_path, f"{server.url}/m.onnx")))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 4
        assert len({each.path for each in found}) == 1
        assert sum("if-none-match" not in each.headers for each in server.gets) == 2  # look, read


def test_the_cache_is_bounded_but_for_what_is_held(tmp_path: Path) -> None:
    with serving(a__onnx=MODEL, b__onnx=LARGE) as server:
        first = fetched(tmp_path, f"{server.url}/a.onnx")
        os.utime(next((tmp_path / "models").glob("sha256-*.json")), (0, 0))
        second = fetched(
            tmp_path, f"{server.url}/b.onnx", cache_bytes_max=1, keep=frozenset({DIGEST})
        )
        assert first.path.exists()
        assert second.path.exists()
        server.files["/c.onnx"] = File(LARGE[:-1])
        fetched(tmp_path, f"{server.url}/c.onnx", cache_bytes_max=1)
        assert not first.path.exists()
        assert not second.path.exists()
