"""Trees that are what sklearn-pmml-model takes them for, and those that are not."""

import pytest

from predictor.pmml_files import read
from tests.predictor.pmml_documents import TREE, TREE_REGRESSION


def test_plain_trees() -> None:
    assert read(TREE.encode()).trees_problem == ""
    assert read(TREE_REGRESSION.encode()).trees_problem == ""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("greaterThan", "greaterOrEqual", "not two opposites"),
        ('operator="greaterThan" value="0.5"', 'operator="greaterThan" value="0.7"', "opposites"),
        ('field="a" operator="greaterThan"', 'field="b" operator="greaterThan"', "opposites"),
        ('confidence="0.75"', 'confidence="0.9"', "confidences are not its counts"),
        ('recordCount="3"', 'recordCount="x"', "confidences are not its counts"),
        (' score="no"', "", "has a node without a score"),
        ("<TreeModel", '<TreeModel noTrueChildStrategy="returnLastPrediction"', "LastPrediction"),
    ],
)
def test_others_are_told_apart(old: str, new: str, said: str) -> None:
    assert old in TREE
    assert said in read(TREE.replace(old, new, 1).encode()).trees_problem
