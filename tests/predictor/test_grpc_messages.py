"""Messages made from the schema: alone, and beside other people's stubs of the same names."""

import importlib
from typing import Any

import pytest

from predictor.grpc_messages import DESCRIPTIONS, ModelInferRequest, message


def test_a_request_and_back() -> None:
    request = ModelInferRequest(model_name="m", id="7", raw_input_contents=[b"abc"])
    request.parameters["p"].int64_param = 5
    request.parameters["q"].double_param = 0.5
    tensor = request.inputs.add(name="x", datatype="FP32", shape=[-1, 2])
    tensor.contents.fp32_contents.extend([1, 2])
    again = ModelInferRequest.FromString(request.SerializeToString())
    assert again == request
    assert again.parameters["q"].WhichOneof("parameter_choice") == "double_param"


# What other people's stubs write: field numbers and wire types, taken apart by hand.
@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("inference.ServerLiveResponse", {"live": True}, b"\x08\x01"),
        ("inference.ModelReadyRequest", {"name": "m", "version": "v"}, b"\x0a\x01m\x12\x01v"),
        (
            "inference.ModelMetadataResponse",
            {"platform": "p", "inputs": [{"name": "x", "datatype": "BOOL", "shape": [-1]}]},
            b"\x1a\x01p\x22\x15\x0a\x01x\x12\x04BOOL\x1a\x0a" + b"\xff" * 9 + b"\x01",
        ),
        ("inference.ModelInferResponse", {"raw_output_contents": [b"a"]}, b"\x32\x01a"),
        (
            "inference.InferTensorContents",
            {"int_contents": [1], "uint64_contents": [2], "bytes_contents": [b"b"]},
            b"\x12\x01\x01\x2a\x01\x02\x42\x01b",
        ),
        ("inference.ModelStreamInferResponse", {"error_message": "e"}, b"\x0a\x01e"),
        ("inference.RepositoryIndexRequest", {"ready": True}, b"\x10\x01"),
        ("grpc.health.v1.HealthCheckResponse", {"status": 1}, b"\x08\x01"),
    ],
)
def test_field_numbers(name: str, values: dict[str, Any], expected: bytes) -> None:
    assert message(name)(**values).SerializeToString() == expected


def test_streams_are_described() -> None:
    service = DESCRIPTIONS["open_inference_grpc.proto"].service[0]
    found = {each.name: (each.client_streaming, each.server_streaming) for each in service.method}
    assert found["ModelStreamInfer"] == (True, True)
    assert found["ModelInfer"] == (False, False)
    assert len(found) == 10


def test_the_default_pool_has_none_of_it() -> None:
    pool = importlib.import_module("google.protobuf.descriptor_pool").Default()
    with pytest.raises(KeyError):
        pool.FindMessageTypeByName("inference.ModelInferRequest")


def test_others_may_register_the_same_names() -> None:
    """As importing kserve or tritonclient beside us does."""
    pool = importlib.import_module("google.protobuf.descriptor_pool").DescriptorPool()
    for each in DESCRIPTIONS.values():
        pool.AddSerializedFile(each.SerializeToString())
    theirs = importlib.import_module("google.protobuf.message_factory").GetMessageClass(
        pool.FindMessageTypeByName("inference.ModelInferRequest")
    )
    assert theirs is not ModelInferRequest
    assert theirs.FromString(ModelInferRequest(id="7").SerializeToString()).id == "7"
