"""Do once, with a throw-away model, everything a replica will do.

For: paying for first times before the fork: ONNX Runtime's kernels, lazy imports, caches,
and in a spare the pages that a fork shares until they are written.
Must not know: control messages, processes, the model that will be served.
"""

import asyncio
import base64
import gc
import os
import signal
import socket
import tempfile
from pathlib import Path

from api import keys
from predictor import config, loader, providers, serving
from predictor.draining import Connections
from predictor.loaded import Loaded
from predictor.protocol_v1 import CodecV1
from predictor.protocol_v2 import CodecV2
from predictor.server import Server
from predictor.worker import Worker

# y = relu(x @ [[1, 0], [0, 1]] + [1, 1]) with x FP32 [n, 2], opset 13, IR version 8. Made by
# onnx.helper.make_model (see tests/predictor/test_warming.py); onnx is not needed to run it.
MODEL = base64.b64decode(
    "CAgSADqTAQoRCgF4CgF3EgFhIgZNYXRNdWwKDgoBYQoBYhIBYyIDQWRkCgwKAWMSAXkiBFJlbHUSBHdhcm0qGwgC"
    "CAIQASIQAACAPwAAAAAAAAAAAACAP0IBdyoRCAIQASIIAACAPwAAgD9CAWJaFAoBeBIPCg0IARIJCgMSAW4KAggC"
    "YhQKAXkSDwoNCAESCQoDEgFuCgIIAkIECgAQDQ=="
)
_V1 = b'{"instances":[[1.0,2.0]]}'
_V2 = b'{"id":"w","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1.0,-2.0]}]}'
_REQUEST = (
    b"POST /v2/models/warm/infer HTTP/1.1\r\nhost: warm\r\ncontent-type: application/json\r\n"
    b"x-request-id: warm\r\nk-proxy-request: activator\r\ncontent-length: %d\r\n\r\n%b"
) % (len(_V2), _V2)


class Rehearsal:
    """A throw-away model that can be loaded and asked, here and in forked children."""

    def __init__(self) -> None:
        with tempfile.TemporaryFile(buffering=0) as file:  # no name: nothing is left behind
            file.write(MODEL)
            self._model_fd = os.dup(file.fileno())
        # On the CPU even where there is a GPU: a CUDA context does not survive a fork.
        flags = f"--model /dev/fd/{self._model_fd} --model-name warm --providers {providers.CPU}"
        self._arguments = tuple(flags.split())
        self._environment = {keys.ENV_REVISION: "warm-00001"}
        self._settings = config.parse(self._arguments, self._environment)

    @property
    def model_path(self) -> Path:
        """Where the model can be opened, in this process and its children."""
        return Path(self._settings.model)

    def in_zygote(self) -> None:
        """Load and ask without a thread or a loop; freeze what all children share."""
        loaded = self._load()
        v2 = CodecV2(loaded.signature, name="warm", version="warm-00001")
        for _ in range(3):
            request = v2.decode(_V2)
            v2.encode(request, loaded.run(request.feeds, request.outputs))
        v1 = CodecV1(loaded.signature)
        request = v1.decode(_V1)
        v1.encode(request, loaded.run(request.feeds, None))
        del loaded, request, v1, v2
        gc.collect()
        gc.freeze()  # else the first full collection of a child copies every page

    def in_spare(self, loop: asyncio.AbstractEventLoop, worker: Worker) -> None:
        """Serve one request over a socket pair, so that the pages are this process's own."""
        config.parse(self._arguments, self._environment)
        loop.run_until_complete(self._serve(worker))
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Forget the model's file."""
        os.close(self._model_fd)

    def _load(self) -> Loaded:
        os.lseek(self._model_fd, 0, os.SEEK_SET)  # where /dev/fd shares the offset
        return loader.load(self._settings)

    async def _serve(self, worker: Worker) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, _nothing)
        loaded = await serving.load_aside(worker, self._load)
        assert isinstance(loaded, Loaded), loaded
        server = Server(self._settings, loaded, worker, start_timing="fork;dur=0.00")
        connections = Connections()
        with tempfile.TemporaryDirectory(prefix="relight-") as folder:
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(f"{folder}/s")
            accepting = await serving.listen(server, self._settings, listener, connections)
            with socket.socket(socket.AF_UNIX) as client:
                client.setblocking(False)
                await loop.sock_connect(client, f"{folder}/s")
                for _ in range(3):
                    await loop.sock_sendall(client, _REQUEST)
                    answer = await loop.sock_recv(client, 65536)
                    assert answer.startswith(b"HTTP/1.1 200"), answer
            accepting.close()
        while connections.transports:  # noqa: ASYNC110 - a few turns of the loop
            await asyncio.sleep(0)
        loop.remove_signal_handler(signal.SIGTERM)
        worker.forget()


def _nothing() -> None:
    """Stand in for a signal's handler."""
