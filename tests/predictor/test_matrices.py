"""Tensors of a request as one matrix."""

import ml_dtypes
import numpy as np
import pytest

from predictor.errors import RequestError
from predictor.matrices import columns, matrix
from predictor.model import Tensor

NAMES = ("a", "b")


def test_one_input_of_any_name_is_the_matrix_itself() -> None:
    whole = np.ones((3, 2), np.float32)
    for features, width in ((NAMES, 2), ((), 2), ((), 0)):
        assert matrix({"input-0": whole}, features, width) is whole


def test_bf16_is_fp32_to_libraries() -> None:
    rows = np.array([[1.5, 2]]).astype(ml_dtypes.bfloat16)
    assert matrix({"x": rows}, (), 2).dtype == np.float32
    found = matrix({"a": rows[0], "b": rows[0]}, NAMES, 2)
    assert (found.dtype, found.tolist()) == (np.float32, [[1.5, 1.5], [2, 2]])


def test_texts_for_a_model_of_unknown_width_stay_one_dimension() -> None:
    texts = np.array(["x", "y"], object)
    assert matrix({"instances": texts}, (), 0) is texts


def test_a_single_feature_may_come_without_its_second_dimension() -> None:
    assert matrix({"x": np.arange(3)}, (), 1).shape == (3, 1)


def test_columns_come_in_the_models_order() -> None:
    given: dict[str, Tensor] = {"b": np.array([3, 4]), "a": np.array([[1.5], [2.5]])}
    assert matrix(given, NAMES, 2).tolist() == [[1.5, 3.0], [2.5, 4.0]]
    assert list(columns(given, NAMES, 2)) == ["a", "b"]
    assert matrix({"a": np.array([7])}, ("a",), 1).tolist() == [[7]]


def test_columns_of_a_model_without_names_come_in_the_requests_order() -> None:
    given: dict[str, Tensor] = {"b": np.array([3]), "a": np.array([1])}
    assert matrix(given, (), 2).tolist() == [[3, 1]]


def test_text_and_numbers_side_by_side_stay_what_they_are() -> None:
    found = matrix({"a": np.array([1]), "b": np.array(["x"], object)}, NAMES, 2)
    assert found.tolist() == [[1, "x"]]


@pytest.mark.parametrize(
    ("inputs", "features", "width", "words"),
    [
        ({}, (), 0, "missing input 'input-0'"),
        ({"x": np.ones((1, 3))}, (), 2, "dimension 1 must be 2"),
        ({"x": np.ones(3)}, (), 2, r"expected shape \[-1, 2\] \(rank 2\), got \[3\]"),
        ({"x": np.array(1.0)}, (), 0, "rank 0"),
        ({"a": np.ones(1), "c": np.ones(1)}, NAMES, 2, "unknown input 'c'"),
        ({"a": np.ones(1)}, NAMES, 2, "missing input 'b'"),
        ({"a": np.ones(1), "b": np.ones(2)}, NAMES, 2, "dimension 0 is 2, but 'rows' is 1 in 'a'"),
        ({"a": np.ones(1), "b": np.ones((1, 2))}, NAMES, 2, "input 'b': expected shape"),
        ({"a": np.ones(1), "b": np.ones(1)}, (), 3, "expected 3 columns"),
    ],
)
def test_what_differs_is_said(
    inputs: dict[str, Tensor], features: tuple[str, ...], width: int, words: str
) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        matrix(inputs, features, width)
    assert caught.value.status == 400
