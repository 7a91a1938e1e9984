"""Items in blocks: which axes are cut, what a block covers, and sums that can be done by hand."""

import json
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor import explain_blocks
from predictor.errors import RequestError
from predictor.explain_requests import Asked
from predictor.model import Signature, Tensor, TensorSpec
from tests.predictor.explain_bench import explain, model

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("shape", "features", "grid"),
    [
        ((3, 224, 224), 64, (1, 8, 8)),
        ((224, 224, 3), 64, (8, 8, 1)),
        ((1, 28, 28), 64, (1, 7, 7)),
        ((28, 28), 64, (7, 7)),
        ((480, 640, 3), 64, (7, 9, 1)),
        ((128, 768), 64, (64, 1)),  # positions; their vectors stay whole
        ((3, 100), 64, (1, 50)),
        ((5000,), 64, (64,)),
        ((16, 3, 32, 32), 64, (2, 1, 4, 4)),
        ((4, 4, 4), 64, (4, 4, 4)),
        ((2, 2), 64, (2, 2)),
        ((1, 1, 1), 64, (1, 1, 1)),
        ((3, 224, 224), 1, (1, 1, 1)),
        ((512, 7, 7), 64, (8, 1, 1)),
    ],
)
def test_which_axes_are_cut(shape: tuple[int, ...], features: int, grid: tuple[int, ...]) -> None:
    found = explain_blocks.grid_of(shape, features)
    if shape[0] != 512:  # of feature maps only that it is within bounds
        assert found == grid
    assert prod(found) <= features


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 4096),
)
def test_blocks_are_within_bounds_and_cover_all_once(shape: list[int], features: int) -> None:
    grid = explain_blocks.grid_of(shape, features)
    assert prod(grid) <= features
    blocks = explain_blocks.of("x", np.zeros((1, *shape)), grid)
    for edges, size in zip(blocks.edges, shape, strict=True):
        assert (edges[0], edges[-1]) == (0, size)
        assert all(low < high for low, high in pairwise(edges))


def test_a_block_has_the_item_s_values_or_the_baseline_s() -> None:
    array = np.arange(1.0, 13).reshape(1, 3, 4)
    blocks = explain_blocks.of("x", array, (1, 3))
    assert blocks.edges == ((0, 3), (0, 1, 2, 4))
    found = blocks.swapped(0, blocks.zeros(), np.array([[True, False, False]]), np.zeros(1, int))
    assert found.tolist() == [[[1, 0, 0, 0], [5, 0, 0, 0], [9, 0, 0, 0]]]
    other = array.copy()
    other[0, 2, 3] = 99
    assert blocks.differing(0, other).tolist() == [False, False, True]


@pytest.mark.parametrize("shape", [(3, 8, 8), (8, 8, 3), (10, 6), (5, 2, 3, 4)])
def test_of_a_sum_each_block_has_its_part(shape: tuple[int, ...]) -> None:
    weights, item, base = (GENERATOR.normal(size=shape) for _ in range(3))

    def summed(x: Tensor) -> Tensor:
        return (x * weights).reshape(len(x), -1).sum(axis=1) + 3

    for asked, start in ((Asked(), 0.0), (Asked(baseline=base.tolist(), features=12), base)):
        (found,) = explain(model(summed), asked, x=[item])
        written = json.loads(json.dumps(found.written()))
        blocks = written["blocks"]["x"]
        parts = (item - start) * weights
        for axis, edges in enumerate(blocks["edges"]):
            parts = np.add.reduceat(parts, edges[:-1], axis=axis)
        assert blocks["shape"] == list(shape)
        assert blocks["grid"] == list(parts.shape)
        np.testing.assert_allclose(written["attributions"]["x"], parts, atol=1e-9)
        assert written["is_additive"]
        assert prod(blocks["grid"]) <= (asked.features or 64)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_attributions_add_up_whatever_the_model(data: st.DataObject) -> None:
    shape = data.draw(st.lists(st.integers(1, 5), min_size=2, max_size=3))
    grid = [data.draw(st.integers(1, size)) for size in shape]
    items = np.random.default_rng(data.draw(st.integers(0, 99))).normal(size=(2, *shape))

    def crossed(x: Tensor) -> Tensor:
        flat = x.reshape(len(x), -1)
        return np.sin(flat).sum(axis=1) * np.cos(flat).prod(axis=1)

    asked = Asked(grid={"": tuple(grid)}, baseline=0.5)
    for each in explain(model(crossed), asked, x=items):
        assert each.is_additive
        assert np.shape(each.written()["attributions"]["x"]) == tuple(grid)


def test_a_model_of_one_large_item_is_asked_one_by_one() -> None:
    sizes = set()

    def mean(x: Tensor) -> Tensor:
        sizes.add(len(x))
        return x.mean(axis=(1, 2, 3))

    spec = TensorSpec(name="x", datatype="FP32", shape=(1, 3, 300, 300))
    for fields in ({}, {"signature": Signature(inputs=[spec], outputs=[])}):
        asked = Asked(grid={"": (1, 2, 2)})
        (found,) = explain(model(mean, **fields), asked, x=np.ones((1, 3, 300, 300), np.float32))
        np.testing.assert_allclose(found.values, 0.25, atol=1e-6)
    assert sizes == {1}


def test_blocks_beside_columns() -> None:
    def both(x: Tensor, age: Tensor) -> Tensor:
        return x.sum(axis=(1, 2)) + 2 * age

    (found,) = explain(model(both), Asked(features=4), x=np.ones((1, 8, 8)), age=np.array([3.0]))
    written = found.written()
    assert written["attributions"] == {"x": [[16, 16], [16, 16]], "age": 6}
    assert list(written["blocks"]) == ["x"]


def test_tokens_of_a_text_at_their_positions() -> None:
    def scores(input_ids: Tensor, attention_mask: Tensor) -> dict[str, Any]:
        assert attention_mask.all()
        value = np.where(input_ids == 7, 3.0, 0.0).sum(axis=1)
        return {"logits": np.column_stack([-value, value])}

    ids = np.array([[101, 7, 5, 7, 102]])
    (found,) = explain(model(scores), input_ids=ids, attention_mask=np.ones_like(ids))
    assert found.values.tolist() == pytest.approx([0, 3, 0, 3, 0])
    assert found.names[1] == "input_ids[1]"
    asked = Asked(grid={"input_ids": (2,)}, baseline={"input_ids": 103})
    (found,) = explain(model(scores), asked, input_ids=ids, attention_mask=np.ones_like(ids))
    assert found.written()["attributions"] == {"input_ids": [3, 3]}


def test_trees_do_not_tell_of_blocks() -> None:
    from tests.predictor.test_explaining import trees

    def linear(x: Tensor) -> Tensor:
        return x @ np.array([1.0, -2.0, 0.5]) + 3

    row = [[1.0, 2.0, 4.0]]
    (found,) = explain(model(linear, trees=trees()), Asked(grid={"": (2,)}), x=row)
    assert found.written()["attributions"] == {"x": [pytest.approx(1), pytest.approx(-2)]}
    assert "tree_shap is for columns" in found.note
    with pytest.raises(RequestError, match="tree_shap is for columns"):
        explain(model(linear, trees=trees()), Asked(grid={"": (2,)}, method="tree_shap"), x=row)
