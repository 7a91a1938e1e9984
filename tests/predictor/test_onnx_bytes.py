"""Weights beside the model are seen in its bytes, wherever a tensor may be."""

import contextlib

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from predictor.onnx_bytes import DamagedBytesError, has_external_data


def tensor(*, is_external: bool) -> TensorProto:
    made = numpy_helper.from_array(np.ones(300, np.float32), "w")
    if is_external:
        onnx.external_data_helper.set_external_data(made, "weights.bin")
        made.ClearField("raw_data")
        made.data_location = TensorProto.EXTERNAL
    return made


def graph(nodes: list[onnx.NodeProto], **more: object) -> onnx.GraphProto:
    info = helper.make_tensor_value_info("y", TensorProto.FLOAT, [300])
    return helper.make_graph(nodes, "g", [], [info], **more)


def constant(*, is_external: bool) -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor(is_external=is_external))


def plain(*, is_external: bool) -> onnx.GraphProto:
    node = helper.make_node("Identity", ["w"], ["y"])
    return graph([node], initializer=[tensor(is_external=is_external)])


def in_attribute(*, is_external: bool) -> onnx.GraphProto:
    return graph([constant(is_external=is_external)])


def in_branch(*, is_external: bool) -> onnx.GraphProto:
    branches = {
        "then_branch": graph([constant(is_external=False)]),
        "else_branch": graph([constant(is_external=is_external)]),
    }
    return graph([helper.make_node("If", ["c"], ["y"], **branches)])


def sparse(*, is_external: bool) -> onnx.GraphProto:
    indices = numpy_helper.from_array(np.arange(300), "i")
    made = helper.make_sparse_tensor(tensor(is_external=is_external), indices, [400])
    return graph([helper.make_node("Identity", ["w"], ["y"])], sparse_initializer=[made])


@pytest.mark.parametrize("make", [plain, in_attribute, in_branch, sparse])
@pytest.mark.parametrize("is_external", [True, False])
def test_a_tensor_elsewhere_is_seen(make: object, *, is_external: bool) -> None:
    assert callable(make)
    model = helper.make_model(make(is_external=is_external)).SerializeToString()
    assert has_external_data(model) is is_external


@pytest.mark.parametrize("data", [b"\x3a\x05", b"\x3a", b"\xff" * 12, b"\x3b", b"\x3a\x01\x0a"])
def test_damage_is_told(data: bytes) -> None:
    with pytest.raises(DamagedBytesError):
        has_external_data(data)


@given(st.binary(max_size=60))
def test_any_bytes_have_an_answer_or_are_damaged(data: bytes) -> None:
    with contextlib.suppress(DamagedBytesError):
        assert has_external_data(data) in (True, False)
