"""What stands in an XGBoost file: read and checked before the library sees it.

For: a sentence where the library would read past the end of a file that is cut or damaged.
Must not know: the library, HTTP, where the file came from.

XGBoost follows lengths and node numbers of a file as they are: 30 bytes less of a .ubj file end
the process. Costs a parse in Python's own memory, given back before the model is opened.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson

from predictor import ubjson
from predictor.errors import LoadError
from predictor.tabular import Categories

_NODES = ("left_children", "right_children", "split_indices", "parents")
_NODE_VALUES = ("split_conditions", "split_type", "default_left", "loss_changes", "sum_hessian")
_SEGMENTS = ("categories_nodes", "categories_segments", "categories_sizes")
_TEXT_STARTS = b'"}\t\n\r '  # after the brace of a JSON object; UBJSON has a type there


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the file says of its model."""

    version: tuple[int, ...]  # of the XGBoost that wrote it
    objective: str
    booster: str
    classes: int
    feature_names: tuple[str, ...] = ()
    categories: Categories = field(default_factory=dict)


def read(data: bytes) -> Document:
    """The document in a file's bytes; LoadError is a clause that follows its name."""
    raw = _parsed(data)
    try:
        return _document(raw)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise LoadError(f"is no XGBoost model, or a damaged one ({error!r})") from None


def _parsed(data: bytes) -> Any:
    if data[:1] != b"{":
        raise LoadError(
            "is in the binary format of XGBoost before 3.1, which later versions cannot read: "
            "with xgboost 3.0 or older, Booster().load_model it and save_model('model.ubj')"
        )
    try:
        return orjson.loads(data) if data[1:2] in _TEXT_STARTS else ubjson.parse(data)
    except orjson.JSONDecodeError as error:
        raise LoadError(f"is cut short or damaged: {error}") from None
    except ubjson.UbjsonError as error:
        raise LoadError(str(error)) from None


def _document(raw: Any) -> Document:
    learner = raw["learner"]
    given = learner["gradient_booster"]
    booster = str(given["name"])
    held = given.get("gbtree", given)  # dart keeps its trees one deeper
    model = held["model"]
    width = int(learner["learner_model_param"]["num_feature"])
    trees = model.get("trees", ())
    for index, tree in enumerate(trees):
        if problem := _problem(tree, width):
            raise LoadError(f"is damaged: tree {index}: {problem}")
    if len(model.get("tree_info", trees)) != len(trees):
        raise LoadError("is damaged: its trees are not those that it lists")
    return Document(
        version=tuple(map(int, raw["version"])),
        objective=str(learner["objective"]["name"]),
        booster=booster,
        classes=int(learner["learner_model_param"]["num_class"]),
        feature_names=tuple(map(str, learner.get("feature_names", ()))),
        categories=_categories(model.get("cats") or {}),
    )


def _problem(tree: Mapping[str, Any], width: int) -> str:
    """What of a tree leads nowhere: XGBoost would follow it."""
    count = int(tree["tree_param"]["num_nodes"])
    left, right, splits, parents = (np.asarray(tree[name], np.int64) for name in _NODES)
    for name in (*_NODES, *_NODE_VALUES):
        if name in tree and (np.shape(tree[name]) != (count,) or not count):
            return f"{count} nodes and {np.shape(tree[name])} values of {name}"
    inner = left != -1
    numbers = np.arange(count)[inner]
    for children in (left[inner], right[inner]):
        if (children <= numbers).any() or (children >= count).any():
            return "a node's child is no later node of it"
        if (parents[children] != numbers).any():
            return "a node's child has another parent"
    if (splits[inner] < 0).any() or (splits[inner] >= max(width, 1)).any():
        return f"a node splits on a column beyond the {width} there are"
    return _categories_problem(tree, count)


def _categories_problem(tree: Mapping[str, Any], count: int) -> str:
    nodes, starts, sizes = (np.asarray(tree.get(name, ()), np.int64) for name in _SEGMENTS)
    held = len(tree.get("categories", ()))
    if not nodes.shape == starts.shape == sizes.shape:
        return "its categories are listed for other nodes than they are counted for"
    if (nodes < 0).any() or (nodes >= count).any() or (starts < 0).any() or (sizes < 0).any():
        return "its categories are of nodes that it does not have"
    return "its categories go on beyond their list" if (starts + sizes > held).any() else ""


def _categories(raw: Mapping[str, Any]) -> dict[int, dict[str, int]]:
    """The words of each column whose categories were text, where the file keeps them."""
    found: dict[int, dict[str, int]] = {}
    for index, column in enumerate(raw.get("enc", ())):
        offsets = [int(one) for one in column.get("offsets", ())]
        if len(offsets) < 2:
            continue
        text = bytes(int(one) & 0xFF for one in column["values"])
        pairs = itertools.pairwise(offsets)
        found[index] = {text[a:b].decode(): code for code, (a, b) in enumerate(pairs)}
    return found
