"""Many models behind one port, over a real socket, with real small models."""

import asyncio
import contextlib
import gc
import socket
import threading
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from onnx import helper

from predictor import config, opening, packed, serving
from predictor.packed import PackedServer
from predictor.repository import Repository
from predictor.repository_requests import State
from predictor.worker import Worker
from tests.predictor.onnx_files import build

jsonschema = pytest.importorskip("jsonschema")
HOST = "http://packed"
X = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}
BODY = {"inputs": [X]}


def identity() -> bytes:
    shape: dict[str, tuple[str, list[int | str | None]]] = {"x": ("FP32", ["n", 2])}
    node = helper.make_node("Identity", ["x"], ["y"])
    return build([node], shape, {"y": shape["x"]})


class Bench:
    def __init__(
        self,
        server: PackedServer,
        session: aiohttp.ClientSession,
        path: Path,
        connections: serving.Connections,
    ) -> None:
        self.server = server
        self.session = session
        self.path = path
        self.connections = connections

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, HOST + path, json=body) as reply:
            return reply.status, await reply.json(content_type=None)

    async def infer(self, name: str) -> tuple[int, Any]:
        return await self.ask("POST", f"/v2/models/{name}/infer", BODY)

    async def answered(self, name: str) -> None:
        """Until it is: a slow machine may take longer to open a model than a request may wait."""
        async with asyncio.timeout(20):
            while (await self.infer(name))[0] != 200:
                pass

    async def states(self) -> dict[str, str]:
        _, listed = await self.ask("POST", "/v2/repository/index")
        return {one["name"]: one["state"] for one in listed}

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Bench]]


@pytest.fixture
def start(short_path: Path) -> Start:
    @contextlib.asynccontextmanager
    async def run(*flags: str, names: str = "abc", timeout_s: float = 20) -> AsyncIterator[Bench]:
        folder = short_path / "models"
        folder.mkdir()
        for name in names:
            (folder / f"{name}.onnx").write_bytes(identity())
        settings = config.parse(["--repository", str(folder), "--prepared", "off", *flags], {})
        settings = replace(settings, timeout_s=timeout_s)
        repository = Repository(folder)
        worker = Worker(asyncio.get_running_loop())
        worker.limit(1000, lambda _: None)
        server = PackedServer(settings, repository, worker)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(short_path / "s"))
        connections = serving.Connections()
        accepting = await serving.listen(server, settings, listener, connections)
        connector = aiohttp.UnixConnector(str(short_path / "s"))
        async with aiohttp.ClientSession(connector=connector) as session:
            bench = Bench(server, session, short_path / "s", connections)
            yield bench
        await bench.until(lambda: not connections.transports and not server.is_busy)
        accepting.close()
        await accepting.wait_closed()

    return run


async def test_a_model_is_opened_when_it_is_asked_for(start: Start) -> None:
    async with start() as bench:
        assert set((await bench.states()).values()) == {"UNAVAILABLE"}
        assert await bench.ask("GET", "/v2/models/a/ready") == (200, {"name": "a", "ready": True})
        status, body = await bench.infer("a")
        assert (status, body["outputs"][0]["data"]) == (200, [1, 2])
        assert await bench.states() == {"a": "READY", "b": "UNAVAILABLE", "c": "UNAVAILABLE"}
        assert (await bench.ask("POST", "/v2/repository/index", {"ready": True}))[1] == [
            {"name": "a", "version": "", "state": "READY", "reason": ""}
        ]
        status, body = await bench.ask("GET", "/v2/models/b")
        assert body["inputs"][0]["name"] == "x", "its metadata open it as well"
        v1 = {"instances": [[1, 2]]}
        assert (await bench.ask("POST", "/v1/models/c:predict", v1))[1] == {"predictions": [[1, 2]]}


async def test_the_platform_s_questions(start: Start) -> None:
    async with start() as bench:
        assert await bench.ask("GET", "/healthz") == (200, {"ready": True})
        assert (await bench.ask("GET", "/v1/models"))[1] == {"models": ["a", "b", "c"]}
        assert (await bench.ask("GET", "/v2"))[1]["extensions"] == [
            "binary_tensor_data",
            "model_repository",
        ]
        await bench.infer("a")
        found = (await bench.ask("GET", "/relight/stats"))[1]
        assert found["models"]["a"]["requests"] == 1
        bench.server.is_draining = True
        assert (await bench.ask("GET", "/healthz"))[0] == 503
        assert (await bench.infer("b"))[0] == 200, "what comes all the same is served"


async def test_only_who_asks_for_a_model_keeps_a_leaving_replica(start: Start) -> None:
    async with start() as bench:
        asked_s = bench.server.asked_s
        assert (await bench.ask("GET", "/healthz"))[0] == 200
        assert bench.server.asked_s == asked_s, "a probe is nobody who came past the activator"
        assert (await bench.infer("a"))[0] == 200
        assert bench.server.asked_s > asked_s


async def test_the_document_tells_what_is_served(start: Start) -> None:
    async with start(names="ab") as bench:
        status, found = await bench.ask("GET", "/openapi.json")
        assert status == 200
        assert await bench.states() == {"a": "UNAVAILABLE", "b": "UNAVAILABLE"}, "none is opened"
        schemas = {"components": found["components"]}
        bodies = {
            "/v1/models/{model}:predict": {"instances": [[1, 2]]},
            "/v1/models/{model}:explain": {"instances": [[1, 2]]},
            "/v2/models/{model}/infer": BODY,
            "/v2/models/{model}/explain": BODY,
        }
        for path, item in found["paths"].items():
            ((method, operation),) = ((m, o) for m, o in item.items() if m != "parameters")
            assert ("parameters" in item) == ("{model}" in path)
            asked = bodies.get(path)
            if asked:
                schema = operation["requestBody"]["content"]["application/json"]["schema"]
                jsonschema.Draft202012Validator({**schema, **schemas}).validate(asked)
            name = "b" if path.endswith("/unload") else "a"
            reply = await bench.ask(method.upper(), path.replace("{model}", name), asked)
            assert reply[0] == 200, path
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.Draft202012Validator({**schema, **schemas}).validate(reply[1])


@pytest.mark.parametrize(
    ("path", "method"), [("/v2/models/a/ready", "GET"), ("/v2/repository/index", "POST")]
)
async def test_a_method_that_is_not_taken_is_told_which_is(
    start: Start, path: str, method: str
) -> None:
    async with start() as bench, bench.session.request("OPTIONS", HOST + path) as reply:
        assert (reply.status, reply.headers["Allow"]) == (405, method)


async def test_no_more_are_open_than_may_be_and_a_burst_is_served(start: Start) -> None:
    async with start("--models-max", "2", names="abcdef") as bench:
        names = list("abcdef") * 4
        answers = await asyncio.gather(*(bench.infer(name) for name in names))
        assert [status for status, _ in answers] == [200] * len(names)
        assert list((await bench.states()).values()).count("READY") == 2


async def test_memory_is_a_limit(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_large(settings: config.Settings, *_: Any) -> opening.Opened:
        size_bytes = 700_000 if settings.model_name == "d" else 400_000
        return replace(opening.open_measured(settings), memory_bytes=size_bytes)

    monkeypatch.setattr(packed, "open_measured", open_large)
    async with start("--models-memory-mib", "1", names="abcd") as bench:
        for name in "abc":
            assert (await bench.infer(name))[0] == 200
        assert list((await bench.states()).values()).count("READY") == 2
        assert (await bench.infer("d"))[0] == 200, "its size is known only when it is open"
        assert bench.server._packing.used_bytes <= 2**20
        assert (await bench.states())["d"] == "READY"


async def test_a_library_that_came_with_the_first_is_not_held_against_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = iter([2**21, 1000, 1000])

    def open_first_large(settings: config.Settings, *_: Any) -> opening.Opened:
        return replace(opening.open_measured(settings), memory_bytes=next(sizes))

    monkeypatch.setattr(packed, "open_measured", open_first_large)
    async with start("--models-memory-mib", "1") as bench:
        for name in "aba":
            assert (await bench.infer(name))[0] == 200
        assert bench.server._packing.used_bytes < 2**20


async def test_one_that_could_never_fit_is_told_so(start: Start) -> None:
    async with start("--models-memory-mib", "1") as bench:
        bench.server._models["a"].size_bytes, bench.server._models["a"].opens = 2**21, 2
        status, body = await bench.infer("a")
        assert status == 503
        assert "needs 2097152 bytes, and all have 1048576 together" in body["error"]


async def test_by_hand(start: Start) -> None:
    async with start() as bench:
        load, unload = (f"/v2/repository/models/a/{verb}" for verb in ("load", "unload"))
        assert await bench.ask("POST", load) == (200, {"name": "a", "load": True})
        assert await bench.ask("POST", load) == (200, {"name": "a", "load": True})
        assert (await bench.states())["a"] == "READY"
        assert await bench.ask("POST", unload) == (200, {"name": "a", "unload": True})
        assert (await bench.states())["a"] == "UNAVAILABLE"
        assert await bench.infer("a") == (503, {"error": "Model with name a is not ready."})
        assert (await bench.ask("GET", "/v2/models/a/ready"))[0] == 503
        assert (await bench.ask("POST", load))[0] == 200
        assert (await bench.infer("a"))[0] == 200
        unknown = (404, {"error": "Model with name z does not exist."})
        assert await bench.ask("POST", "/v2/repository/models/z/load") == unknown


async def test_one_that_is_being_unloaded_takes_nothing_more(start: Start) -> None:
    async with start() as bench:
        assert (await bench.infer("a"))[0] == 200
        server = bench.server._models["a"].server
        assert server is not None
        assert server.lane._worker.limits == bench.server._worker.limits
        assert server.lane._worker.limits[0] == 1000
        held = threading.Event()
        server.lane._run = lambda feeds, wanted: held.wait(20) and {"y": feeds["x"]}
        server.lane._worker.forget()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.infer("a"))
            await bench.until(lambda: server.is_busy)
            unloading = group.create_task(bench.ask("POST", "/v2/repository/models/a/unload"))
            await bench.until(lambda: bench.server._models["a"].state is State.UNLOADED)
            assert (await bench.infer("a"))[0] == 503
            held.set()
        assert running.result()[0] == 200
        assert unloading.result()[0] == 200
        assert (await bench.states())["a"] == "UNAVAILABLE"


async def test_a_damaged_model_is_told_to_whoever_asks_and_mended_ones_are_opened(
    start: Start, short_path: Path
) -> None:
    async with start() as bench:
        path = short_path / "models" / "a.onnx"
        path.write_bytes(b"damaged")
        status, body = await bench.infer("a")
        assert status == 503
        assert "the model cannot be opened" in body["error"]
        assert "a.onnx" in body["error"]
        _, listed = await bench.ask("POST", "/v2/repository/index")
        assert "a.onnx" in listed[0]["reason"]
        assert (await bench.ask("GET", "/v2/models/a/ready"))[0] == 503
        path.write_bytes(identity())
        assert (await bench.infer("a"))[0] == 200
        assert (await bench.infer("b"))[0] == 200


async def test_models_come_and_go_in_the_folder(start: Start, short_path: Path) -> None:
    async with start() as bench:
        assert (await bench.infer("new"))[0] == 404
        (short_path / "models" / "new.onnx").write_bytes(identity())
        assert (await bench.infer("new"))[0] == 200


async def test_one_whose_files_went_is_closed_and_another_s_still_opened(
    start: Start, short_path: Path
) -> None:
    async with start("--models-max", "1") as bench:
        assert (await bench.infer("a"))[0] == 200
        (short_path / "models" / "a.onnx").unlink()
        assert (await bench.infer("a"))[0] == 404
        assert bench.server._models["a"].server is None, "nobody could ask for it any more"
        assert (await bench.infer("b"))[0] == 200


async def test_files_that_go_before_or_while_they_are_opened_stop_nothing(
    start: Start, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = short_path / "models"
    there, ambiguous = folder / "a.onnx", folder / "c.skops"
    find = Repository.path

    def gone_between_two_looks(self: Repository, name: str) -> Path | None:
        found = find(self, name)
        there.unlink(missing_ok=True)
        return found

    def gone_meanwhile(settings: config.Settings, *_: Any) -> opening.Opened:
        opened = opening.open_measured(settings)
        (folder / "b.onnx").unlink()
        ambiguous.touch()  # now nobody can say what is there
        return opened

    async with start() as bench:
        monkeypatch.setattr(Repository, "path", gone_between_two_looks)
        assert (await bench.infer("a"))[0] in (404, 503)
        monkeypatch.undo()
        monkeypatch.setattr(packed, "open_measured", gone_meanwhile)
        assert (await bench.infer("b"))[0] == 503
        monkeypatch.undo()
        ambiguous.unlink()
        assert (await bench.infer("b"))[0] == 404
        assert (await bench.infer("c"))[0] == 200


async def test_one_that_can_not_be_opened_costs_the_others_nothing(
    start: Start, short_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with start("--models-max", "1") as bench:
        (short_path / "models" / "a.onnx").write_bytes(b"damaged")
        assert (await bench.infer("a"))[0] == 503
        assert (await bench.infer("b"))[0] == 200
        status, body = await bench.infer("a")
        assert (status, "a.onnx" in body["error"]) == (503, True)
        assert (await bench.states())["b"] == "READY", "nothing went for one that is known to fail"
        assert (await bench.ask("POST", "/v2/repository/models/a/load"))[0] == 503
        assert (await bench.states())["b"] == "UNAVAILABLE", "by hand it is tried at once"
        assert (await bench.infer("b"))[0] == 200
        monkeypatch.setattr(packed, "_RETRY_S", 0)
        assert (await bench.infer("a"))[0] == 503
        assert (await bench.states())["b"] == "UNAVAILABLE", "and after a while by itself"


async def test_however_many_wait_for_room_one_looks_for_it(start: Start) -> None:
    async with start("--models-max", "1") as bench:
        assert (await bench.infer("a"))[0] == 200
        server = bench.server._models["a"].server
        assert server is not None
        held = threading.Event()
        server.lane._run = lambda feeds, wanted: held.wait(20) and {"y": feeds["x"]}
        server.lane._worker.forget()
        looked = 0
        find = bench.server._packing.victims

        def victims(*given: Any, **more: Any) -> list[str] | None:
            nonlocal looked
            looked += 1
            return find(*given, **more)

        bench.server._packing.victims = victims  # type: ignore[method-assign]
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.infer("a"))
            await bench.until(lambda: server.is_busy)
            waiting = [group.create_task(bench.infer("bc"[i % 2])) for i in range(20)]
            await bench.until(lambda: sum(len(bench.server._models[n].waiting) for n in "bc") == 20)
            first = bench.server._looking
            await bench.until(lambda: bench.server._looking is not first)
            looked = 0
            await bench.until(lambda: looked >= 3)
            handle = bench.server._looking
            assert handle is not None
            assert not handle.cancelled()
            timers = looked
            await bench.until(lambda: bench.server._looking is not handle)
            assert looked == timers + 1, "one timer looks, not one for each that waits"
            held.set()
        assert {task.result()[0] for task in (running, *waiting)} == {200}


async def test_by_hand_changed_files_are_opened_anew(start: Start, short_path: Path) -> None:
    async with start() as bench:
        load = "/v2/repository/models/a/load"
        assert (await bench.infer("a"))[0] == 200
        first = bench.server._models["a"].server
        assert (await bench.ask("POST", load))[0] == 200
        assert bench.server._models["a"].server is first, "the same files: nothing to do"
        assert first is not None
        held = threading.Event()
        first.lane._run = lambda feeds, wanted: held.wait(20) and {"y": feeds["x"]}
        first.lane._worker.forget()
        (short_path / "models" / "a.onnx").write_bytes(identity().replace(b"test", b"tset"))
        async with asyncio.TaskGroup() as group:
            running = group.create_task(bench.infer("a"))
            await bench.until(lambda: first.is_busy)
            loading = group.create_task(bench.ask("POST", load))
            await bench.until(lambda: bool(bench.server._models["a"].waiting))
            assert bench.server._models["a"].server is first, "what runs is not cut off"
            held.set()
        assert running.result()[0] == 200
        assert loading.result() == (200, {"name": "a", "load": True})
        assert bench.server._models["a"].server is not first
        assert (await bench.infer("a"))[0] == 200


async def test_what_is_closed_is_freed_before_another_is_opened(start: Start) -> None:
    async with start("--models-max", "1", timeout_s=300) as bench:
        assert (await bench.infer("a"))[0] == 200, "on its thread, with a timer of 300 s"
        server = bench.server._models["a"].server
        assert server is not None
        held = weakref.ref(server._loaded.run.__self__)  # type: ignore[attr-defined]
        del server
        found: list[bool] = []
        opener = packed.open_measured

        def look(*given: Any) -> opening.Opened:
            found.append(held() is None)
            return opener(*given)

        gc.disable()
        try:
            packed.open_measured = look
            assert (await bench.infer("b"))[0] == 200
        finally:
            packed.open_measured = opener
            gc.enable()
        assert found == [True], "else a limit on memory limits nothing"


async def test_who_leaves_or_waits_too_long_is_forgotten(start: Start) -> None:
    async with start(timeout_s=0.3) as bench:
        bench.server._is_opening = True  # something that takes for ever
        status, body = await bench.infer("a")
        assert (status, "timeout" in body["error"]) == (504, True)
        asking = asyncio.ensure_future(bench.infer("b"))
        await bench.until(lambda: bool(bench.server._models["b"].waiting))
        asking.cancel()
        await asyncio.wait([asking])
        await bench.until(lambda: not bench.server._models["b"].waiting)
        bench.server._is_opening = False


async def test_one_that_does_not_return_is_given_up_and_opened_anew(start: Start) -> None:
    async with start(timeout_s=0.1) as bench:
        await bench.answered("a")
        first = bench.server._models["a"].server
        assert first is not None
        held = threading.Event()
        first.lane._run = lambda feeds, wanted: held.wait(20) and {}
        first.lane._worker.forget()
        assert (await bench.infer("a"))[0] == 504
        await bench.until(lambda: bench.server._models["a"].server is None)
        await bench.answered("a")
        held.set()
        await bench.until(lambda: not first.is_busy)


async def test_one_whose_warm_up_does_not_end_is_given_up_and_others_are_opened(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    late: list[opening.Opened] = []

    def hang(settings: config.Settings, on_stuck: Callable[[str], None]) -> opening.Opened:
        opened = opening.open_measured(settings)
        if settings.model_name == "a":
            on_stuck("/m/warmup.json: this warm-up request has not been answered for 600 s")
            held.wait(20)
            late.append(opened)
        return opened

    async with start() as bench:
        monkeypatch.setattr(packed, "open_measured", hang)
        status, body = await bench.infer("a")
        assert (status, "/m/warmup.json" in body["error"]) == (503, True)
        assert (await bench.infer("b"))[0] == 200, "on a thread that is not held up"
        assert bench.server._worker.limits[0] == 1000
        held.set()
        await bench.until(lambda: bool(late))
        assert (await bench.infer("b"))[0] == 200
        assert (await bench.states())["a"] == "UNAVAILABLE", "it came too late"
        monkeypatch.undo()
        monkeypatch.setattr(packed, "_RETRY_S", 0)
        assert (await bench.infer("a"))[0] == 503, "another thread would hang"
        assert (await bench.ask("POST", "/v2/repository/models/a/load"))[0] == 200
        assert (await bench.infer("a"))[0] == 200


async def test_other_paths_are_not_served(start: Start) -> None:
    async with start() as bench:
        assert (await bench.ask("GET", "/nowhere"))[0] == 404
        assert (await bench.ask("GET", "/v2/repository/index"))[0] == 405
        assert (await bench.ask("GET", "/v2/models/a/infer"))[0] == 405
