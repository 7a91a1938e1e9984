"""The tiny model in mosec: mosec_server.py MODEL PORT."""

import os
import sys
from typing import Any

import numpy as np
import onnxruntime
import orjson
from mosec import Server, Worker


class Tiny(Worker):  # type: ignore[misc] # untyped here
    """One session."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["TINY_MODEL"], options)  # noqa: TID251

    def deserialize(self, data: bytes) -> Any:
        """Parse with the faster parser."""
        return orjson.loads(data)

    def serialize(self, data: Any) -> bytes:
        """Write with it."""
        return orjson.dumps(data)

    def forward(self, data: dict[str, Any]) -> dict[str, Any]:
        """Run it."""
        given = data["inputs"][0]
        x = np.array(given["data"], np.float32).reshape(given["shape"])
        (y,) = self.session.run(None, {"x": x})
        tensor = {"name": "y", "datatype": "FP32", "shape": y.shape, "data": y.ravel().tolist()}
        return {"model_name": "m", "outputs": [tensor]}


if __name__ == "__main__":
    # By environment: a worker is spawned, and reads other arguments.
    os.environ["TINY_MODEL"] = sys.argv[1]  # noqa: TID251
    flags = ["--address", "127.0.0.1", "--port", sys.argv[2], "--log-level", "warning"]
    sys.argv = [sys.argv[0], *flags]
    server = Server()
    server.append_worker(Tiny, num=1)
    server.run()
