"""The OpenAPI document: valid, true to what is served, and with examples that work."""

from typing import Any

import orjson
import pytest

from predictor import openapi, routes
from predictor.errors import Fault, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, TensorSpec
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2
from predictor.routes import Answer
from tests.predictor.talking import request
from tests.predictor.test_server import Start, start  # noqa: F401 - a fixture

jsonschema = pytest.importorskip("jsonschema")

ONE = Signature(
    inputs=[TensorSpec(name="x", datatype="FP32", shape=(-1, 2))],
    outputs=[TensorSpec(name="y", datatype="FP32", shape=(-1, 2))],
)
SEVERAL = Signature(
    inputs=[
        TensorSpec(name="text", datatype="BYTES", shape=(-1,)),
        TensorSpec(name="n", datatype="INT64", shape=(-1, 3)),
    ],
    outputs=[
        TensorSpec(name="a", datatype="BOOL", shape=(-1,)),
        TensorSpec(name="b", datatype="UINT8", shape=()),
    ],
)
FIXED = Signature(
    inputs=[TensorSpec(name="x", datatype="INT8", shape=(3, 1))],
    outputs=[TensorSpec(name="y", datatype="INT8", shape=(3,))],
)
BRAIN = Signature(inputs=[TensorSpec(name="x", datatype="BF16", shape=(1,))], outputs=[])
ROW = {"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}
SCALAR = Signature(inputs=[TensorSpec(name="t", datatype="FP32", shape=())], outputs=[])
MIXED = Signature(inputs=[*ONE.inputs, *SCALAR.inputs], outputs=ONE.outputs)
SIGNATURES = {
    "one": ONE,
    "several": SEVERAL,
    "fixed": FIXED,
    "none": None,
    "bf16": BRAIN,
    "scalar": SCALAR,
    "mixed": MIXED,
}


def document(
    signature: Signature | None,
    described: Signature | None = None,
    revision: str = "",
    **more: Any,
) -> Any:
    loaded = Loaded(
        run=lambda feeds, _: feeds,
        signature=signature,
        platform="test",
        described=described or signature,
        digest="sha256:ab",
        **more,
    )
    table = routes.table("m", revision)
    text = openapi.document(table, loaded, model_name="m", revision=revision)
    return orjson.loads(text)


def validator(found: Any, schema: str | dict[str, Any]) -> Any:
    """By the name of a schema in the document, or for one that stands elsewhere in it."""
    root = {"$ref": f"#/components/schemas/{schema}"} if isinstance(schema, str) else schema
    return jsonschema.Draft202012Validator({**root, "components": found["components"]})


@pytest.mark.parametrize("name", SIGNATURES)
@pytest.mark.parametrize("revision", ["", "m-00001"])
def test_it_is_an_openapi_document(name: str, revision: str) -> None:
    pytest.importorskip("openapi_spec_validator").validate(
        document(SIGNATURES[name], None, revision)
    )


def test_text_paths_are_in_a_valid_document() -> None:
    loaded = Loaded(run=lambda feeds, _: feeds, signature=None, platform="t", described=None)
    paths = [b"/v2/models/m/generate", b"/openai/v1/chat/completions", b"/openai/v1/models"]
    text = openapi.document({}, loaded, model_name="m", revision="", text_paths=paths)
    found = orjson.loads(text)
    assert sorted(found["paths"]) == sorted(path.decode() for path in paths)
    assert list(found["paths"]["/openai/v1/models"]) == ["get"]
    chat = found["paths"]["/openai/v1/chat/completions"]["post"]
    schema = chat["requestBody"]["content"]["application/json"]["schema"]
    assert schema["required"] == ["messages"]
    pytest.importorskip("openapi_spec_validator").validate(found)


def test_every_path_that_is_served_is_there_with_its_method() -> None:
    table = routes.table("m", "m-00001")
    found = document(ONE, revision="m-00001")["paths"]
    assert {path: sorted(each) for path, each in found.items()} == {
        path.decode(): [route.method.decode().lower()]
        for path, route in table.items()
        if not path.endswith(b"/unload")  # which one model's predictor refuses
    }
    operations = [each["operationId"] for path in found.values() for each in path.values()]
    assert len(set(operations)) == len(operations)
    infer = found["/v2/models/m/infer"]["post"]
    statuses = {str(fault.status) for fault in Fault if fault.status != 501}
    assert set(infer["responses"]) == statuses | {"200", "default"}


@pytest.mark.parametrize("name", ["one", "several", "fixed", "scalar", "mixed"])
def test_the_examples_fit_and_are_read(name: str) -> None:
    signature = SIGNATURES[name]
    assert signature is not None
    found = document(signature)
    schemas = found["components"]["schemas"]
    codecs = {
        "PredictRequest": CodecV1(signature),
        "InferRequest": CodecV2(signature, name="m", version=""),
    }
    for schema, codec in codecs.items():
        (example,) = schemas[schema]["examples"]
        validator(found, schema).validate(example)
        feeds = codec.decode(orjson.dumps(example)).feeds
        assert sorted(feeds) == sorted(spec.name for spec in signature.inputs)


def test_an_example_of_a_model_that_only_describes_itself() -> None:
    found = document(None, ONE)["components"]["schemas"]
    assert found["InferRequest"]["examples"][0]["inputs"][0]["name"] == "x"
    assert "examples" not in document(None)["components"]["schemas"]["InferRequest"]
    assert "examples" not in document(BRAIN)["components"]["schemas"]["InferRequest"]


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("InferRequest", {}),
        ("InferRequest", {"inputs": []}),
        ("InferRequest", {"inputs": [{"name": "z", "datatype": "FP32", "shape": [1, 2]}]}),
        ("InferRequest", {"inputs": "x"}),
        ("InferRequest", {"inputs": [ROW], "outputs": [{"name": "y"}, {"name": "y"}]}),
        ("InferRequest", {"inputs": [ROW], "outputs": [{"name": "z"}]}),
        ("PredictRequest", {"instances": []}),
        ("PredictRequest", {"instances": [[1.0]]}),
        ("PredictRequest", {"instances": [["a", "b"]]}),
        ("PredictRequest", {"instances": [[1, 2]], "inputs": [[1, 2]]}),
        ("PredictRequest", {"rows": [[1, 2]]}),
        ("PredictRequest", {"inputs": {}}),
        ("PredictRequest", {"inputs": {"x": []}}),
        ("PredictRequest", {"inputs": {"z": [[1, 2]]}}),
        ("PredictResponse", {"predictions": [1], "outputs": [1]}),
    ],
)
def test_what_is_refused_does_not_fit(schema: str, body: Any) -> None:
    assert not validator(document(ONE), schema).is_valid(body)


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("PredictRequest", {"instances": [[1, 2], [3.5, "NaN"]]}),
        ("PredictRequest", {"inputs": [{"x": [1, 2]}], "signature_name": "serving_default"}),
        ("PredictRequest", {"inputs": {"x": [[1, 2], [3, 4]]}}),
        ("PredictResponse", {"outputs": {"a": 1}}),
        (
            "InferRequest",
            {
                "id": "7",
                "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [[1, 2]]}],
                "outputs": [{"name": "y", "parameters": {"binary_data": False}}],
            },
        ),
    ],
)
def test_what_is_taken_fits(schema: str, body: Any) -> None:
    validator(document(ONE), schema).validate(body)


NAMELESS = {"name": "a", "datatype": "FP32", "shape": [1]}


@pytest.mark.parametrize(
    ("body", "is_fit"),
    [
        ({"inputs": [None]}, False),
        ({"instances": [None]}, False),
        ({"inputs": None}, False),
        ({"inputs": "text"}, True),
        ({"inputs": 5}, True),
        ({"inputs": {"a": 1}}, True),
        ({"instances": [[1], [2]]}, True),
    ],
)
def test_rows_of_a_model_that_declares_nothing(body: Any, *, is_fit: bool) -> None:
    assert validator(document(None), "PredictRequest").is_valid(body) is is_fit
    if is_fit:
        assert CodecV1(None).decode(orjson.dumps(body)).feeds
    else:
        with pytest.raises(RequestError):
            CodecV1(None).decode(orjson.dumps(body))


def test_tensors_of_a_model_that_declares_nothing_have_data() -> None:
    taker = validator(document(None), "InferRequest")
    assert taker.is_valid({"inputs": [{**NAMELESS, "data": [1]}]})
    assert not taker.is_valid({"inputs": [NAMELESS]})
    assert not taker.is_valid({"inputs": [{**NAMELESS, "data": 1}]})
    assert taker.is_valid({"inputs": [{**NAMELESS, "shape": [], "data": 1}]})
    assert taker.is_valid({"inputs": [{**NAMELESS, "shape": [], "data": [1]}]})
    assert not taker.is_valid({"inputs": [{**NAMELESS, "datatype": "BF16", "data": [1]}]})


def test_a_model_that_does_not_predict_has_no_such_paths() -> None:
    def posts(**more: Any) -> set[str]:
        paths = document(None, predicts=False, **more)["paths"]
        return {path for path in paths if path.endswith(("predict", "infer", "explain"))}

    assert posts() == set()
    assert posts(explain=lambda _: {}) == {"/v1/models/m:explain", "/v2/models/m/explain"}


def test_one_value_has_no_rows() -> None:
    for signature, right in ((SCALAR, {"t": 1}), (SCALAR, 1), (MIXED, {"x": [[1, 2]], "t": 1})):
        found = validator(document(signature), "PredictRequest")
        assert found.is_valid({"inputs": right})
        assert not found.is_valid({"inputs": [right]})
        assert not found.is_valid({"instances": [right]})


async def test_it_is_served_and_its_answers_are_what_it_says(
    start: Start,  # noqa: F811
) -> None:
    async with start(K_SERVICE="m") as bench:
        answer = await bench.ask(request("GET", "/openapi.json"))
        assert answer.status == 200
        found = orjson.loads(answer.body)
        assert (await bench.ask(request("GET", "/openapi.json"))).body == answer.body
        for path, methods in found["paths"].items():
            ((method, operation),) = methods.items()
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            body = b""
            if operation.get("requestBody", {}).get("required"):
                asked = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
                example = found["components"]["schemas"][asked.rpartition("/")[2]]["examples"][0]
                body = orjson.dumps(example)
            reply = await bench.ask(request(method.upper(), path, body))
            assert reply.status == 200, path
            validator(found, schema).validate(orjson.loads(reply.body))
        assert "InferResponse" in found["components"]["schemas"]
        refused = await bench.ask(request("POST", "/v2/models/m/infer", b"{}"))
        validator(found, "Error").validate(orjson.loads(refused.body))


def test_every_answer_is_described() -> None:
    for answer in Answer:
        assert answer in openapi.WORDS, answer
