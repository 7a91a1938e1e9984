"""The server over a real socket, with models that do as the test says."""

import asyncio
import contextlib
import gzip
import socket
import threading
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from api import load_reports
from predictor import config, serving
from predictor.errors import Fault, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec
from predictor.server import Server
from predictor.worker import Worker
from tests.predictor.talking import Reply, infer_body, read_reply, request

X = TensorSpec(name="x", datatype="FP32", shape=(-1, 2))
INFER = "/v2/models/m/infer"
BODY = infer_body([[1.0, 2.0]])
DIGEST = "sha256:" + "d" * 64


class Doubler:
    """y = 2x, once `go` is set; `failing` makes it raise."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.runs = 0
        self.failing: Exception | None = None

    def __call__(
        self, feeds: dict[str, Tensor], wanted: tuple[str, ...] | None
    ) -> Mapping[str, Tensor]:
        assert self.go.wait(20)
        self.runs += 1
        if self.failing is not None:
            raise self.failing
        return {"y": feeds["x"] * 2}


class Bench:
    """One served model and connections to it."""

    def __init__(self, server: Server, model: Doubler, path: Path, worker: Worker) -> None:
        self.server = server
        self.model = model
        self.worker = worker
        self.path = path
        self.connections = serving.Connections()
        self.writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_unix_connection(str(self.path))
        self.writers.append(writer)
        return reader, writer

    async def send(self, data: bytes) -> asyncio.StreamReader:
        """Send on a connection of its own."""
        reader, writer = await self.connect()
        writer.write(data)
        return reader

    async def ask(self, data: bytes) -> Reply:
        return await read_reply(await self.send(data), has_body=not data.startswith(b"HEAD"))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)


Start = Callable[..., contextlib.AbstractAsyncContextManager[Bench]]


@pytest.fixture
def start(short_path: Path) -> Start:
    @contextlib.asynccontextmanager
    async def run(
        *arguments: str,
        concurrency: int = 0,
        timeout_s: float = 10,
        facts: Mapping[str, object] | None = None,
        **environment: str,
    ) -> AsyncIterator[Bench]:
        environment = {"K_REVISION": "m-00001", **environment}
        settings = config.parse(["--model", "m.onnx", *arguments], environment)
        settings = replace(settings, container_concurrency=concurrency, timeout_s=timeout_s)
        model = Doubler()
        signature = Signature(inputs=[X], outputs=[replace(X, name="y")])
        loaded = Loaded(
            run=model,
            signature=signature,
            described=signature,
            digest=DIGEST,
            provider="CPUExecutionProvider",
            platform="onnx_onnxv1",
            facts={"execution_provider": "CPUExecutionProvider", **(facts or {})},
        )
        worker = Worker(asyncio.get_running_loop())
        server = Server(settings, loaded, worker, start_timing="fork;dur=1.00, load;dur=2.00")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(short_path / "s"))
        bench = Bench(server, model, short_path / "s", worker)
        connections = bench.connections
        accepting = await serving.listen(server, settings, listener, connections)
        yield bench
        model.go.set()
        for writer in bench.writers:
            writer.close()
        await bench.until(lambda: not connections.transports and not server.is_busy)
        accepting.close()
        await accepting.wait_closed()

    return run


async def test_v2_and_v1_answer_with_who_answered(start: Start) -> None:
    async with start() as bench:
        first = await bench.ask(request("POST", INFER, BODY))
        assert first.status == 200
        assert first.json["outputs"][0]["data"] == [2, 4]
        assert first.headers["relight-revision"] == "m-00001"
        assert first.headers["relight-model-digest"] == DIGEST
        assert first.headers["content-type"] == "application/json"
        timing = first.headers["server-timing"]
        assert timing.startswith("fork;dur=1.00, load;dur=2.00, run;dur=")
        second = await bench.ask(request("POST", "/v1/models/m:predict", b'{"instances":[[3,4]]}'))
        assert second.json == {"predictions": [[6, 8]]}
        assert second.headers["server-timing"].startswith("run;dur=")


@pytest.mark.parametrize(
    ("path", "json"),
    [
        ("/", {"status": "alive"}),
        ("/healthz", {"ready": True}),
        ("/v1/models", {"models": ["m"]}),
        ("/v1/models/m", {"name": "m", "ready": True}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["m"]}),
        ("/v2/models/m/ready", {"name": "m", "ready": True}),
        ("/v2/models/m/versions/m-00001/ready?x=1", {"name": "m", "ready": True}),
    ],
)
async def test_what_is_told(start: Start, path: str, json: Any) -> None:
    async with start() as bench:
        reply = await bench.ask(request("GET", path))
        assert (reply.status, reply.json) == (200, json)
        assert reply.headers["relight-revision"] == "m-00001"
        assert (await bench.ask(request("HEAD", path))).status == 200


async def test_who_is_not_asked_to_explain_makes_nothing_for_it(start: Start) -> None:
    async with start() as bench:
        for path in ("/v2/health/ready", "/v2/models/m", "/relight/stats"):
            await bench.ask(request("GET", path))
        await bench.ask(request("POST", INFER, BODY))
        assert not bench.server._explain
        await bench.ask(request("POST", "/v2/models/m/explain", BODY))
        assert bench.server._explain


async def test_a_signature_goes_by_its_own_name_too(start: Start) -> None:
    asked = {
        name: b'{"instances":[[1,2]],"signature_name":"%b"}' % name for name in (b"own", b"no")
    }
    async with start(facts={"signature_name": "own"}) as bench:
        path = "/v1/models/m:predict"
        assert (await bench.ask(request("POST", path, asked[b"own"]))).status == 200
        refused = await bench.ask(request("POST", path, asked[b"no"]))
        assert refused.status == 400
        assert "expected 'serving_default' or 'own', got 'no'" in refused.json["error"]


async def test_the_default_signature_is_not_served_as_another(start: Start) -> None:
    several = {"signature_name": "own", "signature_names": ["own", "serving_default"]}
    asked = b'{"instances":[[1,2]],"signature_name":"serving_default"}'
    async with start(facts=several) as bench:
        refused = await bench.ask(request("POST", "/v1/models/m:predict", asked))
        assert refused.status == 400
        assert "expected 'own', got 'serving_default'" in refused.json["error"]


async def test_metadata_tells_the_provider_that_is_used(start: Start) -> None:
    async with start() as bench:
        found = (await bench.ask(request("GET", "/v2/models/m"))).json
        assert found["parameters"] == {"execution_provider": "CPUExecutionProvider"}
        assert found["platform"] == "onnx_onnxv1"
        assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
        server = (await bench.ask(request("GET", "/v2"))).json
        assert server["name"] == "relight"
        assert "binary_tensor_data" in server["extensions"]


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (request("POST", INFER, b"{"), 400, "the body is not JSON"),
        (request("POST", INFER, b'{"inputs":[]}'), 400, "missing input 'x'"),
        (request("POST", "/v1/models/m:predict", b"[]"), 400, "must be a JSON object"),
        (request("POST", "/v2/models/q/infer", BODY), 404, "Model with name q does not exist."),
        (request("GET", "/nope"), 404, "nothing is served at /nope"),
        (request("GET", INFER), 405, "takes POST, not GET"),
        (request("POST", "/v2/health/ready"), 405, "takes GET, not POST"),
        (request("POST", INFER, b"x" * 3000), 413, "larger than"),
        (request("POST", INFER, BODY, content_encoding="br"), 415, "'br' is not served: expected"),
        (request("POST", INFER, BODY, content_encoding="gzip"), 400, "the body is not gzip"),
        (
            request("POST", INFER, gzip.compress(b" " * 2001, mtime=0), content_encoding="gzip"),
            413,
            "the body is larger than 2000 bytes",
        ),
        (
            request("POST", INFER, BODY, inference_header_content_length="10"),
            400,
            "the body is not JSON",
        ),
    ],
)
async def test_refusals(start: Start, data: bytes, status: int, said: str) -> None:
    async with start("--max-body-bytes", "2000") as bench:
        reply = await bench.ask(data)
        assert reply.status == status
        assert said in reply.json["error"]
        assert bench.model.runs == 0
        if status == 405:
            assert reply.headers["allow"] in ("GET", "POST")
        if status == 415:
            assert reply.headers["accept-encoding"] == "zstd, gzip, deflate"


async def test_a_missing_content_type_and_an_identity_encoding_are_fine(start: Start) -> None:
    async with start() as bench:
        data = request("POST", INFER, BODY, content_encoding="identity")
        assert (await bench.ask(data)).status == 200


async def test_binary_tensors_go_in_and_out_compressed_both_ways(start: Start) -> None:
    rows = np.ones((1000, 2), np.float32)
    sizes = {"name": "x", "shape": [1000, 2], "datatype": "FP32"}
    tensor = {**sizes, "parameters": {"binary_data_size": rows.nbytes}}
    head = orjson.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    length = str(len(head))
    async with start() as bench:
        data = request(
            "POST",
            INFER,
            gzip.compress(head + rows.tobytes(), mtime=0),
            content_encoding="gzip",
            accept_encoding="deflate, gzip;q=0.5",
            inference_header_content_length=length,
        )
        reply = await bench.ask(data)
        assert reply.status == 200
        assert reply.headers["content-encoding"] == "deflate"
        assert reply.headers["vary"] == "accept-encoding"
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["relight-revision"] == "m-00001"
        body = zlib.decompress(reply.body)
        end = int(reply.headers["inference-header-content-length"])
        (output,) = orjson.loads(body[:end])["outputs"]
        assert output == {**sizes, "name": "y", "parameters": {"binary_data_size": 8000}}
        assert np.array_equal(np.frombuffer(body[end:], np.float32).reshape(1000, 2), rows * 2)


async def test_small_answers_and_those_nobody_asks_so_are_not_compressed(start: Start) -> None:
    async with start() as bench:
        small = await bench.ask(request("POST", INFER, BODY, accept_encoding="gzip"))
        assert "content-encoding" not in small.headers
        large = await bench.ask(request("POST", INFER, infer_body([[1.0, 2.0]] * 1000)))
        assert "content-encoding" not in large.headers


async def test_an_event_is_answered_as_an_event(start: Start) -> None:
    async with start() as bench:
        path, body = "/v1/models/m:predict", b'{"instances":[[3,4]]}'
        about = {"ce_specversion": "1.0", "ce_id": "1", "ce_source": "/me", "ce_type": "ask"}
        binary = await bench.ask(request("POST", path, body, **about))
        assert (binary.status, binary.json) == (200, {"predictions": [[6, 8]]})
        assert binary.headers["ce-type"] == "io.kserve.inference.response"
        assert binary.headers["ce-source"] == "io.kserve.inference.m"
        assert binary.headers["ce-id"] not in ("", "1")
        assert binary.headers["content-type"] == "application/json"
        envelope = b'{"specversion":"1.0","id":"1","source":"/me","type":"t","data":%b}' % body
        media = "application/cloudevents+json"
        answer = await bench.ask(request("POST", path, envelope, content_type=media))
        assert answer.json["data"] == {"predictions": [[6, 8]]}
        assert answer.headers["content-type"] == media
        wrong = await bench.ask(request("POST", path, body, content_type=media))
        assert (wrong.status, wrong.headers["content-type"]) == (400, "application/json")


async def test_a_body_in_pieces_and_in_chunks(start: Start) -> None:
    async with start() as bench:
        reader, writer = await bench.connect()
        data = request("POST", INFER, BODY)
        for size in range(0, len(data), 40):
            writer.write(data[size : size + 40])
            await asyncio.sleep(0)
        assert (await read_reply(reader)).status == 200
        head = b"POST %b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n" % INFER.encode()
        writer.write(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
        assert (await read_reply(reader)).json["outputs"][0]["data"] == [2, 4]


async def test_what_the_model_raises_is_500_and_it_serves_on(start: Start) -> None:
    async with start() as bench:
        bench.model.failing = RequestError(Fault.MODEL_RAISED, kind="Boom")
        assert (await bench.ask(request("POST", INFER, BODY))).status == 500
        bench.model.failing = KeyError("secret")
        reply = await bench.ask(request("POST", INFER, BODY))
        assert reply.status == 500
        assert b"secret" not in reply.body
        bench.model.failing = None
        assert (await bench.ask(request("POST", INFER, BODY))).status == 200


async def test_an_answer_that_cannot_be_sent_is_500(start: Start) -> None:
    async with start() as bench:
        bench.server.lane._run = lambda feeds, wanted: {"y": np.array([1j])}
        reply = await bench.ask(request("POST", INFER, BODY))
        assert reply.status == 500
        assert "output 'y' holds complex128" in reply.json["error"]


async def test_a_bug_of_ours_is_500_and_frees_its_slot(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise KeyError("secret")

    async with start(concurrency=1) as bench:
        for method in ("decode", "encode"):
            with monkeypatch.context() as patch:
                patch.setattr(type(bench.server._v2), method, fail)
                reply = await bench.ask(request("POST", INFER, BODY))
                assert reply.status == 500
                assert b"secret" not in reply.body
        assert (await bench.ask(request("POST", INFER, BODY))).status == 200


async def test_the_limit_queues_ten_and_refuses_the_twelfth(start: Start) -> None:
    async with start(concurrency=1) as bench:
        bench.model.go.clear()
        waiting = [await bench.send(request("POST", INFER, BODY)) for _ in range(11)]
        await bench.until(lambda: bench.server.lane._gate.statistics().queued == 10)
        refused = await bench.ask(request("POST", INFER, BODY))
        assert refused.status == 503
        assert refused.json == {"error": "pending request queue full"}
        assert (await bench.ask(request("GET", "/v2/health/ready"))).status == 200
        bench.model.go.set()
        for reader in waiting:
            assert (await read_reply(reader)).status == 200
        assert bench.server.lane._gate.statistics().running == 0


async def test_a_client_that_leaves_the_queue_is_not_run(start: Start) -> None:
    async with start(concurrency=1) as bench:
        bench.model.go.clear()
        first = await bench.send(request("POST", INFER, BODY))
        await bench.send(request("POST", INFER, BODY))
        await bench.until(lambda: bench.server.lane._gate.statistics().queued == 1)
        bench.writers[-1].close()
        await bench.until(lambda: bench.server.lane._gate.statistics().queued == 0)
        bench.model.go.set()
        assert (await read_reply(first)).status == 200
        assert bench.model.runs == 1
        assert bench.server.lane.stats.in_flight == 0


async def test_a_client_that_leaves_its_run_frees_the_slot_when_the_run_ends(start: Start) -> None:
    async with start(concurrency=1) as bench:
        bench.model.go.clear()
        await bench.send(request("POST", INFER, BODY))
        await bench.until(lambda: bench.server.lane._gate.running == 1)
        bench.writers[-1].close()
        await bench.until(lambda: bench.server.lane.stats.in_flight == 0)
        assert bench.server.lane._gate.running == 1
        bench.model.go.set()
        await bench.until(lambda: bench.server.lane._gate.running == 0)
        assert (await bench.ask(request("POST", INFER, BODY))).status == 200


async def test_a_client_that_leaves_before_its_body_is_forgotten(start: Start) -> None:
    async with start() as bench:
        await bench.send(request("POST", INFER, BODY)[:-5])
        await bench.until(lambda: bench.server.lane.stats.in_flight == 1)
        bench.writers[-1].close()
        await bench.until(lambda: bench.server.lane.stats.in_flight == 0)
        assert bench.server.lane._gate.running == 0


async def test_timeouts_of_the_run_the_queue_and_the_body(start: Start) -> None:
    async with start(concurrency=1, timeout_s=0.05) as bench:
        bench.model.go.clear()
        running = await bench.send(request("POST", INFER, BODY))
        await bench.until(lambda: bench.server.lane._gate.running == 1)
        queued = await bench.send(request("POST", INFER, BODY))
        sending = await bench.send(request("POST", INFER, BODY)[:-5])
        for reader in (running, queued, sending):
            reply = await read_reply(reader)
            assert reply.status == 504
            assert "no answer within the revision's timeout of 0.05 s" in reply.json["error"]
        assert bench.server.lane._gate.running == 1, "the abandoned run keeps its slot"
        bench.model.go.set()
        await bench.until(lambda: bench.server.lane._gate.running == 0)
        assert bench.model.runs == 1
        bench.server.lane._settings = replace(bench.server.lane._settings, timeout_s=20)
        assert (await bench.ask(request("POST", INFER, BODY))).status == 200


async def test_the_load_is_told_with_the_activators_part_apart(start: Start) -> None:
    async with start(concurrency=2) as bench:
        await bench.ask(request("POST", INFER, BODY))
        await bench.ask(request("POST", INFER, BODY, k_proxy_request="activator"))
        bench.model.go.clear()
        bench.worker.forget()
        held = await bench.send(request("POST", INFER, BODY, k_proxy_request="activator"))
        await bench.until(lambda: bench.server.lane._gate.running == 1)
        found = (await bench.ask(request("GET", "/relight/stats"))).json
        assert (found["requests"], found["proxied_requests"]) == (3, 2)
        assert (found["in_flight"], found["proxied_in_flight"]) == (1, 1)
        assert (found["running"], found["running_max"], found["queued_max"]) == (1, 2, 20)
        assert found["concurrency_seconds"] >= found["proxied_concurrency_seconds"] > 0
        bench.model.go.set()
        assert (await read_reply(held)).status == 200


async def test_while_draining_it_serves_closes_and_says_it_is_not_ready(start: Start) -> None:
    async with start() as bench:
        bench.server.is_draining = True
        reply = await bench.ask(request("POST", INFER, BODY))
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        for path in ("/v2/health/ready", "/healthz", "/v1/models/m", "/v2/models/m/ready"):
            reply = await bench.ask(request("GET", path))
            assert (reply.status, reply.json["ready"]) == (503, False)
        assert (await bench.ask(request("GET", "/v2/health/live"))).status == 200


async def test_pipelined_requests_are_answered_in_order(start: Start) -> None:
    async with start(concurrency=1) as bench:
        bodies = [infer_body([[float(number), 0.0]]) for number in range(5)]
        reader = await bench.send(b"".join(request("POST", INFER, body) for body in bodies))
        for number in range(5):
            assert (await read_reply(reader)).json["outputs"][0]["data"][0] == 2 * number


async def test_the_load_is_in_the_answers_of_those_who_ask(start: Start) -> None:
    async with start() as bench:
        bench.model.go.clear()
        asking = {"endpoint_load_metrics_format": "text"}
        readers = [await bench.send(request("POST", INFER, BODY, **asking)) for _ in range(2)]
        await bench.until(lambda: bench.server.lane.stats.in_flight == 2)
        loop = asyncio.get_running_loop()
        both_here_s = loop.time()
        await bench.until(lambda: loop.time() > both_here_s + 0.02)
        bench.model.go.set()
        replies = [await read_reply(reader) for reader in readers]
        reports = [load_reports.read(r.headers["endpoint-load-metrics"].encode()) for r in replies]
        delays = sorted(report.queue_delay_s or 0.0 for report in reports)
        assert delays[-1] >= 0.019  # the one behind waited for the run before it
        unasked = await bench.ask(request("POST", INFER, BODY))
        assert "endpoint-load-metrics" not in unasked.headers


@pytest.mark.parametrize(
    ("path", "body", "status", "json"),
    [
        (
            "index",
            b"",
            200,
            [{"name": "m", "version": "m-00001", "state": "READY", "reason": ""}],
        ),
        ("models/m/load", b"{}", 200, {"name": "m", "load": True}),
        ("models/x/load", b"", 404, {"error": "Model with name x does not exist."}),
        ("index", b'{"x":1}', 400, {"error": "unknown field 'x'"}),
        ("index", b"[" * 70_000, 413, {"error": "the body is larger than 65536 bytes"}),
    ],
)
async def test_the_repository_extension_of_one_model(
    start: Start, path: str, body: bytes, status: int, json: Any
) -> None:
    async with start() as bench:
        answer = await bench.ask(request("POST", f"/v2/repository/{path}", body))
        assert (answer.status, answer.json) == (status, json)


async def test_one_model_is_not_unloaded_by_hand_and_a_late_body_is_waited_for(
    start: Start,
) -> None:
    async with start() as bench:
        answer = await bench.ask(request("POST", "/v2/repository/models/m/unload"))
        assert answer.status == 501
        whole = request("POST", "/v2/repository/index", b'{"ready": true}')
        reader, writer = await bench.connect()
        writer.write(whole[:-5])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(whole[-5:])
        assert len((await read_reply(reader)).json) == 1
        bench.server.is_draining = True
        assert (await bench.ask(whole)).json == []
