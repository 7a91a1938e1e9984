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
    ],
)
def test_anything_else_is_refused_by_name(raw: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said) as caught:
        explain_requests.parse(raw)
    assert caught.value.status == 400
