"""Parameters of an explanation."""

from typing import Any

import pytest

from predictor import explain_requests
from predictor.errors import RequestError
from predictor.explain_requests import Asked


def test_what_is_left_out_has_a_default() -> None:
    assert explain_requests.parse(None) == explain_requests.parse({}) == Asked()
    raw = {"samples": 10, "seed": 3, "output": "y[1]", "method": "permutation", "baseline": [1]}
    found = explain_requests.parse({**raw, "content_type": "np"}, passed_over=("content_type",))
    assert found == Asked(samples=10, seed=3, output="y[1]", method="permutation", baseline=[1])
    raw = {"features": 9, "grid": [1, 2], "unit": "word", "keep": ["m"]}
    found = explain_requests.parse(raw)
    assert found == Asked(features=9, grid={"": (1, 2)}, unit="word", keep=("m",))
    assert explain_requests.parse({"grid": {"x": [3]}}).grid == {"x": (3,)}
    assert explain_requests.parse({"keep": []}).keep == ()
    found = explain_requests.parse({"grid": [2.0], "samples": 8.0, "seed": 1.0, "features": 2.0})
    assert found == Asked(grid={"": (2,)}, samples=8, seed=1, features=2)
    assert explain_requests.parse(dict.fromkeys(("features", "grid", "keep"))) == Asked()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ([], "parameters: expected an object, got a list"),
        ({"sample": 1}, "parameters.sample: expected one of samples, seed, output, method, base"),
        ({"samples": 0}, "parameters.samples: expected a whole number from 1 to 1000000, got 0"),
        ({"samples": 1_000_001}, "got 1000001"),
        ({"samples": 1.5}, "got 1.5"),
        ({"samples": True}, "parameters.samples: .*got true or false"),
        ({"seed": -1}, "parameters.seed: .*got -1"),
        ({"seed": "1"}, "parameters.seed: .*got text"),
        ({"output": 1}, "parameters.output: expected text"),
        ({"method": "lime"}, "parameters.method: expected one of auto, .*got 'lime'"),
        ({"method": []}, "parameters.method: .*got a list"),
        ({"features": 0}, "parameters.features: expected a whole number from 1 to 4096, got 0"),
        ({"features": 4097}, "parameters.features: .*got 4097"),
        ({"features": "9"}, "parameters.features: .*got text"),
        ({"grid": []}, "parameters.grid: expected a list of whole numbers.*got an empty list"),
        ({"grid": {}}, "parameters.grid: expected lists by the names .*got an empty object"),
        ({"grid": 3}, "parameters.grid: expected a list of whole numbers.*got a whole number"),
        ({"grid": [2, 0]}, r"parameters.grid\[1\]: expected a whole number .*got 0"),
        ({"grid": [2.5]}, r"parameters.grid\[0\]: .*got 2.5"),
        ({"grid": [True]}, r"parameters.grid\[0\]: .*got true or false"),
        ({"grid": {"x": [[1]]}}, r"parameters.grid.x\[0\]: .*got a list"),
        ({"grid": [65, 64]}, "parameters.grid: expected at most 4096 blocks together, got 4160"),
        ({"grid": [1] * 33}, "parameters.grid: expected at most 32 axes, got 33"),
        ({"unit": "letter"}, "parameters.unit: expected one of auto, word, column, got 'letter'"),
        ({"keep": "m"}, "parameters.keep: expected a list of names of inputs, got text"),
        ({"keep": [1]}, "parameters.keep: expected .*got a list of others"),
    ],
)
def test_anything_else_is_refused_by_name(raw: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        explain_requests.parse(raw)
    assert caught.value.status == 400
