"""Models of single rows, of fixed batches, and of items without rows."""

from typing import Any

import numpy as np
import pytest

from predictor import explain_rows
from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked
from predictor.explain_rows import Rows
from predictor.model import Signature, Tensor, TensorSpec
from tests.predictor.explain_bench import explain, model

WEIGHTS = np.array([1.0, -2.0, 0.5])


def declared(inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]]) -> Signature:
    return Signature(
        inputs=[TensorSpec(name=f"x{at}", datatype="FP64", shape=s) for at, s in enumerate(inputs)],
        outputs=[
            TensorSpec(name=f"y{at}", datatype="FP64", shape=s) for at, s in enumerate(outputs)
        ],
    )


@pytest.mark.parametrize(
    ("inputs", "outputs", "rows"),
    [
        ([(-1, 3)], [(-1,)], Rows(256)),
        ([(1, 3)], [(1,)], Rows(1)),
        ([(1, 3), (-1,)], [(-1,)], Rows(1)),
        ([(4, 3)], [(4,)], Rows(4, is_exact=True)),
        ([(4, 3), (4,)], [(2,), (4, 2)], Rows(4, is_exact=True)),
        ([(3, 8, 8)], [(10,)], Rows(1, is_item=True)),
        ([(8, 8, 3)], [(1, 10)], Rows(1, is_item=True)),
        ([(1, 3, 8, 8), (2,)], [(1, 10)], Rows(1, is_item=True)),
        ([()], [()], Rows(1, is_item=True)),
        ([(4, 3)], [], Rows(1, is_item=True)),
    ],
)
def test_what_the_first_axis_is(inputs: Any, outputs: Any, rows: Rows) -> None:
    assert explain_rows.of(declared(inputs, outputs), 256) == rows


def test_what_nobody_declares_is_rows_and_what_has_both_is_refused() -> None:
    assert explain_rows.of(None, 7) == Rows(7)
    with pytest.raises(RequestError, match=r"'x1' has shape \[4\]: it does not take single rows"):
        explain_rows.of(declared([(-1, 3), (4,)], [(-1,)]), 256)


def test_a_batch_of_a_fixed_size_is_filled_up() -> None:
    def four(x0: Tensor) -> Tensor:
        assert x0.shape == (4, 3)
        return x0 @ WEIGHTS

    rows = np.arange(12.0).reshape(4, 3)
    loaded = model(four, signature=declared([(4, 3)], [(4,)]))
    found = explain(loaded, Asked(baseline=[1, 1, 1]), x0=rows)
    for each, row in zip(found, rows, strict=True):
        np.testing.assert_allclose(each.values, (row - 1) * WEIGHTS)
        assert each.is_additive


def test_an_item_without_rows_is_one() -> None:
    def image(x0: Tensor, x1: Tensor) -> dict[str, Tensor]:
        assert x0.shape == (3, 4, 4)
        assert x1.shape == ()
        value = x0[0].sum() + 2 * x1
        return {"p": np.array([-value, value])}

    loaded = model(image, signature=declared([(3, 4, 4), ()], [(2,)]))
    asked = Asked(features=4, baseline={"x0": 0, "x1": 1})
    (found,) = explain(loaded, asked, x0=np.ones((3, 4, 4)), x1=np.array(3.0))
    written = found.written()
    assert written["output"] == "p[1]"
    assert written["attributions"] == {"x0": [[[4, 4], [4, 4]]], "x1": 4}


def test_a_fault_is_told_to_the_steps() -> None:
    def picky(x0: Tensor) -> Tensor:
        if (x0 == 0).all(axis=1).any():
            raise RequestError(Fault.REJECTED, detail="nothing")
        return x0.sum(axis=1)

    loaded = model(picky, signature=declared([(4, 3)], [(4,)]))
    with pytest.raises(RequestError, match=r"refuses rows in which .*: nothing"):
        explain(loaded, x0=np.ones((4, 3)))
