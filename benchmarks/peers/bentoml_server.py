"""The tiny model in BentoML: bentoml_server.py MODEL PORT starts `bentoml serve` on itself."""

import os
import sys
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import onnxruntime


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Tiny:
    """One session."""

    def __init__(self) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["TINY_MODEL"], options)  # noqa: TID251 - its own process

    @bentoml.api(route="/infer")
    def infer(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Run it."""
        given = inputs[0]
        x = np.array(given["data"], np.float32).reshape(given["shape"])
        (y,) = self.session.run(None, {"x": x})
        tensor = {"name": "y", "datatype": "FP32", "shape": y.shape, "data": y.ravel().tolist()}
        return {"model_name": "m", "outputs": [tensor]}


if __name__ == "__main__":
    program = str(Path(sys.executable).with_name("bentoml"))
    os.chdir(Path(__file__).parent)
    environment = {**os.environ, "TINY_MODEL": sys.argv[1], "BENTOML_DO_NOT_TRACK": "True"}  # noqa: TID251
    flags = ["--host", "127.0.0.1", "--port", sys.argv[2]]
    os.execve(program, [program, "serve", "bentoml_server:Tiny", *flags], environment)
