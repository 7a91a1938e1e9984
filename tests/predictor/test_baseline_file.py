"""baseline.json."""

from typing import Any

import pytest

from predictor import baseline_file
from predictor.errors import LoadError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[1, 2]", [1, 2]),
        ("[[1, 2], [3, 4]]", [[1, 2], [3, 4]]),
        ('{"a": 1}', {"a": 1}),
        ('[{"a": 1}, {"a": 2}]', [{"a": 1}, {"a": 2}]),
        (str([[[1, 2]]] * 224), [[[1, 2]]] * 224),  # an item of several axes: no rows to count
        ('{"x": 127}', {"x": 127}),
        ("[NaN]", pytest.approx([float("nan")], nan_ok=True)),
    ],
)
def test_rows_as_they_stand(text: str, found: Any) -> None:
    assert baseline_file.parse(text, where="b") == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1,", "^b is not JSON: "),
        ("[" * 100_000, "^b is not JSON: "),
        ("3", "^b: expected a row or a list of rows, got a whole number$"),
        ("[]", "got nothing$"),
        ("[[1], [1, 2]]", "^b: row 1 is not like the first"),
        ('[[1], {"a": 1}]', "^b: row 1 is not like the first"),
        ("[[1], 2]", "^b: row 1 is not like the first"),
        (str([[1]] * 101), "^b: expected at most 100 rows, got 101$"),
    ],
)
def test_what_is_none(text: str, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        baseline_file.parse(text, where="b")
