"""Made-up inputs, and when two answers are alike."""

from typing import Any

import numpy as np
import pytest

from predictor.sampling import FREE_SIZES, Argument, CannotMakeError, attempts, difference, make


def argument(type_: str, *shape: int | str | None, name: str = "x") -> Argument:
    return Argument(name=name, type=f"tensor({type_})", shape=shape)


def test_open_sizes_are_made_up_and_named_ones_agree() -> None:
    arguments = [
        argument("float", "n", 3, None, "w", name="a"),
        argument("int64", "n", "w", name="b"),
        argument("bool", 2, "n", name="c"),
        argument("double", name="d"),
    ]
    made = make(arguments, rows=5, free=7, seed=1)
    assert {name: array.shape for name, array in made.items()} == {
        "a": (5, 3, 7, 7),
        "b": (5, 7),
        "c": (2, 5),
        "d": (),
    }
    assert [str(array.dtype) for array in made.values()] == ["float32", "int64", "bool", "float64"]
    assert set(np.unique(made["b"])) <= {0, 1}


def test_the_same_seed_makes_the_same() -> None:
    arguments = [argument("float16", 4, 4)]
    first, again, other = (make(arguments, rows=1, free=1, seed=seed)["x"] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_sizes_are_tried_only_where_any_is_open() -> None:
    assert list(attempts([argument("float", "n", 3)])) == [FREE_SIZES[0]]
    assert tuple(attempts([argument("float", 1, "w")])) == FREE_SIZES


def test_texts_and_giants_can_not_be_made_up() -> None:
    with pytest.raises(
        CannotMakeError, match=r"no values can be made up for input 'x', a tensor\(string\)"
    ):
        list(attempts([argument("string", 1)]))
    with pytest.raises(CannotMakeError, match="'x' has more than 67108864 values"):
        make([argument("float", 2**20, 2**20)], rows=1, free=1, seed=1)


def fault(ours: Any, theirs: Any) -> str:
    return difference({"y": np.asarray(ours)}, {"y": np.asarray(theirs)})


F32 = np.float32


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (F32([1, 1000]), F32([1.005, 1000.005])),  # 1e-5 of the largest
        (F32([1e-9]), F32([0])),
        (F32([np.nan, np.inf, -np.inf]), F32([np.nan, np.inf, -np.inf])),
        (np.float16([1.0]), np.float16([1.001])),
        (F32([]), F32([])),
        (np.array(["a"], object), np.array(["a"], object)),
        ([1, 2], [1, 2]),
    ],
)
def test_alike(ours: Any, theirs: Any) -> None:
    assert fault(ours, theirs) == ""


@pytest.mark.parametrize(
    ("ours", "theirs", "said"),
    [
        (F32([1]), F32([1.001]), "output 'y' differs by 0.001"),
        (F32([1]), F32([np.nan]), "output 'y' differs by nan"),
        (F32([np.nan]), F32([1]), "output 'y' differs by inf"),
        (F32([np.inf]), F32([-np.inf]), "output 'y' differs by inf"),
        (np.float16([1.0]), np.float16([1.5]), "output 'y' differs by 0.5"),
        (F32([1]), np.float64([1]), "output 'y' is float64[1], not float32[1]"),
        (F32([1]), F32([[1]]), "output 'y' is float32[1, 1], not float32[1]"),
        ([1, 2], [1, 3], "output 'y' differs"),
        (np.array(["a"], object), np.array(["b"], object), "output 'y' differs"),
    ],
)
def test_not_alike(ours: Any, theirs: Any, said: str) -> None:
    assert fault(ours, theirs) == said


def test_other_outputs_are_not_alike() -> None:
    assert difference({"y": F32([1])}, {"z": F32([1])}) == "the outputs have other names"
