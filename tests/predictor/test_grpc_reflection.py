"""What reflection tells, and what it does not know."""

from typing import Any

import pytest

from predictor import grpc_reflection
from predictor.errors import RequestError
from predictor.grpc_messages import message
from predictor.grpc_reflection import PACKAGES


def ask(package: str, **fields: Any) -> Any:
    request = message(f"{package}.ServerReflectionRequest")(host="h", **fields)
    data = grpc_reflection.answer(package, request.SerializeToString())
    return message(f"{package}.ServerReflectionResponse").FromString(data)


@pytest.mark.parametrize("package", PACKAGES)
def test_services_and_files(package: str) -> None:
    listed = ask(package, list_services="*").list_services_response.service
    names = [each.name for each in listed]
    assert "inference.GRPCInferenceService" in names
    assert names == sorted(names)
    for symbol in (*names, "inference.ModelInferRequest", "grpc.health.v1.Health.Check"):
        response = ask(package, file_containing_symbol=symbol)
        assert len(response.file_descriptor_response.file_descriptor_proto) == 1
        assert response.original_request.host == response.valid_host == "h"
    file = ask(package, file_by_filename="grpc/health/v1/health.proto")
    assert b"HealthCheckRequest" in file.file_descriptor_response.file_descriptor_proto[0]
    numbers = ask(package, all_extension_numbers_of_type="inference.InferParameter")
    assert numbers.all_extension_numbers_response.base_type_name == "inference.InferParameter"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"file_by_filename": "x.proto"}, 5),
        ({"file_containing_symbol": "x.Y"}, 5),
        ({"all_extension_numbers_of_type": "x.Y"}, 5),
        ({"file_containing_extension": {"containing_type": "x.Y"}}, 5),
        ({}, 3),
    ],
)
def test_what_is_not_known(fields: Any, code: int) -> None:
    assert ask(PACKAGES[0], **fields).error_response.error_code == code


def test_what_is_no_request() -> None:
    with pytest.raises(RequestError, match="is not a ServerReflectionRequest"):
        grpc_reflection.answer(PACKAGES[0], b"\x0a\x7f")


def test_paths_of_both_versions() -> None:
    assert list(grpc_reflection.paths().values()) == list(PACKAGES)
