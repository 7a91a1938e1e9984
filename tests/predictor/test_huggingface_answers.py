"""Texts in requests, as a transformer is asked; its answers are in test_huggingface_model."""

from typing import Any

import numpy as np
import pytest

from predictor.errors import RequestError
from predictor.huggingface_answers import texts_of


@pytest.mark.parametrize("array", [["a", b"\xc3\xa9"], [["a"], ["é"]]])
def test_one_input_of_any_name_is_the_texts(array: Any) -> None:
    assert texts_of({"any": np.array(array, object)}) == ["a", "é"]


@pytest.mark.parametrize("array", ["a", [[["a"]]], [["a", "b"]]])
def test_other_shapes_are_refused(array: Any) -> None:
    with pytest.raises(RequestError, match=r"expected shape \[-1\]"):
        texts_of({"any": np.array(array, object)})
