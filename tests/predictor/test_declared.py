"""A model with the tensors that somebody declared for it."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from predictor import declared, matrices
from predictor.errors import LoadError, RequestError
from predictor.loaded import Loaded
from predictor.model import Signature, Tensor, TensorSpec


def spec(name: str, datatype: str = "FP32", *shape: int) -> TensorSpec:
    return TensorSpec(name=name, datatype=datatype, shape=shape)


def signature(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec] = ()) -> Signature:
    return Signature(inputs=inputs, outputs=outputs)


def tabular(features: tuple[str, ...] = (), width: int = 3) -> Loaded:
    """A model that adds up the columns of a row, by KServe's names."""

    def run(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        rows = matrices.matrix(feeds, features, width)
        outputs = {"output-0": rows.sum(axis=1), "output-1": rows[:, 0]}
        return {name: outputs[name] for name in wanted or outputs}

    return Loaded(
        run=run,
        signature=None,
        platform="test",
        described=signature(
            [spec("input-0", "FP64", -1, width)],
            [spec("output-0", "FP64", -1), spec("output-1", "FP64", -1)],
        ),
        facts={"feature_names": list(features)} if features else {},
        is_rowwise=True,
    )


def named() -> Loaded:
    own = signature([spec("x", "FP32", -1, 4)], [spec("y", "INT64", -1)])
    return Loaded(run=lambda feeds, _: feeds, signature=own, platform="test", described=own)


def test_a_model_that_knows_its_tensors_keeps_them() -> None:
    loaded = named()
    said = signature([spec("x", "FP32", 8, 4)], [spec("y", "INT64", -1)])
    assert declared.applied(loaded, said, where="f") is loaded


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([spec("z")], [], "f names input 'z', which the model has not: it has x"),
        (
            [spec("x", "FP64", -1, 4)],
            [],
            "f says that input 'x' is FP64, while the model's is FP32",
        ),
        ([spec("x", "FP32", -1, 5)], [], "shape [-1, 5], while the model's has [-1, 4]"),
        ([spec("x", "FP32", -1)], [], "shape [-1], while the model's has [-1, 4]"),
        ([spec("x", "FP32", -1, 4)], [spec("z")], "f names output 'z', which the model has not"),
        ([spec("x", "FP32", -1, 4)], [spec("y", "FP32", -1)], "output 'y' is FP32, while the mo"),
    ],
)
def test_what_contradicts_the_model_names_both(
    inputs: list[TensorSpec], outputs: list[TensorSpec], words: str
) -> None:
    with pytest.raises(LoadError) as caught:
        declared.applied(named(), signature(inputs, outputs), where="f")
    assert words in str(caught.value)


def test_one_input_is_the_matrix_whatever_its_name() -> None:
    said = signature([spec("rows", "FP32", -1, 3)], [spec("sum", "FP64", -1)])
    found = declared.applied(tabular(), said, where="f")
    assert found.signature == found.described
    assert found.signature is not None
    assert [each.name for each in found.signature.outputs] == ["sum", "output-1"]
    feeds = {"rows": np.array([[1.0, 2.0, 3.0]])}
    assert {name: each.tolist() for name, each in found.run(feeds, None).items()} == {
        "sum": [6.0],
        "output-1": [1.0],
    }
    assert list(found.run(feeds, ("sum",))) == ["sum"]
    assert found.is_rowwise


def test_a_value_a_row_may_be_declared_as_a_row_of_one() -> None:
    outputs = [spec("sum", "FP64", -1, 1), spec("first", "FP64", -1)]
    said = signature([spec("rows", "FP32", -1, 3)], outputs)
    loaded = declared.applied(tabular(), said, where="f")
    assert loaded.signature is not None
    assert loaded.signature.outputs == outputs
    feeds = {"rows": np.array([[1, 2, 3], [4, 5, 6]], np.float32)}
    found = loaded.run(feeds, None)
    assert (found["sum"].tolist(), found["first"].tolist()) == ([[6.0], [15.0]], [1.0, 4.0])
    assert loaded.run(feeds, ("sum",))["sum"].shape == (2, 1)
    wide = signature([], [spec("sum", "FP64", -1, 2)])
    with pytest.raises(LoadError, match=r"shape \[-1, 2\], while the model's has \[-1\]"):
        declared.applied(tabular(), wide, where="f")


def test_several_inputs_are_columns_side_by_side() -> None:
    said = signature([spec("a", "FP32", -1), spec("rest", "FP64", -1, 2)])
    found = declared.applied(tabular(), said, where="f")
    feeds = {"a": np.array([1.0]), "rest": np.array([[10.0, 100.0]])}
    assert found.run(feeds, ("output-0",))["output-0"].tolist() == [111.0]
    empty = {"a": np.zeros(0), "rest": np.zeros((0, 2))}
    assert found.run(empty, ("output-0",))["output-0"].tolist() == []
    with pytest.raises(RequestError, match="different numbers of rows: a 1, rest 2"):
        found.run({"a": np.zeros(1), "rest": np.zeros((2, 2))}, None)


def test_columns_by_the_models_own_names_are_left_to_it() -> None:
    said = signature([spec("c"), spec("a"), spec("b")])
    found = declared.applied(tabular(("a", "b", "c")), said, where="f")
    feeds = {"c": np.array([3.0]), "a": np.array([1.0]), "b": np.array([2.0])}
    assert found.run(feeds, ("output-1",))["output-1"].tolist() == [1.0]


def test_a_model_that_says_nothing_takes_what_is_declared() -> None:
    loaded = Loaded(run=lambda feeds, _: feeds, signature=None, platform="t", described=None)
    said = signature([spec("a"), spec("b")], [spec("y")])
    found = declared.applied(loaded, said, where="f")
    assert found.signature == said
    assert found.run is loaded.run


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [
        ([spec("x", "FP32", -1, 4)], [], "shape [-1, 4], while the model's has [-1, 3]"),
        ([spec("a", "FP32", -1), spec("b", "FP32", -1)], [], "2 columns, while the model takes 3"),
        ([spec("a", "FP32", -1), spec("b", "FP32", -1, -1)], [], "several inputs are columns"),
        ([spec("x", "FP32", -1, 3)], [spec("y", "INT64", -1)], "is INT64, while the model's is"),
        ([spec("x", "FP32", -1, 3)], [spec("y")] * 3, "names 3 outputs, while the model has 2"),
    ],
)
def test_what_rows_and_columns_contradict(
    inputs: list[TensorSpec], outputs: list[TensorSpec], words: str
) -> None:
    with pytest.raises(LoadError) as caught:
        declared.applied(tabular(), signature(inputs, outputs), where="f")
    assert words in str(caught.value)


def test_a_model_of_several_inputs_without_a_signature() -> None:
    own = signature([spec("age", "FP64", -1), spec("height", "FP64", -1)])
    loaded = Loaded(run=lambda feeds, _: feeds, signature=None, platform="t", described=own)
    said = signature([spec("age", "INT64", -1)])
    assert declared.applied(loaded, said, where="f").signature == said
    with pytest.raises(LoadError, match="names inputs x, while the model takes age, height"):
        declared.applied(loaded, signature([spec("x")]), where="f")


def test_a_module_of_places_takes_names_in_tritons_order_or_theirs() -> None:
    def run(feeds: dict[str, Tensor], wanted: tuple[str, ...] | None) -> Mapping[str, Tensor]:
        del wanted
        first, second = (feeds[name] for name in ("INPUT__0", "INPUT__1"))
        return {"OUTPUT__0": first - second, "OUTPUT__1": first}

    loaded = Loaded(
        run=run,
        signature=None,
        platform="t",
        described=None,
        facts={"forward_arguments": ["x", "y"]},
    )
    one, two = np.array([1.0]), np.array([2.0])
    said = signature([spec("a"), spec("b")], [spec("difference"), spec("first")])
    found = declared.applied(loaded, said, where="f")
    answer = found.run({"b": two, "a": one}, ("first",))
    assert {name: array.tolist() for name, array in answer.items()} == {
        "difference": [-1.0],
        "first": [1.0],
    }
    said = signature([spec("I__1"), spec("I__0")], [spec("O__1")])
    answer = declared.applied(loaded, said, where="f").run({"I__1": two, "I__0": one}, None)
    assert answer["O__1"].tolist() == [1.0]
    with pytest.raises(LoadError, match="f names 3 inputs, while the model takes x, y"):
        declared.applied(loaded, signature([spec("a"), spec("b"), spec("c")]), where="f")
