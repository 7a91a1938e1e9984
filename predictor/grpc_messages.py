"""Message classes of what is spoken over gRPC, made from the schema in a pool of their own.

For: reading and writing messages without generated code, beside other people's clients: kserve
and tritonclient register the same names in protobuf's default pool, where each may stand once.
Must not know: what messages mean, HTTP/2.
"""

import importlib
import re
from collections.abc import Iterator
from typing import Any, Final

from predictor.grpc_schema import FILES

descriptor_pb2: Any = importlib.import_module("google.protobuf.descriptor_pb2")
descriptor_pool: Any = importlib.import_module("google.protobuf.descriptor_pool")
message_factory: Any = importlib.import_module("google.protobuf.message_factory")
DecodeError: Any = importlib.import_module("google.protobuf.message").DecodeError

_RPC = re.compile(r"rpc (\w+) \((stream )?(\w+)\) returns \((stream )?(\w+)\);")
_MAP = re.compile(r"map<(\w+)> (\w+) = (\d+);")
_FIELD = re.compile(r"(repeated )?(\w+) (\w+) = (\d+);")
_Field: Any = descriptor_pb2.FieldDescriptorProto
_SCALARS: Final = {
    "bool": _Field.TYPE_BOOL,
    "bytes": _Field.TYPE_BYTES,
    "double": _Field.TYPE_DOUBLE,
    "float": _Field.TYPE_FLOAT,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "string": _Field.TYPE_STRING,
    "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64,
}


def described(name: str, package: str, text: str) -> Any:
    """The FileDescriptorProto of a schema: one declaration a line, messages not nested."""
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package, syntax="proto3")
    lines = iter([line.strip() for line in text.strip().splitlines()])
    for line in lines:
        kind, name, _ = line.split()
        if kind == "service":
            _service(file.service.add(name=name), package, lines)
        else:
            _message(file.message_type.add(name=name), package, lines)
    return file


def _service(service: Any, package: str, lines: Iterator[str]) -> None:
    for line in lines:
        if line == "}":
            return
        found = _RPC.fullmatch(line)
        assert found is not None, line
        service.method.add(
            name=found[1],
            input_type=f".{package}.{found[3]}",
            output_type=f".{package}.{found[5]}",
            client_streaming=bool(found[2]),
            server_streaming=bool(found[4]),
        )


def _message(message: Any, package: str, lines: Iterator[str]) -> None:
    choice: dict[str, int] = {}  # the oneof whose members are being read
    for line in lines:
        if line == "}":
            if not choice:
                return
            choice = {}
        elif line.startswith("oneof "):
            message.oneof_decl.add(name=line.split()[1])
            choice = {"oneof_index": len(message.oneof_decl) - 1}
        elif (found := _MAP.fullmatch(line)) is not None:
            _map(message, package, found)
        else:
            found = _FIELD.fullmatch(line)
            assert found is not None, line
            label = _Field.LABEL_REPEATED if found[1] else _Field.LABEL_OPTIONAL
            kind = _kind(found[2], package)
            message.field.add(name=found[3], number=int(found[4]), label=label, **kind, **choice)


def _map(message: Any, package: str, found: re.Match[str]) -> None:
    """A map from text: a nested message of key and value, as protobuf has it."""
    entry = found[2].title() + "Entry"
    nested = message.nested_type.add(name=entry)
    nested.options.map_entry = True
    optional = _Field.LABEL_OPTIONAL
    nested.field.add(name="key", number=1, label=optional, type=_Field.TYPE_STRING)
    nested.field.add(name="value", number=2, label=optional, **_kind(found[1], package))
    message.field.add(
        name=found[2],
        number=int(found[3]),
        label=_Field.LABEL_REPEATED,
        type=_Field.TYPE_MESSAGE,
        type_name=f".{package}.{message.name}.{entry}",
    )


def _kind(name: str, package: str) -> dict[str, Any]:
    if name in _SCALARS:
        return {"type": _SCALARS[name]}
    return {"type": _Field.TYPE_MESSAGE, "type_name": f".{package}.{name}"}


_POOL: Any = descriptor_pool.DescriptorPool()
DESCRIPTIONS: Final[dict[str, Any]] = {file[0]: described(*file) for file in FILES}
for _each in DESCRIPTIONS.values():
    _POOL.AddSerializedFile(_each.SerializeToString())


def message(name: str) -> Any:
    """The class of a message by its full name."""
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(name))


ModelInferRequest: Final = message("inference.ModelInferRequest")
ModelInferResponse: Final = message("inference.ModelInferResponse")
ModelStreamInferResponse: Final = message("inference.ModelStreamInferResponse")
