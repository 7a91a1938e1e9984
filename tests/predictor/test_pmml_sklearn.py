"""PMML without Java: what is evaluated, and what is refused by name."""

import pytest

from predictor.pmml_files import read
from predictor.pmml_sklearn import unknown
from tests.predictor.pmml_documents import (
    CLUSTERS,
    LINEAR,
    LOGISTIC,
    TREE,
    TREE_REGRESSION,
    forest,
)


@pytest.mark.parametrize(
    "text",
    [TREE, TREE_REGRESSION, LINEAR, LOGISTIC, forest("average", "regression")],
)
def test_what_is_evaluated_faithfully(text: str) -> None:
    assert unknown(read(text.encode())) == ""


DERIVED = "<LocalTransformations><DerivedField/></LocalTransformations><Node"
ENTITY = '<Output><OutputField name="n" feature="entityId"/></Output><Node'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CLUSTERS, "is a ClusteringModel for clustering"),
        (TREE.replace("<Node", DERIVED, 1), "uses DerivedField, LocalTransformations"),
        (TREE.replace("<Node", ENTITY, 1), r"declares the output 'n' \(entityId\)"),
        (TREE.replace('"a"/>', '"a" outliers="asExtremeValues"/>', 1), "says outliers"),
        (forest("sum", "regression"), "joins its segments by sum"),
        (forest("majorityVote", "classification"), "is a MiningModel for classification"),
        (TREE.replace("greaterThan", "equal"), "branches are not two opposites"),
        (TREE.replace('<MiningField name="b"/>', ""), "lists fields that its model does not take"),
        (
            TREE.replace(
                '"b" optype="continuous" dataType="double"',
                '"b" optype="categorical" dataType="string"',
            ),
            "takes 'b', which is no number",
        ),
    ],
)
def test_what_is_not_is_refused_by_name(text: str, said: str) -> None:
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(unknown(read(text.encode())))
