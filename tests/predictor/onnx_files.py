"""Tiny ONNX models as bytes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from predictor import trials
from predictor.prepared import GRAPH, SOURCE, WEIGHTS, Entry, Variant
from predictor.prepared_store import PreparedStore, file_of

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
    "BF16": TensorProto.BFLOAT16,
}

Tensors = dict[str, tuple[str, list[int | str | None]]]


def build(nodes: list[onnx.NodeProto], inputs: Tensors, outputs: Tensors) -> bytes:
    def infos(tensors: Tensors) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, ONNX_TYPES[datatype], shape)
            for name, (datatype, shape) in tensors.items()
        ]

    graph = helper.make_graph(nodes, "test", infos(inputs), infos(outputs))
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def layers(*, width: int = 512, count: int = 2, seed: int = 1) -> bytes:
    """A model with weights worth preparing: layers of MatMul, Add and Relu, 1 MiB each."""
    rng = np.random.default_rng(seed)
    nodes: list[onnx.NodeProto] = []
    weights: list[onnx.TensorProto] = []
    for i in range(count):
        shapes = {f"w{i}": (width, width), f"b{i}": (width,)}
        for name, shape in shapes.items():
            values = (rng.standard_normal(shape) * 0.05).astype(np.float32)
            weights.append(numpy_helper.from_array(values, name))
        nodes += [
            helper.make_node("MatMul", [f"h{i}" if i else "x", f"w{i}"], [f"m{i}"]),
            helper.make_node("Add", [f"m{i}", f"b{i}"], [f"a{i}"]),
            helper.make_node("Relu", [f"a{i}"], ["y" if i == count - 1 else f"h{i + 1}"]),
        ]
    info = helper.make_tensor_value_info
    of = [info(name, TensorProto.FLOAT, ["n", width]) for name in "xy"]
    graph = helper.make_graph(nodes, "layers", of[:1], of[1:], weights)
    opset = [helper.make_opsetid("", 17)]
    return helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString()


def prepare(
    plain: Path,
    cache_dir: Path,
    key: str,
    *,
    variant: Variant = Variant.SAVED,
    damage: Callable[[Path], object] = str,
) -> Path:
    """Have a variant in a cache without any measuring: the entry's folder."""
    store = PreparedStore(cache_dir)
    store.root.mkdir(parents=True, exist_ok=True)
    workspace = store.workspace()
    trials._write(plain, workspace, SOURCE[variant])
    damage(workspace)
    files = {name: file_of(workspace / name) for name in (GRAPH, WEIGHTS)}
    store.place(workspace, key, Entry(variant=variant, reason="a test", files=files))
    return store.root / key
