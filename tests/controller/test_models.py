import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api.modelcode import pin_code
from api.modeldigests import pair, pin
from api.objects import Raw
from controller import models
from controller.models import ModelDigests, Resolutions
from controller.pinning import Digest, Problem, Underway
from tests.controller.objects import a_revision
from wire import folders

DEADLINE_S = 10


def revision(model: str) -> Raw:
    container = {"name": "c", "image": "relight/predictor", "args": ["--model", model]}
    return a_revision(spec={"containers": [container]})


def digest(content: bytes) -> Digest:
    return Digest(text=f"sha256:{hashlib.sha256(content).hexdigest()}")


async def test_a_path_is_relative_to_the_model_root(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"weights")
    digests = ModelDigests(tmp_path)
    assert await digests.resolve(revision("m.onnx")) == digest(b"weights")
    assert await digests.resolve(revision(str(tmp_path / "m.onnx"))) == digest(b"weights")


async def test_a_changed_file_has_another_digest(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    digests = ModelDigests(tmp_path)
    path.write_bytes(b"old")
    assert await digests.resolve(revision("m.onnx")) == digest(b"old")
    (tmp_path / "new").write_bytes(b"new")
    # Same size, same time: the file is another one all the same.
    facts = path.stat()
    os.utime(tmp_path / "new", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    (tmp_path / "new").replace(path)
    assert await digests.resolve(revision("m.onnx")) == digest(b"new")


async def test_an_unchanged_file_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.onnx").write_bytes(b"weights")
    digests = ModelDigests(tmp_path)
    first = await digests.resolve(revision("m.onnx"))
    monkeypatch.setattr(models, "fingerprint", None)  # any hashing would fail
    assert await digests.resolve(revision("m.onnx")) == first


async def test_what_is_wrong_with_a_file_names_it(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    expected = {
        "missing.onnx": ("ModelMissing", "does not exist"),
        "folder": ("ModelNotAFile", "holds no file"),
        "loop": ("ModelUnreadable", "cannot be read"),
        "pipe": ("ModelUnreadable", "not a regular file"),
        "nul\0": ("ModelUnreadable", "cannot be read"),
        "folder/m.onnx": ("ModelMissing", "does not exist"),
    }
    for name, (reason, words) in expected.items():
        found = await ModelDigests(tmp_path).resolve(revision(name))
        assert isinstance(found, Problem), name
        assert found.reason == reason
        assert words in found.message
        assert str(tmp_path) in found.message


async def test_a_folder_is_pinned_to_the_model_in_it(tmp_path: Path) -> None:
    (tmp_path / "iris/1").mkdir(parents=True)
    (tmp_path / "iris/1/model.onnx").write_bytes(b"first")
    digests = ModelDigests(tmp_path)
    assert await digests.resolve(revision("iris")) == digest(b"first")
    (tmp_path / "iris/2").mkdir()
    (tmp_path / "iris/2/model.onnx").write_bytes(b"second")
    assert await digests.resolve(revision(f"file://{tmp_path}/iris")) == digest(b"second")
    (tmp_path / "iris/2/model.skops").write_bytes(b"third")
    found = await digests.resolve(revision("iris"))
    assert isinstance(found, Problem)
    assert found.reason == "ModelNotAFile"
    assert "2 model files in 2" in found.message


async def test_all_that_belongs_to_a_model_is_pinned(tmp_path: Path) -> None:
    (tmp_path / "iris/1").mkdir(parents=True)
    (tmp_path / "iris/1/model.onnx").write_bytes(b"model")
    digests = ModelDigests(tmp_path)
    alone = await digests.resolve(revision("iris"))
    (tmp_path / "iris/config.pbtxt").write_text("max_batch_size: 4")
    found = await digests.resolve(revision("iris"))
    assert isinstance(found, Digest)
    assert found != alone
    assert found.text == pin(*folders.of(tmp_path / "iris")).digest
    (tmp_path / "iris/config.pbtxt").write_text("platform: 'ensemble'")
    refused = await digests.resolve(revision("iris"))
    assert isinstance(refused, Problem)
    assert "no ensembles are served" in refused.message


async def test_code_is_pinned_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("import columns")
    (tmp_path / "columns.py").write_text("N = 1")
    container = {"name": "c", "image": "relight/predictor", "args": ["--python", "m.py:Mine"]}
    made = a_revision(spec={"containers": [container]})
    digests = ModelDigests(tmp_path)
    found = await digests.resolve(made)
    assert found == Digest(text=pin_code(*folders.of(tmp_path / "m.py")).digest)
    (tmp_path / "columns.py").write_text("N = 2")
    assert await digests.resolve(made) != found
    (tmp_path / "m.py").unlink()
    (tmp_path / "m.py").mkdir()
    refused = await digests.resolve(made)
    assert isinstance(refused, Problem)
    assert "is a folder: name the Python file" in refused.message


async def test_a_model_is_pinned_with_the_code_around_it(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("import columns")
    (tmp_path / "columns.py").write_text("N = 1")
    (tmp_path / "m.py").write_text("")
    args = ["--python", "m.py:Mine", "--transformer", "t.py:Towns"]
    container = {"name": "c", "image": "relight/predictor", "args": args}
    made = a_revision(spec={"containers": [container]})
    digests = ModelDigests(tmp_path)
    parts = (pin_code(*folders.of(tmp_path / name)).digest for name in ("m.py", "t.py"))
    found = await digests.resolve(made)
    assert found == Digest(text=pair(*parts))
    (tmp_path / "columns.py").write_text("N = 2")
    assert await digests.resolve(made) != found
    (tmp_path / "t.py").unlink()
    refused = await digests.resolve(made)
    assert isinstance(refused, Problem)
    assert "t.py does not exist" in refused.message
    (tmp_path / "m.py").unlink()
    refused = await digests.resolve(made)
    assert isinstance(refused, Problem)
    assert "m.py does not exist" in refused.message


async def test_a_file_that_is_being_written_is_not_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"w")
    real = hashlib.sha256

    def appending() -> object:
        with path.open("ab") as file:
            file.write(b"w")
        return real()

    monkeypatch.setattr(hashlib, "sha256", appending)
    found = await ModelDigests(tmp_path).resolve(revision("m.onnx"))
    assert isinstance(found, Problem)
    assert "being written" in found.message


KEY = ("default", "mnist-00001")


class Oracle:
    """Answers when it is let."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.woken = asyncio.Event()
        self.asked = 0

    async def resolve(self, raw: Raw) -> Digest | Problem:
        self.asked += 1
        await self.may_answer.wait()
        return Digest(text="sha256:ab")

    @asynccontextmanager
    async def resolutions(self, grace_s: float) -> AsyncIterator[Resolutions]:
        found = Resolutions(self.resolve, wake=lambda key: self.woken.set(), grace_s=grace_s)
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(found.run())
            await asyncio.sleep(0)
            yield found
            task.cancel()


async def test_a_quick_digest_is_waited_for() -> None:
    oracle = Oracle()
    oracle.may_answer.set()
    async with oracle.resolutions(grace_s=DEADLINE_S) as resolutions:
        assert await resolutions.look(KEY, revision("m")) == Digest(text="sha256:ab")


async def test_a_slow_digest_is_told_when_it_comes() -> None:
    oracle = Oracle()
    async with oracle.resolutions(grace_s=0) as resolutions:
        assert await resolutions.look(KEY, revision("m")) is None
        assert await resolutions.look(KEY, revision("m")) is None
        oracle.may_answer.set()
        await asyncio.wait_for(oracle.woken.wait(), DEADLINE_S)
        assert await resolutions.look(KEY, revision("m")) == Digest(text="sha256:ab")
    assert oracle.asked == 1


async def test_a_forgotten_one_is_asked_for_again() -> None:
    oracle = Oracle()
    async with oracle.resolutions(grace_s=0) as resolutions:
        resolutions.forget(KEY)
        assert await resolutions.look(KEY, revision("m")) is None
        resolutions.forget(KEY)
        oracle.may_answer.set()
        await resolutions.look(KEY, revision("m"))
        await asyncio.wait_for(oracle.woken.wait(), DEADLINE_S)
    assert oracle.asked == 2


async def test_what_was_found_for_one_is_not_told_of_another_of_its_name() -> None:
    old, new = revision("m"), revision("n")
    new["metadata"]["uid"] = "another"
    asked: list[str] = []
    may_answer = asyncio.Event()

    async def resolve(raw: Raw) -> Digest | Problem:
        model = raw["spec"]["containers"][0]["args"][1]
        asked.append(model)
        if model == "m":
            await may_answer.wait()
        return Digest(text=model)

    resolutions = Resolutions(resolve, wake=lambda _: None, grace_s=0)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(resolutions.run())
        await asyncio.sleep(0)
        assert await resolutions.look(KEY, old) is None
        while asked != ["m"]:
            await asyncio.sleep(0)
        may_answer.set()
        await asyncio.sleep(0)  # the old one's answer is there, and nobody took it
        found = None
        while found is None:
            found = await resolutions.look(KEY, new)
        running.cancel()
    assert found == Digest(text="n")
    assert asked == ["m", "n"]


async def test_a_fault_of_our_own_concerns_one_revision_only() -> None:
    async def fail(raw: Raw) -> Digest | Problem:
        raise ZeroDivisionError

    resolutions = Resolutions(fail, wake=lambda key: None, grace_s=DEADLINE_S)
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(resolutions.run())
        await asyncio.sleep(0)
        found = await resolutions.look(KEY, revision("m"))
        task.cancel()
    assert isinstance(found, Problem)
    assert found.reason == "ModelUnreadable"


async def test_how_far_a_slow_one_is_is_told() -> None:
    oracle = Oracle()
    half = Underway(message="5 of 10 bytes", has_begun=True)
    resolutions = Resolutions(
        oracle.resolve,
        wake=lambda _: oracle.woken.set(),
        grace_s=0,
        progress=lambda _: half,
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(resolutions.run())
        await asyncio.sleep(0)
        for _ in range(3):
            assert await resolutions.look(("ns", "r"), a_revision()) == half
        running.cancel()
