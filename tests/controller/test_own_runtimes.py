"""The runtimes a cluster gets from whoever leads, and those that were changed there."""

import asyncio
import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.kinds import CLUSTERSERVINGRUNTIMES
from cluster.direct import DirectClient
from cluster.errors import ForbiddenError, UnavailableError
from controller import own_runtimes
from embedded.apiserver import ApiServer
from embedded.store import Store

IMAGE = "registry:5000/relight/predictor:0.1.0"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[DirectClient]:
    store = Store(tmp_path / "store.db")
    yield DirectClient(ApiServer(store, clock=lambda: 1.8e9, rng=random.Random(7)))
    store.close()


async def image_of(client: DirectClient, name: str) -> str:
    found = await client.get(CLUSTERSERVINGRUNTIMES, None, name)
    return str(found["spec"]["containers"][0]["image"])


@pytest.mark.parametrize(
    ("image", "onnx", "torch"),
    [
        (IMAGE, "relight/predictor", f"{IMAGE}-torch"),
        ("relight/predictor", "relight/predictor", "relight/predictor"),
        ("relight/predictor:0.1.0-gpu", "relight/predictor", "relight/predictor:0.1.0-gpu-torch"),
        (f"relight/predictor@sha256:{'0' * 64}", "relight/predictor", "relight/predictor"),
    ],
)
def test_large_libraries_are_in_an_image_beside(image: str, onnx: str, torch: str) -> None:
    found = {each["metadata"]["name"]: each for each in own_runtimes.wanted(image)}
    assert found["relight-onnx"]["spec"]["containers"][0]["image"] == onnx
    assert found["relight-pytorch"]["spec"]["containers"][0]["image"] == torch
    assert all(name.startswith("relight-") for name in found)


async def test_absent_ones_are_made_and_changed_ones_are_kept(client: DirectClient) -> None:
    await own_runtimes.keep(client, IMAGE)
    changed = await client.get(CLUSTERSERVINGRUNTIMES, None, "relight-onnx")
    changed["spec"]["disabled"] = True
    await client.replace(CLUSTERSERVINGRUNTIMES, changed)
    await client.delete(CLUSTERSERVINGRUNTIMES, None, "relight-sklearn")
    await own_runtimes.keep(client, IMAGE)
    kept = await client.get(CLUSTERSERVINGRUNTIMES, None, "relight-onnx")
    assert kept["spec"]["disabled"] is True
    assert await image_of(client, "relight-sklearn") == "relight/predictor"


async def test_an_upgrade_brings_images_along_unless_somebody_took_over(
    client: DirectClient,
) -> None:
    await own_runtimes.keep(client, IMAGE)
    mine = await client.get(CLUSTERSERVINGRUNTIMES, None, "relight-tensorflow")
    del mine["metadata"]["labels"]
    await client.replace(CLUSTERSERVINGRUNTIMES, mine)
    other = await client.get(CLUSTERSERVINGRUNTIMES, None, "relight-huggingface")
    other["spec"]["containers"][0]["image"] = "example/own:1"
    await client.replace(CLUSTERSERVINGRUNTIMES, other)
    await own_runtimes.keep(client, "relight/predictor:0.2.0")
    assert await image_of(client, "relight-pytorch") == "relight/predictor:0.2.0-torch"
    assert await image_of(client, "relight-tensorflow") == f"{IMAGE}-tensorflow"
    assert await image_of(client, "relight-huggingface") == "example/own:1"


async def test_it_goes_on_until_the_webhook_answers(
    client: DirectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    create, failures = client.create, iter([True, True, False])

    async def reluctant(*args: Any) -> dict[str, Any]:
        if next(failures, False):
            raise UnavailableError("nobody answers the webhook")
        return await create(*args)

    monkeypatch.setattr(client, "create", reluctant)
    await own_runtimes.keep(client, IMAGE, again_s=0.001)
    assert await image_of(client, "relight-xgboost") == "relight/predictor"


async def test_what_somebody_changes_at_the_same_moment_is_kept(
    client: DirectClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await own_runtimes.keep(client, "relight/predictor:1")
    inner = client.patch

    async def patch(*args: Any, **words: Any) -> Any:
        if args[2] != "relight-pytorch":
            return await inner(*args, **words)
        monkeypatch.setattr(client, "patch", inner)
        found = await client.get(CLUSTERSERVINGRUNTIMES, None, "relight-pytorch")
        theirs = copy.deepcopy(found)
        theirs["spec"]["containers"][0]["env"] = [{"name": "THEIRS", "value": "1"}]
        await client.replace(CLUSTERSERVINGRUNTIMES, theirs)
        return await client.patch(*args, **words)

    monkeypatch.setattr(client, "patch", patch)
    await own_runtimes.keep(client, "relight/predictor:2", again_s=0.0)
    found = await client.get(CLUSTERSERVINGRUNTIMES, None, "relight-pytorch")
    [container] = found["spec"]["containers"]
    assert container["image"] == "relight/predictor:2-torch"
    assert container["env"] == [{"name": "THEIRS", "value": "1"}]


async def test_one_that_is_refused_keeps_no_other_from_being_made(
    client: DirectClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    create = client.create
    names = [each["metadata"]["name"] for each in own_runtimes.wanted(IMAGE)]

    async def particular(resource: Any, obj: Any) -> dict[str, Any]:
        if obj["metadata"]["name"] == names[0]:
            raise ForbiddenError("a policy")
        return await create(resource, obj)

    monkeypatch.setattr(client, "create", particular)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(own_runtimes.keep(client, IMAGE, again_s=0.0))
        async with asyncio.timeout(10):
            while len((await client.list(CLUSTERSERVINGRUNTIMES)).items) < len(names) - 1:
                await asyncio.sleep(0)
        assert not keeping.done()
        keeping.cancel()
    assert f"serving runtime {names[0]}: a policy" in caplog.text
