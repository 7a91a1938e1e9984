"""A model served as a predictor serves it, and asked for tensors in each way a client may.

What goes over the wire is written and read here with numpy and json alone: the predictor's own
codecs would forgive themselves.
"""

import asyncio
import contextlib
import json
import math
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from predictor import config, loading, serving
from predictor.draining import Connections
from predictor.grpc_messages import ModelInferRequest
from predictor.server import Server
from predictor.worker import Worker
from tests.predictor.calling import Caller
from tests.predictor.talking import PATIENCE_S, Reply, read_reply, request

NAME = "m"
WAYS = ("json", "binary", "grpc")
BINARY = "application/octet-stream"
NUMPY = {
    "BOOL": "?",
    **{f"{kind}INT{bits}": f"<{kind[:1].lower() or 'i'}{bits // 8}"
       for kind in ("", "U") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}  # fmt: skip
DATATYPE = {np.dtype(letter): name for name, letter in NUMPY.items()}

Tensors = Mapping[str, Any]


def datatype(array: Any) -> str:
    """V2's name of what numpy holds."""
    return "BYTES" if array.dtype == object else DATATYPE[array.dtype]


def pack(array: Any) -> bytes:
    """A tensor as the binary extension and gRPC carry it."""
    if array.dtype != object:
        return bytes(np.ascontiguousarray(array).tobytes())
    texts = [each.encode() if isinstance(each, str) else each for each in array.ravel()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def unpack(data: bytes, kind: str, shape: list[int]) -> Any:
    if kind != "BYTES":
        return np.frombuffer(data, NUMPY[kind]).reshape(shape)
    texts, at = [], 0
    while at < len(data):
        start = at + 4
        at = start + int.from_bytes(data[at:start], "little")
        texts.append(data[start:at].decode())
    return np.array(texts, object).reshape(shape)


def plain(array: Any) -> list[Any]:
    """The values for JSON, which has no NaN: a strict parser reads all of what is sent."""
    if array.dtype.kind != "f":
        return list(array.ravel().tolist())
    return [value if math.isfinite(value) else _odd(value) for value in array.ravel().tolist()]


def _odd(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def strict(body: bytes) -> Any:
    """JSON as the standard has it: without NaN and Infinity as words of their own."""

    def refuse(word: str) -> None:
        raise ValueError(f"{word} is no JSON")

    return json.loads(body, parse_constant=refuse)


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One model that listens on a socket."""

    path: Path
    caller: Caller

    async def http(self, data: bytes) -> Reply:
        """One request on a connection of its own."""
        reader, writer = await asyncio.open_unix_connection(str(self.path), limit=1 << 20)
        try:
            writer.write(data)
            return await read_reply(reader)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def metadata(self) -> Any:
        """What it says of its tensors."""
        return strict((await self.http(request("GET", f"/v2/models/{NAME}"))).body)

    async def predict(self, body: bytes) -> Any:
        """V1's answer."""
        reply = await self.http(request("POST", f"/v1/models/{NAME}:predict", body))
        assert reply.status == 200, reply.body
        return strict(reply.body)["predictions"]

    async def ask(self, way: str, inputs: Tensors) -> dict[str, Any]:
        """The outputs by name."""
        if way == "grpc":
            return await self._grpc(inputs)
        return await (self._binary if way == "binary" else self._json)(inputs)

    async def _json(self, inputs: Tensors) -> dict[str, Any]:
        reply = await self._infer(json_body(inputs))
        return read_json(reply.body)

    async def _binary(self, inputs: Tensors) -> dict[str, Any]:
        body, headers = binary_body(inputs)
        reply = await self._infer(body, **headers)
        return read_binary(reply.body, reply.headers)

    async def _infer(self, body: bytes, **headers: str) -> Reply:
        reply = await self.http(request("POST", f"/v2/models/{NAME}/infer", body, **headers))
        assert reply.status == 200, reply.body
        return reply

    async def _grpc(self, inputs: Tensors) -> dict[str, Any]:
        asked = ModelInferRequest(**grpc_fields(NAME, inputs))
        response = await self.caller.unary("ModelInfer", asked, timeout=PATIENCE_S * 5)
        return read_grpc(response)


def json_body(inputs: Tensors) -> bytes:
    """All of it JSON."""
    tensors = [{**_head(name, array), "data": plain(array)} for name, array in inputs.items()]
    return json.dumps({"inputs": tensors}, allow_nan=False).encode()


def read_json(body: bytes) -> dict[str, Any]:
    return {
        one["name"]: np.array(one["data"], NUMPY.get(one["datatype"], "O")).reshape(one["shape"])
        for one in strict(body)["outputs"]
    }


def binary_body(inputs: Tensors) -> tuple[bytes, dict[str, str]]:
    """The binary extension, both ways; and its headers, with underscores."""
    packed = {name: pack(array) for name, array in inputs.items()}
    tensors = [
        {**_head(name, array), "parameters": {"binary_data_size": len(packed[name])}}
        for name, array in inputs.items()
    ]
    head = json.dumps({"inputs": tensors, "parameters": {"binary_data_output": True}}).encode()
    headers = {"inference_header_content_length": str(len(head)), "content_type": BINARY}
    return head + b"".join(packed.values()), headers


def read_binary(body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    at = int(headers["inference-header-content-length"])
    found = {}
    for one in strict(body[:at])["outputs"]:
        start, at = at, at + one["parameters"]["binary_data_size"]
        found[one["name"]] = unpack(body[start:at], one["datatype"], one["shape"])
    assert at == len(body)
    return found


def grpc_fields(name: str, inputs: Tensors) -> dict[str, Any]:
    """Of a ModelInferRequest with raw contents."""
    return {
        "model_name": name,
        "inputs": [_head(each, array) for each, array in inputs.items()],
        "raw_input_contents": [pack(array) for array in inputs.values()],
    }


def read_grpc(response: Any) -> dict[str, Any]:
    """Of a ModelInferResponse with raw contents."""
    return {
        one.name: unpack(data, one.datatype, list(one.shape))
        for one, data in zip(response.outputs, response.raw_output_contents, strict=True)
    }


def _head(name: str, array: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype(array), "shape": list(array.shape)}


@contextlib.asynccontextmanager
async def served(
    path: Path, folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Served]:
    """Serve a model file, on a socket in a folder with a short path."""
    settings = config.parse(
        ["--model", str(path), "--model-name", NAME, *arguments], environment or {}
    )
    loaded = loading.load(settings)
    worker = Worker(asyncio.get_running_loop())
    server = Server(loading.completed(settings, loaded), loaded, worker)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "s"))
    connections = Connections()
    accepting = await serving.listen(server, settings, listener, connections)
    caller = Caller(f"unix:{folder / 's'}", **{"grpc.max_receive_message_length": -1})
    try:
        yield Served(path=folder / "s", caller=caller)
    finally:
        await caller.close()
        connections.close()
        accepting.close()
        await accepting.wait_closed()
        worker.stop()
