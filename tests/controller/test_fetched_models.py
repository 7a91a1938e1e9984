import asyncio
from typing import Any

from api.objects import Raw
from api.storage_uris import FetchFailedError
from controller.fetched_models import FetchedModels, Tell
from controller.pinning import Digest, Problem, Underway
from tests.controller.objects import a_revision

DIGEST = "sha256:" + "a" * 64


class Fetches:
    """A port whose answers are given."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: FetchFailedError | None = None
        self.going = asyncio.Event()
        self.going.set()
        self.tell: Tell = lambda *_: None

    async def __call__(self, revision: Raw, uri: str, tell: Tell) -> str:
        self.asked.append(uri)
        self.tell = tell
        await self.going.wait()
        if self.failure is not None:
            raise self.failure
        return DIGEST


async def nowhere(_: Any) -> Digest | Problem:
    return Digest(text="sha256:local")


def revision(model: str = "https://h/m.onnx?sig=1") -> dict[str, Any]:
    made = {"name": "c", "image": "relight/predictor", "args": ["--model", model]}
    return a_revision(spec={"containers": [made]})


async def test_a_digest_is_found_by_fetching() -> None:
    fetches = Fetches()
    digests = FetchedModels(fetches, nowhere)
    found = await digests.resolve(revision())
    assert found == Digest(text=DIGEST, told=f"Fetched https://h/m.onnx?… ({DIGEST})")
    assert await digests.resolve(revision("m.onnx")) == Digest(text="sha256:local")
    assert fetches.asked == ["https://h/m.onnx?sig=1"]


async def test_how_far_it_is_can_be_asked() -> None:
    fetches = Fetches()
    fetches.going.clear()
    digests = FetchedModels(fetches, nowhere)
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(digests.resolve(revision()))
        while not fetches.asked:
            await asyncio.sleep(0)
        asking = Underway(message="asking https://h/m.onnx?…", has_begun=False)
        assert digests.progress(revision()) == asking
        fetches.tell(5, "5 of 10 bytes")
        assert digests.progress(revision()) == Underway(message="5 of 10 bytes", has_begun=True)
        fetches.going.set()
    assert isinstance(asked.result(), Digest)
    assert digests.progress(revision()) is None


async def test_what_may_pass_is_tried_again_later_and_what_can_not_is_not() -> None:
    fetches = Fetches()
    fetches.failure = FetchFailedError("no route", is_final=False)
    digests = FetchedModels(fetches, nowhere)
    first = await digests.resolve(revision())
    assert first == Problem(reason="ModelFetchFailed", message="no route", retry_s=5.0)
    soon = await digests.resolve(revision())
    assert isinstance(soon, Problem)
    assert soon.message == "no route"
    assert len(fetches.asked) == 1, "not before its time"
    _make_due(digests)
    again = await digests.resolve(revision())
    assert isinstance(again, Problem)
    assert again.retry_s == 10.0
    _make_due(digests)
    fetches.failure = FetchFailedError("another digest", is_final=True)
    last = await digests.resolve(revision())
    assert last == Problem(reason="ModelFetchFailed", message="another digest", retry_s=None)
    assert await digests.resolve(revision()) == last
    assert len(fetches.asked) == 3


def _make_due(digests: FetchedModels) -> None:
    for failure in digests._failures.values():
        failure.due_s = 0.0
