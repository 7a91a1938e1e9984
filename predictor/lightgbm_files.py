"""What stands in a LightGBM text model: checked before the library sees it.

For: a sentence where the library would read past the end of a file that is cut or damaged.
Must not know: the library, HTTP, where the file came from.

LightGBM finds its trees by the sizes that the head of the file states and follows them beyond
the end, into whatever memory holds there.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from predictor.errors import LoadError
from predictor.model import Tensor

_END = b"end of trees"
_VERSION = re.compile(rb"^version=(\S+)$", re.MULTILINE)
_SIZES = re.compile(rb"^tree_sizes=([0-9 ]*)$", re.MULTILINE)
_FIELD = re.compile(rb"^(\w+)=(.*)$", re.MULTILINE)
_NODES = (
    b"split_feature",
    b"threshold",
    b"decision_type",
    b"left_child",
    b"right_child",
    b"leaf_value",
)
_NODE_VALUES = (
    b"split_gain",
    b"internal_value",
    b"internal_weight",
    b"internal_count",
    b"leaf_weight",
    b"leaf_count",
)
_ZERO = np.zeros(1)
_KNOWN = (b"v2", b"v3", b"v4")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What the head of the file says of its model."""

    version: str
    objective: str
    feature_names: tuple[str, ...]
    categorical: tuple[int, ...] = field(default=())  # columns whose values are codes
    is_mean: bool = False  # of its trees (boosting=rf), where others are their sum


def read(data: bytes) -> Document:
    """The head of a file's bytes, all of it checked; LoadError follows the file's name."""
    start = data.find(b"\nTree=")
    end = data.find(b"\n" + _END)
    if not data.startswith(b"tree\n") or (found := _VERSION.search(data, 0, 200)) is None:
        raise LoadError("is no LightGBM text model: it does not start with 'tree' and a version")
    if end < 0:
        raise LoadError("is cut short: it has no line 'end of trees'")
    head = data[: start if 0 <= start < end else end]
    fields = {name.decode(): value for name, value in _FIELD.findall(head)}
    if found[1] not in _KNOWN:
        raise LoadError(f"is a text model of version {found[1].decode(errors='replace')}")
    try:
        width = int(fields["max_feature_idx"]) + 1
        names = tuple(fields["feature_names"].decode().split(" "))
        infos = fields["feature_infos"].decode().split(" ")
    except (KeyError, ValueError) as error:
        raise LoadError(f"is damaged: its head is not readable ({error!r})") from None
    if len(names) != width or len(infos) != width:
        raise LoadError(f"is damaged: {width} columns, {len(names)} names, {len(infos)} ranges")
    _check_trees(data, head, end, width)
    return Document(
        version=found[1].decode(),
        objective=fields.get("objective", b"").decode(errors="replace").partition(" ")[0],
        feature_names=names,
        is_mean=b"average_output" in head.splitlines(),
        categorical=tuple(i for i, one in enumerate(infos) if one != "none" and one[0] != "["),
    )


def _check_trees(data: bytes, head: bytes, end: int, width: int) -> None:
    sizes = _SIZES.search(head)
    if sizes is None:
        raise LoadError("is damaged: its head has no tree_sizes")
    at = len(head) + 1
    for index, size in enumerate(map(int, sizes[1].split())):
        tree = data[at : at + size]
        if not tree.startswith(b"Tree=%d\n" % index) or at + size > end + 1:
            raise LoadError(f"is cut short or damaged: tree {index} is not where it should be")
        if problem := _problem(tree, width):
            raise LoadError(f"is damaged: tree {index}: {problem}")
        at += size
    if not data[at:].startswith(_END) and not data[at + 1 :].startswith(_END):
        raise LoadError("is damaged: its trees are not followed by 'end of trees'")


def _problem(tree: bytes, width: int) -> str:
    """What of a tree leads nowhere: LightGBM would follow it."""
    try:
        found = {name: _numbers(text) for name, text in _FIELD.findall(tree)}
        leaves, words = int(found[b"num_leaves"][0]), int(found[b"num_cat"][0])
        if leaves == 1:  # a constant
            return "" if len(found[b"leaf_value"]) == 1 else "a constant of no value"
        sizes = {name: len(found[name]) for name in _NODES} | {
            name: len(found[name]) for name in _NODE_VALUES if name in found
        }
    except (KeyError, ValueError, IndexError) as error:
        return f"it cannot be read ({error!r})"
    inner = leaves - 1
    for name, size in sizes.items():
        if size != (leaves if name.startswith(b"leaf_") else inner):
            return f"{leaves} leaves and {size} values of {name.decode()}"
    return _links_problem(found, inner, width) or _words_problem(found, words)


def _links_problem(found: Mapping[bytes, Tensor], inner: int, width: int) -> str:
    numbers = np.arange(inner)
    for children in (found[b"left_child"], found[b"right_child"]):
        nodes = children >= 0
        if (children >= inner).any() or (children < -inner - 1).any():
            return "a node's child is beyond its nodes"
        if (children[nodes] <= numbers[nodes]).any():
            return "a node's child comes before it"
    splits = found[b"split_feature"]
    if (splits < 0).any() or (splits >= width).any():
        return f"a node splits on a column beyond the {width} there are"
    return ""


def _words_problem(found: Mapping[bytes, Tensor], words: int) -> str:
    """The lists of categories, which a node names by their number."""
    if not words:
        return ""
    ends, held = found.get(b"cat_boundaries", _ZERO), found.get(b"cat_threshold", _ZERO)
    if len(ends) != words + 1 or (np.diff(ends) < 0).any() or ends[0] or ends[-1] > len(held):
        return "its lists of categories go on beyond their end"
    chosen = found[b"threshold"][found[b"decision_type"].astype(np.int64) & 1 == 1]
    if (chosen < 0).any() or (chosen >= words).any():
        return "a node names a list of categories that is not there"
    return ""


def _numbers(text: bytes) -> Tensor:
    return np.array(text.split(), np.float64)
