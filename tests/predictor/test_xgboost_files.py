"""XGBoost files, checked before the library sees them."""

import copy
from typing import Any

import orjson
import pytest

from predictor.errors import LoadError
from predictor.xgboost_files import read

TREE = {
    "tree_param": {"num_nodes": "3"},
    "left_children": [1, -1, -1],
    "right_children": [2, -1, -1],
    "split_indices": [1, 0, 0],
    "parents": [2147483647, 0, 0],
    "split_conditions": [0.5, 1.0, 2.0],
}
DOCUMENT: dict[str, Any] = {
    "version": [3, 2, 0],
    "learner": {
        "objective": {"name": "reg:squarederror"},
        "feature_names": ["a", "b"],
        "learner_model_param": {"num_feature": "2", "num_class": "0"},
        "gradient_booster": {
            "name": "gbtree",
            "model": {
                "trees": [TREE],
                "cats": {
                    "enc": [
                        {"offsets": [], "values": []},
                        {"offsets": [0, 1, 3], "values": [120, -61, -87]},
                    ]
                },
            },
        },
    },
}


def test_what_the_file_says_of_its_model() -> None:
    found = read(orjson.dumps(DOCUMENT))
    assert found.version == (3, 2, 0)
    assert (found.objective, found.booster, found.classes) == ("reg:squarederror", "gbtree", 0)
    assert found.feature_names == ("a", "b")
    assert found.categories == {1: {"x": 0, "é": 1}}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("left_children", [1, -1], r"3 nodes and \(2,\) values of left_children"),
        ("parents", [0, 0, 2], "a node's child has another parent"),
        ("categories_nodes", [1], "its categories are listed for other nodes"),
        ("left_children", [0, -1, -1], "a node's child is no later node"),  # would go on for ever
        ("right_children", [9, -1, -1], "a node's child is no later node"),
        ("split_indices", [2, 0, 0], "column beyond the 2"),
        ("split_indices", [-1, 0, 0], "column beyond the 2"),
    ],
)
def test_a_tree_that_leads_nowhere_is_refused(field: str, value: list[int], said: str) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["learner"]["gradient_booster"]["model"]["trees"][0][field] = value
    with pytest.raises(LoadError, match=f"is damaged: tree 0: .*{said}"):
        read(orjson.dumps(document))


@pytest.mark.parametrize(
    ("nodes", "starts", "sizes", "said"),
    [([9], [0], [1], "nodes that it does not have"), ([0], [1], [2], "go on beyond their list")],
)
def test_categories_that_lead_nowhere_are_refused(
    nodes: list[int], starts: list[int], sizes: list[int], said: str
) -> None:
    document = copy.deepcopy(DOCUMENT)
    tree = document["learner"]["gradient_booster"]["model"]["trees"][0]
    tree |= {"categories": [1, 2], "categories_nodes": nodes}
    tree |= {"categories_segments": starts, "categories_sizes": sizes}
    with pytest.raises(LoadError, match=said):
        read(orjson.dumps(document))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"binf\0\0", "binary format of XGBoost before 3.1"),
        (b"\0\0\0?", r"save_model\('model.ubj'\)"),
        (b'{"learner": ', "cut short or damaged"),
        (b'{"learner": {}}', "no XGBoost model, or a damaged one"),
        (b'{"a": 1}', "no XGBoost model, or a damaged one"),
        (b"{L\0\0", "cut short or damaged"),
    ],
)
def test_what_is_no_model_is_said(data: bytes, said: str) -> None:
    with pytest.raises(LoadError, match=said):
        read(data)
