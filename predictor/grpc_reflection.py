"""gRPC's reflection: which services there are, and the files that describe them.

For: grpcurl and other tools that know nothing of us beforehand.
Must not know: exchanges, framing, what the services do.
"""

from typing import Any

from predictor.grpc_answers import read
from predictor.grpc_messages import DESCRIPTIONS, message
from wire.grpc import Code

PACKAGES = ("grpc.reflection.v1", "grpc.reflection.v1alpha")


def paths() -> dict[str, str]:
    """The path of each version's only method, and its package."""
    return {f"/{each}.ServerReflection/ServerReflectionInfo": each for each in PACKAGES}


def answer(package: str, data: bytes | memoryview) -> bytes:
    """The answer to one message of a stream; RequestError when it is none."""
    request = read(message(f"{package}.ServerReflectionRequest"), data)
    response = message(f"{package}.ServerReflectionResponse")(
        valid_host=request.host, original_request=request
    )
    match request.WhichOneof("message_request"):
        case "list_services":
            for name in _SERVICES:
                response.list_services_response.service.add(name=name)
        case "file_by_filename":
            _give(response, DESCRIPTIONS.get(request.file_by_filename), request.file_by_filename)
        case "file_containing_symbol":
            symbol = request.file_containing_symbol
            _give(response, _FILES.get(symbol), symbol)
        case "all_extension_numbers_of_type" if request.all_extension_numbers_of_type in _FILES:
            response.all_extension_numbers_response.base_type_name = (
                request.all_extension_numbers_of_type
            )
        case None:
            response.error_response.error_code = Code.INVALID_ARGUMENT
            response.error_response.error_message = "the request asks for nothing"
        case _:
            _give(response, None, "such an extension or type")
    return bytes(response.SerializeToString())


def _give(response: Any, file: Any, what: str) -> None:
    if file is None:
        response.error_response.error_code = Code.NOT_FOUND
        response.error_response.error_message = f"{what} is not known here"
    else:
        response.file_descriptor_response.file_descriptor_proto.append(file.SerializeToString())


def _symbols(file: Any) -> list[str]:
    found = [f"{file.package}.{each.name}" for each in (*file.message_type, *file.service)]
    for service in file.service:
        found += [f"{file.package}.{service.name}.{each.name}" for each in service.method]
    return found


_FILES = {symbol: file for file in DESCRIPTIONS.values() for symbol in _symbols(file)}
_SERVICES = sorted(
    f"{file.package}.{service.name}" for file in DESCRIPTIONS.values() for service in file.service
)
