"""Make the tiny models that the examples and benchmarks serve: `python hack/make_models.py`.

They are committed, so nobody needs the `onnx` package to run an example.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OUT = Path(__file__).parent.parent / "examples" / "models"


def fahrenheit() -> onnx.ModelProto:
    """°F = °C × 1.8 + 32, for any number of rows."""
    graph = helper.make_graph(
        [
            helper.make_node("Mul", ["celsius", "scale"], ["scaled"]),
            helper.make_node("Add", ["scaled", "offset"], ["fahrenheit"]),
        ],
        "fahrenheit",
        [helper.make_tensor_value_info("celsius", TensorProto.FLOAT, ["rows", 1])],
        [helper.make_tensor_value_info("fahrenheit", TensorProto.FLOAT, ["rows", 1])],
        [
            numpy_helper.from_array(np.array([1.8], np.float32), "scale"),
            numpy_helper.from_array(np.array([32.0], np.float32), "offset"),
        ],
    )
    model = helper.make_model(
        graph, producer_name="relight", opset_imports=[helper.make_opsetid("", 13)]
    )
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    onnx.save(fahrenheit(), OUT / "fahrenheit.onnx")
    print(f"wrote {OUT}")
