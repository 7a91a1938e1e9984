"""Make the tiny models that the examples and benchmarks serve: `python hack/make_models.py`.

They are committed, so nobody needs the `onnx` package to run an example. Needs `.[dev]`.
"""

import zipfile
from pathlib import Path

import numpy as np
import onnx
import skops.io
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_iris
from sklearn.svm import SVC

OUT = Path(__file__).parent.parent / "examples" / "models"


def fahrenheit(*, is_rounded: bool = False) -> onnx.ModelProto:
    """°F = °C × 1.8 + 32, for any number of rows; rounded to whole degrees if wanted."""
    total = "total" if is_rounded else "fahrenheit"
    nodes = [
        helper.make_node("Mul", ["celsius", "scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], [total]),
    ]
    if is_rounded:
        nodes.append(helper.make_node("Round", [total], ["fahrenheit"]))
    graph = helper.make_graph(
        nodes,
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


def iris(path: Path) -> None:
    """A classifier of iris flowers, in a file that loads without running code."""
    rows, kinds = load_iris(return_X_y=True)
    path.parent.mkdir(exist_ok=True)
    skops.io.dump(SVC().fit(rows, kinds), path, compression=zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    onnx.save(fahrenheit(), OUT / "fahrenheit.onnx")
    onnx.save(fahrenheit(is_rounded=True), OUT / "fahrenheit-rounded.onnx")
    iris(OUT / "iris" / "model.skops")
    print(f"wrote {OUT}")
