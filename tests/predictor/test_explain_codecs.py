"""Explanations over a real socket, as both protocols ask for them."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from predictor.errors import Fault, RequestError
from predictor.model import Signature, Tensor, TensorSpec
from tests.predictor import explain_bench
from tests.predictor.explain_bench import MATRIX, linear, model

V1 = "/v1/models/m:explain"
V2 = "/v2/models/m/explain"
ROW = [1.0, 2.0, 4.0]
EXPECTED = {"x[0]": 1.0, "x[1]": -4.0, "x[2]": 2.0}
DECLARED = {"signature": MATRIX, "described": MATRIX}


def v2_body(row: Any = ROW, **fields: Any) -> dict[str, Any]:
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, len(row)], "data": row}
    return {"inputs": [tensor], **fields}


async def test_both_protocols_and_a_version(short_path: Path) -> None:
    async with explain_bench.start(short_path, model(linear, **DECLARED)) as bench:
        status, body = await bench.post(V1, {"instances": [ROW, ROW]})
        assert (status, list(body)) == (200, ["explanations"])
        assert [one["row"] for one in body["explanations"]] == [0, 1]
        found = body["explanations"][0]
        assert found["attributions"] == pytest.approx(EXPECTED)
        assert found["method"] == "exact_shapley"
        assert found["base_value"] + sum(EXPECTED.values()) == found["prediction"] == 2.0
        assert found["is_additive"]
        assert (await bench.post(V1, {"inputs": {"x": [ROW]}}))[1] == {"explanations": [found]}
        for path in (V2, "/v2/models/m/versions/m-1/explain", V2 + "/"):
            status, body = await bench.post(path, v2_body(id="a"))
            assert status == 200
            head = {name: body[name] for name in ("model_name", "model_version", "id")}
            assert head == {"model_name": "m", "model_version": "m-1", "id": "a"}
            assert body["explanations"] == [found]
        stats = bench.server.lane.statistics()
        assert stats["in_flight"] == stats["running"] == 0


async def test_parameters_of_both(short_path: Path) -> None:
    parameters = {"baseline": [[1, 1, 1]], "method": "permutation", "output": "y"}
    async with explain_bench.start(short_path, model(linear, **DECLARED)) as bench:
        for path, body in (
            (V1, {"instances": [ROW], "parameters": parameters}),
            (V2, v2_body(parameters=parameters | {"content_type": "np"})),
        ):
            status, found = await bench.post(path, body)
            assert status == 200
            assert found["explanations"][0]["baseline"] == "parameters.baseline, 1 row"
            assert found["explanations"][0]["attributions"]["x[1]"] == pytest.approx(-2.0)


async def test_binary_tensors(short_path: Path) -> None:
    raw = np.array([ROW]).tobytes()
    async with explain_bench.start(short_path, model(linear, **DECLARED)) as bench:
        head = (
            b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,3],'
            b'"parameters":{"binary_data_size":24}}],"parameters":{"seed":1}}'
        )
        length = {"Inference-Header-Content-Length": str(len(head))}
        status, body = await bench.post(V2, head + raw, **length)
        assert (status, body["explanations"][0]["prediction"]) == (200, 2.0)
        status, body = await bench.post(V2, raw, **{"Inference-Header-Content-Length": "0"})
        assert (status, body["explanations"][0]["prediction"]) == (200, 2.0)
        outputs = [{"name": "y", "parameters": {"binary_data": True}}]
        status, body = await bench.post(V2, v2_body(outputs=outputs))
        assert (status, body["error"][:19]) == (400, "outputs.parameters:")


IMAGES = Signature(
    inputs=[TensorSpec(name="image", datatype="FP32", shape=(-1, 3, 4, 4))],
    outputs=[TensorSpec(name="y", datatype="FP32", shape=(-1,))],
)
TEXTS = Signature(
    inputs=[TensorSpec(name="text", datatype="BYTES", shape=(-1,))],
    outputs=[TensorSpec(name="y", datatype="FP64", shape=(-1,))],
)


async def test_images_in_both_protocols(short_path: Path) -> None:
    def bright(image: Tensor) -> Tensor:
        return image.mean(axis=(1, 2, 3))

    image = np.zeros((3, 4, 4), np.float32)
    image[:, :2, 2:] = 1
    loaded = model(bright, signature=IMAGES, described=IMAGES)
    parameters = {"features": 4}
    async with explain_bench.start(short_path, loaded) as bench:
        body = {"instances": [image.tolist()], "parameters": parameters}
        status, answer = await bench.post(V1, body)
        assert status == 200
        (found,) = answer["explanations"]
        assert found["attributions"] == {"image": [[[0, 0.25], [0, 0]]]}
        edges = [[0, 3], [0, 2, 4], [0, 2, 4]]
        blocks = {"shape": [3, 4, 4], "grid": [1, 2, 2], "edges": edges}
        assert found["blocks"] == {"image": blocks}
        tensor = {"name": "image", "datatype": "FP32", "shape": [1, 3, 4, 4]}
        plain = {**tensor, "data": image.ravel().tolist()}
        for one in (parameters, {"grid": [1, 2, 2]}, {"grid": {"image": [1, 2, 2]}}):
            status, answer = await bench.post(V2, {"inputs": [plain], "parameters": one})
            assert (status, answer["explanations"]) == (200, [found])
        raw = {**tensor, "parameters": {"binary_data_size": image.nbytes}}
        head = orjson.dumps({"inputs": [raw], "parameters": parameters})
        length = {"Inference-Header-Content-Length": str(len(head))}
        status, answer = await bench.post(V2, head + image.tobytes(), **length)
        assert (status, answer["explanations"]) == (200, [found])
        for wrong, said in (
            ({"grid": [2, 2]}, "parameters.grid of input 'image': expected 3 numbers"),
            ({"grid": {"picture": [1, 2, 2]}}, "parameters.grid: expected names of inputs"),
            ({"baseline": [1.0]}, "parameters.baseline: expected a number, an item nested 3"),
            ({"unit": "word"}, "parameters.unit: expected an input of text, got numbers"),
            ({"samples": 2, "grid": [3, 4, 4]}, "parameters.samples: expected at least"),
        ):
            status, answer = await bench.post(V2, {"inputs": [plain], "parameters": wrong})
            assert (status, answer["error"][: len(said)]) == (400, said)


async def test_texts_in_both_protocols(short_path: Path) -> None:
    def good(text: Tensor) -> Tensor:
        return np.array([each.split().count("good") for each in text], float)

    loaded = model(good, signature=TEXTS, described=TEXTS)
    async with explain_bench.start(short_path, loaded, batch_size_max=4) as bench:
        tensor = {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["a good film"]}
        for path, body in ((V1, {"instances": ["a good film"]}), (V2, {"inputs": [tensor]})):
            status, answer = await bench.post(path, body)
            (found,) = answer["explanations"]
            assert (status, found["words"]) == (200, {"text": ["a", "good", "film"]})
            assert found["attributions"] == {"text": [0, 1, 0]}
            assert found["baseline"] == "words left out"
            status, answer = await bench.post(path, {**body, "parameters": {"unit": "column"}})
            assert (status, "'text' is text, for which zero" in answer["error"]) == (400, True)
        tensor["data"] = [{"b64": "/w=="}]
        status, answer = await bench.post(V1, {"instances": tensor["data"]})
        assert (status, "bytes that are no text" in answer["error"]) == (400, True)


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        (V1, {"instances": [[1.0, 2.0]]}, 400, "input 'x': expected shape [-1, 3]"),
        (V1, {"instances": []}, 400, "instances: expected a list of rows, got an empty list"),
        (V1, {"instances": [ROW], "rows": 1}, 400, "unknown field 'rows'"),
        (V1, {"instances": [ROW], "parameters": {"budget": 1}}, 400, "parameters.budget:"),
        (V2, v2_body(parameters={"samples": 0}), 400, "parameters.samples: expected a whole"),
        (V2, v2_body(parameters={"seeds": 0}), 400, "parameters.seeds: expected one of"),
        (V2, v2_body(parameters={"baseline": [1]}), 400, "parameters.baseline: expected a row"),
        (V2, v2_body(outputs=[{"name": "z"}]), 400, "unknown output 'z': the model gives y"),
        (V2, v2_body([1.0, 2.0, "a"]), 400, "input 'x': expected numbers"),
        (V1, b"{", 400, "the body is not JSON"),
        ("/v1/models/n:explain", {}, 404, "Model with name n does not exist."),
        ("/v2/models/m/versions/2/explain", {}, 404, "Model m has no version '2' here"),
    ],
)
async def test_refusals(short_path: Path, path: str, body: Any, status: int, said: str) -> None:
    async with explain_bench.start(short_path, model(linear, **DECLARED)) as bench:
        found, answer = await bench.post(path, body)
        assert (found, answer["error"][: len(said)]) == (status, said)
        assert (await bench.post(V1, {"instances": [ROW]}))[0] == 200
        async with bench.session.get(explain_bench.HOST + V1) as reply:
            assert (reply.status, reply.headers["allow"]) == (405, "POST")


async def test_parts_ride_in_batches_and_other_requests_between_them(short_path: Path) -> None:
    sizes = []

    def counting(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return linear(x)

    loaded = model(counting, **DECLARED)
    async with explain_bench.start(short_path, loaded, batch_size_max=4) as bench:
        asked = {"instances": [ROW], "parameters": {"baseline": [[0, 0, 0]] * 50}}
        explained, predicted = await asyncio.gather(
            bench.post(V1, asked),
            *(bench.post("/v1/models/m:predict", {"instances": [ROW]}) for _ in range(1)),
        )
        assert explained[1]["explanations"][0]["attributions"] == pytest.approx(EXPECTED)
        assert predicted == (200, {"predictions": [2.0]})
        assert max(sizes) == 4
        assert sum(sizes) >= 400


async def test_another_request_is_answered_while_one_is_explained(short_path: Path) -> None:
    go, seen = threading.Event(), threading.Event()

    def held(x: Tensor) -> Tensor:
        if (x[:, 1] == 7).any() and (x[:, 0] == 0).any():  # a mixture, of the first only
            seen.set()
            assert go.wait(20)
        return linear(x)

    async with explain_bench.start(short_path, model(held, **DECLARED)) as bench:
        async with asyncio.TaskGroup() as group:
            asked = {"instances": [[1.0, 7.0, 4.0]], "parameters": {"baseline": [[0, 0, 0]] * 100}}
            first = group.create_task(bench.post(V1, asked))
            await bench.until(seen.is_set)
            second = group.create_task(bench.post("/v1/models/m:predict", {"instances": [ROW]}))
            await bench.until(lambda: bench.server.lane.statistics()["in_flight"] == 2)
            go.set()
            assert (await second)[0] == 200
            assert not first.done() or first.result()[0] == 200
        assert first.result()[0] == 200


@pytest.mark.parametrize("batch_size_max", [0, 16])
async def test_a_client_that_leaves_stops_it(short_path: Path, batch_size_max: int) -> None:
    go, seen, calls = threading.Event(), threading.Event(), []

    def held(x: Tensor) -> Tensor:
        calls.append(len(x))
        time.sleep(0.003)  # not quick enough to run on the loop
        if len(calls) > 1:
            seen.set()
            assert go.wait(20)
        return linear(x)

    async with explain_bench.start(
        short_path, model(held, **DECLARED), concurrency=1, batch_size_max=batch_size_max
    ) as bench:
        asked = {"instances": [ROW], "parameters": {"baseline": [[0, 0, 0]] * 100}}
        async with asyncio.TaskGroup() as group:
            call = group.create_task(bench.post(V1, asked))
            await bench.until(seen.is_set)
            call.cancel()
        await bench.until(lambda: bench.server.lane.statistics()["in_flight"] == 0)
        go.set()
        await bench.until(lambda: not bench.server.is_busy)
        assert len(calls) == 2
        assert (await bench.post("/v1/models/m:predict", {"instances": [ROW]}))[0] == 200


async def test_the_timeout_ends_it(short_path: Path) -> None:
    go, calls = threading.Event(), []

    def held(x: Tensor) -> Tensor:
        calls.append(len(x))
        assert len(calls) < 2 or go.wait(20)
        return linear(x)

    loaded = model(held, **DECLARED)
    async with explain_bench.start(short_path, loaded, timeout_s=0.1) as bench:
        status, body = await bench.post(V1, {"instances": [ROW]})
        assert (status, body["error"][:29]) == (504, "no answer within the revision")
        assert bench.server.is_busy
        go.set()
        await bench.until(lambda: not bench.server.is_busy)
        assert len(calls) == 2


async def test_a_model_s_own_explanations(short_path: Path) -> None:
    def own(inputs: dict[str, Tensor]) -> Any:
        if inputs["x"][0, 0] < 0:
            raise RequestError(Fault.REJECTED, detail="x[0] is negative")
        return {"why": inputs["x"][0], 1: "one"} if inputs["x"][0, 0] else {"why": object()}

    loaded = model(linear, explain=own, **DECLARED)
    async with explain_bench.start(short_path, loaded) as bench:
        expected = {"why": ROW, "1": "one"}
        assert await bench.post(V1, {"instances": [ROW]}) == (200, {"explanations": expected})
        status, body = await bench.post(V2, v2_body(id="a"))
        assert (status, body["explanations"], body["id"]) == (200, expected, "a")
        status, body = await bench.post(V1, {"instances": [ROW], "parameters": {"seed": 1}})
        assert (status, body["error"][:11]) == (400, "parameters:")
        status, body = await bench.post(V1, {"instances": [[-1, 0, 0]]})
        assert (status, body) == (400, {"error": "x[0] is negative"})
        status, body = await bench.post(V1, {"instances": [[0, 0, 0]]})
        assert (status, "JSON can not carry" in body["error"]) == (500, True)
