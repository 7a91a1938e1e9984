"""LightGBM text models, checked before the library sees them."""

import pytest

from predictor.errors import LoadError
from predictor.lightgbm_files import read

TREE = b"""Tree=0
num_leaves=3
num_cat=0
split_feature=0 1
threshold=0.5 1.5
decision_type=2 2
left_child=1 -1
right_child=-2 -3
leaf_value=1 2 3

"""
HEAD = b"""tree
version=v4
max_feature_idx=1
objective=binary sigmoid:1
feature_names=a b
feature_infos=[0:1] -1:0:2
tree_sizes=%d

"""
MODEL = HEAD % len(TREE) + TREE + b"end of trees\n\nfeature_importances:\n"


def test_what_the_file_says_of_its_model() -> None:
    found = read(MODEL)
    assert (found.version, found.objective) == ("v4", "binary")
    assert found.feature_names == ("a", "b")
    assert found.categorical == (1,)
    constant = b"Tree=0\nnum_leaves=1\nnum_cat=0\nleaf_value=1\n\n"
    assert read(HEAD % len(constant) + constant + b"end of trees\n").version == "v4"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"end of trees", b"end of tree_", "is cut short: it has no line 'end of trees'"),
        (b"tree\n", b"trees\n", "is no LightGBM text model"),
        (b"version=v4", b"version=v9", "is a text model of version v9"),
        (b"max_feature_idx=1", b"max_feature_idx=x", "its head is not readable"),
        (b"max_feature_idx=1", b"max_feature_idx=7", "8 columns, 2 names, 2 ranges"),
        (b"tree_sizes=", b"tree_size_=", "its head has no tree_sizes"),
        (b"tree_sizes=", b"tree_sizes=9", "tree 0 is not where it should be"),
        (b"tree_sizes=", b"tree_sizes=1 ", "tree 0 is not where it should be"),
        (b"split_feature=0 1", b"split_feature=0 2", "column beyond the 2"),
        (b"split_feature=0 1", b"split_feature=0 x", "it cannot be read"),
        (b"left_child=1 -1", b"left_child=7 -1", "a node's child is beyond its nodes"),
        (b"left_child=1 -1", b"left_child=1 -9", "a node's child is beyond its nodes"),
        (b"left_child=1 -1", b"left_child=0 -1", "a node's child comes before it"),
        (b"num_leaves=3", b"num_leaves=9", "9 leaves and 2 values of split_feature"),
        (b"num_cat=0", b"num_ca_=0", "it cannot be read"),
        (b"num_leaves=3", b"num_leaves=1", "a constant of no value"),
        (b"leaf_value=1 2 3", b"leaf_value=1 2.3", "3 leaves and 2 values of leaf_value"),
        (b"num_cat=0", b"num_cat=1", "lists of categories go on beyond"),
    ],
)
def test_a_file_that_leads_nowhere_is_refused(old: bytes, new: bytes, said: str) -> None:
    assert old in MODEL
    with pytest.raises(LoadError, match=said):
        read(MODEL.replace(old, new, 1))


@pytest.mark.parametrize("length", range(0, MODEL.index(b"end of"), 7))
def test_one_that_is_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(LoadError):
        read(MODEL[:length])
