import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from api.kinds import PODS
from api.storage_uris import FetchFailedError
from embedded.fetchedmodels import RevisionFetch, cached, missed
from embedded.fetching import Fetched
from embedded.launching import PredictorLaunch
from embedded.modelstore import ModelError
from tests.controller.objects import a_revision
from tests.embedded.test_residence import House, house

__all__ = ["house"]
DIGEST = "sha256:" + "a" * 64


class Fetches:
    """A fetcher whose answers are given."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str]]] = []
        self.here: dict[str, str] = {}
        self.failure: FetchFailedError | None = None
        self.going = asyncio.Event()
        self.going.set()
        self.tell: Callable[[int, str], None] = lambda *_: None

    def cached(self, digest: str) -> str | None:
        return self.here.get(digest)

    async def fetch(
        self, uri: str, digest: str, env: Mapping[str, str], tell: Callable[[int, str], None]
    ) -> Fetched:
        self.asked.append((uri, digest, dict(env)))
        self.tell = tell
        await self.going.wait()
        if self.failure is not None:
            raise self.failure
        self.here[DIGEST] = "/cache/m.onnx"
        return Fetched(path="/cache/m.onnx", digest=DIGEST)


def revision(model: str = "https://h/m.onnx?sig=1", **container: Any) -> dict[str, Any]:
    made = {"name": "c", "image": "relight/predictor", "args": ["--model", model], **container}
    return a_revision(spec={"containers": [made]})


def told(_done: int, _words: str) -> None:
    pass


async def test_credentials_are_the_containers(house: House) -> None:
    fetches = Fetches()
    env = [{"name": "AWS_ACCESS_KEY_ID", "value": "k"}, {"name": "PYTHONPATH", "value": "/evil"}]
    fetch = RevisionFetch(fetches, house.around.sources)  # type: ignore[arg-type]
    assert await fetch(revision(env=env), "s3://b/m", told) == DIGEST
    assert fetches.asked == [("s3://b/m", "", {"AWS_ACCESS_KEY_ID": "k"})]
    env = [{"name": "GOOGLE_APPLICATION_CREDENTIALS", "value": "/secrets/key.json"}]
    mounts = [{"name": "v", "mountPath": "/secrets"}]
    with pytest.raises(FetchFailedError, match=r"/secrets/key\.json is in volume") as caught:
        await fetch(revision(env=env, volumeMounts=mounts), "gs://b/m", told)
    assert caught.value.is_final


async def test_a_secret_that_is_missing_is_told(house: House) -> None:
    sources = house.around.sources
    fetch = RevisionFetch(Fetches(), sources)  # type: ignore[arg-type]
    reference = {"secretKeyRef": {"name": "s3", "key": "id"}}
    made = revision(env=[{"name": "AWS_ACCESS_KEY_ID", "valueFrom": reference}])
    async with asyncio.TaskGroup() as tasks:
        following = tasks.create_task(sources.run())
        with pytest.raises(FetchFailedError, match='secret "s3" not found') as caught:
            await fetch(made, "s3://b/m", told)
        following.cancel()
    assert not caught.value.is_final


def launch(model: str = "s3://b/m", digest: str = "") -> PredictorLaunch:
    return PredictorLaunch(args=(), env={}, model=model, code="", digest=digest)


async def waiting_pod(house: House, fetches: Any) -> Any:
    around: Any = replace(house.around, fetcher=fetches)
    return await House(house.client, around, house.folder).home("a")


async def test_a_pod_waits_for_its_model_and_says_so(house: House) -> None:
    fetches = Fetches()
    fetches.going.clear()
    home = await waiting_pod(house, fetches)
    said: list[Any] = []

    async def report(state: Mapping[str, Any]) -> None:
        said.append(state["waiting"])
        if len(said) == 1:
            fetches.tell(5, "5 of 10 bytes of s3://b/m")
        else:
            fetches.going.set()

    assert await missed(launch(), {}, home, report, asyncio.Event()) is None
    assert said == [
        {"reason": "Fetching", "message": "asking s3://b/m"},
        {"reason": "Fetching", "message": "5 of 10 bytes of s3://b/m"},
    ]
    assert cached(launch(), {}, home) == "/cache/m.onnx"
    assert await missed(launch(), {}, home, report, asyncio.Event()) is None
    assert len(fetches.asked) == 1, "it has it"
    assert len((await house.client.list(PODS, "default")).items) == 1


async def test_a_pod_whose_model_is_not_fetched_ends_with_the_reason(house: House) -> None:
    fetches = Fetches()
    fetches.failure = FetchFailedError("no route", is_final=False)
    home = await waiting_pod(house, fetches)

    async def report(_: Mapping[str, Any]) -> None:
        pass

    ended = await missed(launch(), {}, home, report, asyncio.Event())
    assert ended is not None
    assert (ended["terminated"]["exitCode"], ended["terminated"]["message"]) == (1, "no route")
    with pytest.raises(ModelError, match="s3://b/m is not in the cache"):
        cached(launch(digest=DIGEST), {}, home)


async def test_a_pod_that_is_stopped_meanwhile_gives_up(house: House) -> None:
    fetches = Fetches()
    fetches.going.clear()
    home = await waiting_pod(house, fetches)
    stopping = asyncio.Event()

    async def report(_: Mapping[str, Any]) -> None:
        stopping.set()

    assert await missed(launch(), {}, home, report, stopping) is None
    assert not fetches.here


@pytest.mark.parametrize("model", ["m.onnx", "/mnt/m.onnx", "file:///m.onnx"])
async def test_what_lies_here_is_left_to_others(house: House, model: str) -> None:
    home = await waiting_pod(house, Fetches())
    stopped: Any = None
    assert await missed(launch(model), {}, home, stopped, asyncio.Event()) is None
    assert cached(launch(model), {}, home) is None
