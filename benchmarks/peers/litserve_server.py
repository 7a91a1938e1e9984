"""The tiny model in LitServe: litserve_server.py MODEL PORT."""

import sys
from typing import Any

import litserve
import numpy as np
import onnxruntime


class Tiny(litserve.LitAPI):  # type: ignore[misc] # untyped here
    """One session."""

    def setup(self, device: str) -> None:
        """Open it."""
        del device
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[1], options)

    def decode_request(self, request: dict[str, Any]) -> Any:
        """The array in it."""
        given = request["inputs"][0]
        return np.array(given["data"], np.float32).reshape(given["shape"])

    def predict(self, x: Any) -> Any:
        """Run it."""
        return self.session.run(None, {"x": x})[0]

    def encode_response(self, output: Any) -> dict[str, Any]:
        """As V2 says it."""
        shape, data = list(output.shape), output.ravel().tolist()
        tensor = {"name": "y", "datatype": "FP32", "shape": shape, "data": data}
        return {"model_name": "m", "outputs": [tensor]}


if __name__ == "__main__":
    server = litserve.LitServer(Tiny(api_path="/infer"), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
