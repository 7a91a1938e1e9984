"""Zygotes of sets of libraries: which models have one, who is forked from it, when it ends."""

import hashlib
import resource
import signal
from pathlib import Path
from typing import Any

import pytest

from api.kinds import PODS
from embedded import zygotesets
from embedded.forkedzygote import ForkedZygote
from embedded.libraries import set_of
from tests.embedded.machine import FAHRENHEIT, Machine, container_status, running

PFA = b'{"input":"double","output":"double","action":{"+":["input",1.0]}}'


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zygotesets, "START_AFTER_S", 0.0)
    monkeypatch.setattr(zygotesets, "AGAIN_FIRST_S", 0.0)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "m.pfa"
    path.write_bytes(PFA)
    return path


def digest_of(path: Path) -> str:
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()


def pinned(path: Path, name: str = "p", **more: Any) -> dict[str, Any]:
    args = ["--model", str(path), "--model-name", "m"]
    annotations = {"relight.dev/model-digest": digest_of(path)}
    return {"name": name, "args": args, "annotations": annotations, **more}


def kept(machine: Machine) -> dict[str, ForkedZygote]:
    assert machine.libraries is not None
    return machine.libraries._kept


async def ready(machine: Machine, name: str = "pfa") -> ForkedZygote:
    async def is_ready() -> bool:
        return name in kept(machine) and kept(machine)[name].is_ready

    await machine.until(is_ready, f"the zygote of {name}")
    return kept(machine)[name]


async def end(machine: Machine, name: str) -> None:
    await machine.client.delete(PODS, "default", name)

    async def is_gone() -> bool:
        return not await machine.pods()

    await machine.until(is_gone)


async def test_the_first_starts_it_and_the_second_is_forked_from_it(document: Path) -> None:
    async with running() as machine:
        await machine.create_pod(**pinned(document, "a"))
        await machine.until_ready("a")
        zygote = await ready(machine)
        assert not zygote.is_parent, "the first did not wait for it"
        await end(machine, "a")
        await machine.create_pod(**pinned(document, "b"))
        await machine.until_ready("b")
        assert zygote.is_parent
        assert b'"platform":"pfa"' in await machine.ask("b", "/v2/models/m")
        await end(machine, "b")
        assert not zygote.is_parent


async def test_limits_and_a_mount_hold_there_too(document: Path) -> None:
    limits = {"resources": {"limits": {"memory": "1Gi", "cpu": "1"}}}
    path = {"terminationMessagePath": "/tmp/rl-last-words"}
    async with running() as machine:
        await machine.create_pod(**pinned(document, "a"))
        await machine.until_ready("a")
        zygote = await ready(machine)
        await machine.create_pod(**pinned(document, "b", **limits, **path))
        await machine.until_ready("b")
        (name,) = zygote._exits
        assert name.split("/")[1] == "user-container"
        forks = Path(f"/proc/{zygote._pid}/task/{zygote._pid}/children").read_text().split()
        bounds = {resource.prlimit(int(pid), resource.RLIMIT_DATA)[0] for pid in forks}
        assert (1 << 30) + zygote.inherited_bytes in bounds
        assert zygote.inherited_bytes > 0
        assert (await machine.ask("b")).startswith(b"HTTP/1.1 200")


async def test_one_that_died_is_started_again_and_its_replicas_with_it(document: Path) -> None:
    async with running() as machine:
        await machine.create_pod(**pinned(document, "a"))
        await machine.until_ready("a")
        first = await ready(machine)
        await end(machine, "a")
        await machine.create_pod(**pinned(document, "b"))
        await machine.until_ready("b")
        machine.zygote.signal(first.name, signal.SIGKILL)
        await first.wait()
        assert await ready(machine) is not first

        async def is_started_again() -> bool:
            status = container_status(await machine.pod("b"))
            return status.get("restartCount") == 1 and status.get("ready", False)

        await machine.until(is_started_again)


async def test_it_ends_when_no_revision_has_such_a_model(
    document: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zygotesets, "LINGER_S", 0.0)
    async with running() as machine:
        await machine.create_pod(**pinned(document, "a"))
        await machine.until_ready("a")
        zygote = await ready(machine)
        assert machine.libraries is not None
        machine.libraries.keep([digest_of(document)])
        machine.libraries.keep(["sha256:another"])
        await zygote.wait()
        assert kept(machine) == {}
        assert container_status(await machine.pod("a"))["restartCount"] == 0


async def test_one_that_can_not_be_is_told_and_the_pods_are_served(
    document: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(zygotesets, "AGAIN_FIRST_S", 600.0)
    monkeypatch.setattr("predictor.libraries.SETS", {"pfa": ("no.such",)})
    async with running() as machine:
        await machine.create_pod(**pinned(document, "a"))
        await machine.until_ready("a")

        async def is_told() -> bool:
            return "no.such is a library of no format" in caplog.text

        await machine.until(is_told)
        assert kept(machine) == {}
        await end(machine, "a")
        await machine.create_pod(**pinned(document, "b"))
        await machine.until_ready("b")


async def test_others_have_none(document: Path) -> None:
    async with running() as machine:
        assert machine.libraries is not None
        for model, digest in (
            (str(document), ""),
            ("", digest_of(document)),
            (str(FAHRENHEIT), digest_of(FAHRENHEIT)),
            (str(document.parent / "gone.pfa"), "sha256:x"),
        ):
            assert await machine.libraries.zygote_for(model, digest) is machine.zygote
        assert machine.libraries._sets.next_s() is None


async def test_some_are_there_ahead() -> None:
    async with running(ahead=["pfa"]) as machine:
        zygote = await ready(machine)
        assert machine.libraries is not None
        machine.libraries.keep([])
        assert machine.libraries._sets.next_s() is None, "it stays"
        assert zygote.is_ready


FLAVOURS = [
    ("mlflow.sklearn", "sklearn"),
    ("mlflow.xgboost", "xgboost"),
    ("mlflow.onnx", ""),
    ("mlflow.prophet", "mlflow"),
]


@pytest.mark.parametrize(("loader", "expected"), FLAVOURS)
def test_an_mlflow_folder_needs_what_its_flavour_does(
    tmp_path: Path, loader: str, expected: str
) -> None:
    text = f"flavors:\n  python_function:\n    loader_module: {loader}\n"
    (tmp_path / "MLmodel").write_text(text)
    assert set_of(tmp_path) == expected


@pytest.mark.parametrize(
    "text", ["flavors: 3", "- x", "", "{", "flavors: {python_function: [1]}", "[" * 5000, "a: !b c"]
)
def test_what_is_no_mlmodel_needs_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    assert set_of(tmp_path) == ""


def test_a_model_is_recognised_by_its_content(tmp_path: Path, document: Path) -> None:
    assert set_of(document) == "pfa"
    assert set_of(FAHRENHEIT) == ""
    (tmp_path / "m.bst").write_bytes(b"tree\nversion=v4\n")
    assert set_of(tmp_path / "m.bst") == "lightgbm"
    assert set_of(tmp_path / "none.skops") == ""
