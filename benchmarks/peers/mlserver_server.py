"""The tiny model in MLServer: mlserver_server.py MODEL PORT writes its settings and starts it."""

import os
import shutil
import sys
import tempfile
from pathlib import Path

import onnxruntime
import orjson
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class Tiny(MLModel):  # type: ignore[misc] # untyped here
    """One session."""

    async def load(self) -> bool:
        """Open it."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        uri = self.settings.parameters.uri
        self.session = onnxruntime.InferenceSession(uri, options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Run it."""
        (y,) = self.session.run(None, {"x": NumpyCodec.decode_input(payload.inputs[0])})
        output = NumpyCodec.encode_output(name="y", payload=y)
        return InferenceResponse(model_name=self.name, id=payload.id, outputs=[output])


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="mlserver-"))
    shutil.copy(__file__, folder / "mlserver_peer.py")
    port = int(sys.argv[2])
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    settings = {"host": "127.0.0.1", "parallel_workers": 0, "debug": False, **ports}
    (folder / "settings.json").write_bytes(orjson.dumps(settings))
    model = {
        "name": "m",
        "implementation": "mlserver_peer.Tiny",
        "parameters": {"uri": sys.argv[1]},
    }
    (folder / "model-settings.json").write_bytes(orjson.dumps(model))
    program = str(Path(sys.executable).with_name("mlserver"))
    os.execv(program, [program, "start", str(folder)])
