"""The tensors of a request as features: what can have an instance's values or a baseline's.

For: rows in which some features are the instance's and the others a baseline's; which tensors
are columns, which are cut in blocks, and which are texts in words.
Must not know: what is done with the rows, models, HTTP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from predictor import explain_blocks, explain_words
from predictor.errors import Fault, RequestError
from predictor.explain_blocks import Blocks
from predictor.explain_columns import Columns, Kept
from predictor.explain_requests import FEATURES_MAX, Asked, bad
from predictor.explain_words import Words
from predictor.explanation import Form
from predictor.model import Tensor

BLOCKS_DEFAULT = 64  # 2048 samples are 16 pairs of orders of so many
WORDS_DEFAULT = 256
# What transformers want beside `input_ids`: which positions count, not what is at them.
_BESIDE_TOKENS = ("attention_mask", "token_type_ids", "position_ids")

Feeds = Mapping[str, Tensor]
Part = Columns | Blocks | Words | Kept


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """The rows of one request, and what their features are."""

    parts: Mapping[str, Part]
    rows: int

    @property
    def is_tabular(self) -> bool:
        """Whether every feature is a column."""
        return all(type(part) is Columns for part in self.parts.values())

    @property
    def feeds(self) -> dict[str, Tensor]:
        """The tensors as they came, as far as they could be mixed so."""
        return {name: part.array for name, part in self.parts.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """What a baseline has values of: columns, items, texts."""
        return tuple(slot for part in self.parts.values() for slot in part.slots)

    @property
    def size(self) -> int:
        """How many values a row has."""
        return max(1, sum(part.size for part in self.parts.values()))

    @property
    def without(self) -> str:
        """What the baseline is called where nobody gave one."""
        kinds = {type(part) for part in self.parts.values()} - {Kept}
        if kinds == {Words}:
            return "words left out"
        return "zeros, words left out" if Words in kinds else "zeros"

    def count(self, row: int) -> int:
        """How many features a row has."""
        return sum(part.count(row) for part in self.parts.values())

    def count_max(self) -> int:
        """How many the row with most has."""
        return max(map(self.count, range(self.rows)))

    def forms(self, row: int) -> tuple[Form, ...]:
        """How the attributions of a row are written."""
        return tuple(form for part in self.parts.values() for form in part.forms(row))

    def swapped(self, row: int, baseline: Feeds, masks: Tensor, picks: Tensor) -> dict[str, Tensor]:
        """For each mask a row: its own values where it is True, else those of a baseline's row."""
        found, start = {}, 0
        for name, part in self.parts.items():
            end = start + part.count(row)
            found[name] = part.swapped(row, baseline[name], masks[:, start:end], picks)
            start = end
        return found

    def differing(self, row: int, baseline: Feeds) -> Tensor:
        """The features in which a row differs from any of a baseline's: the others add nothing."""
        found = [part.differing(row, baseline[name]) for name, part in self.parts.items()]
        return np.flatnonzero(np.concatenate(found))

    def take(self, start: int, end: int) -> dict[str, Tensor]:
        """Some of the rows."""
        return {name: array[start:end] for name, array in self.feeds.items()}


def of(
    feeds: Feeds,
    known: Sequence[str] = (),
    asked: Asked | None = None,
    *,
    is_based: bool = False,
    columns_max: int = FEATURES_MAX,
) -> Features:
    """RequestError says what has no features; `known` names a matrix's columns.

    `is_based`: somebody gave a baseline, so that a text alone can be swapped as a whole. More
    than `columns_max` columns are cut into blocks: trees tell of any number of them.
    """
    asked = asked or Asked()
    if not feeds:
        raise _refused("the model takes no input")
    rows = _rows(feeds)
    plain = {
        name: array.astype(np.float32) if array.dtype.kind == "V" else array
        for name, array in feeds.items()
    }
    kept = _kept(plain, asked)
    found: dict[str, Part] = {name: Kept(name=name, array=plain[name]) for name in kept}
    open_ = {name: array for name, array in plain.items() if name not in kept}
    if not open_:
        raise bad("parameters.keep", "names of some inputs, not of all", ", ".join(kept))
    texts = _texts(open_, asked, is_based=is_based)
    cut = {name: array for name, array in open_.items() if name not in texts}
    grids = _grids(cut, asked, columns_max)
    for name, array in open_.items():
        if name in texts:
            slots = _slots(name, array, is_alone=False)
            found[name] = explain_words.of(name, array, slots, asked.features or WORDS_DEFAULT)
        elif name in grids:
            found[name] = explain_blocks.of(name, array, grids[name])
        else:
            is_alone = len(feeds) == 1
            slots = _slots(name, array, known if is_alone else (), is_alone=is_alone)
            found[name] = Columns(name=name, array=array, slots=slots)
    features = Features(parts={name: found[name] for name in plain}, rows=rows)
    _check_count(features, columns_max)
    return features


def zeros(features: Features) -> Feeds:
    """A baseline of zeros; RequestError where there are columns of text, which have none."""
    return {name: part.zeros() for name, part in features.parts.items()}


def _rows(feeds: Feeds) -> int:
    first = next(iter(feeds))
    for name, array in feeds.items():
        if not array.ndim:
            raise _refused(f"input '{name}' has shape []: it has no rows")
        if len(array) != len(feeds[first]):
            raise RequestError(
                Fault.UNEQUAL_SIZES,
                name=name,
                axis=0,
                got=len(array),
                dimension="rows",
                expected=len(feeds[first]),
                other=first,
            )
    if not len(feeds[first]):
        raise _refused("there are no rows")
    return len(feeds[first])


def _kept(feeds: Feeds, asked: Asked) -> tuple[str, ...]:
    """Inputs that are left alone: those asked for, or what is beside the tokens of a text."""
    if asked.keep is None:
        tokens = feeds.get("input_ids")
        beside = tokens is not None and tokens.dtype.kind in "iu"
        return tuple(name for name in _BESIDE_TOKENS if beside and name in feeds)
    for name in asked.keep:
        if name not in feeds:
            raise bad("parameters.keep", f"names of {', '.join(feeds)}", f"'{name}'")
    return asked.keep


def _texts(feeds: Feeds, asked: Asked, *, is_based: bool) -> frozenset[str]:
    """The inputs of which the words are features."""
    found = [name for name, array in feeds.items() if array.dtype.kind == "O"]
    for name in found:
        if feeds[name].ndim > 2:
            shape = list(feeds[name].shape)
            raise _refused(f"input '{name}' is text of shape {shape}; [n, k] or [n] is needed")
    if not found and asked.unit != "auto":
        raise bad("parameters.unit", "an input of text", "numbers alone")
    is_alone = len(feeds) == 1 and all(feeds[name].shape[1:] in ((), (1,)) for name in found)
    is_split = asked.unit == "word" or (asked.unit == "auto" and is_alone and not is_based)
    return frozenset(found if is_split else ())


def _grids(feeds: Feeds, asked: Asked, columns_max: int) -> dict[str, tuple[int, ...]]:
    """The inputs that are cut, and how: as asked, or because they are no columns, or too many."""
    numbers = {name: array for name, array in feeds.items() if array.dtype.kind != "O"}
    sizes = {name: prod(array.shape[1:]) for name, array in numbers.items()}
    found = _asked_grids(numbers, asked)
    is_many = sum(sizes.values()) > columns_max
    features = asked.features or BLOCKS_DEFAULT
    for name, array in numbers.items():
        if array.ndim > 2 and not sizes[name]:
            raise _refused(f"input '{name}' has shape {list(array.shape)}: its items are empty")
        is_large = sizes[name] > features and (is_many or asked.features is not None)
        if name not in found and (array.ndim > 2 or is_large):
            found[name] = explain_blocks.grid_of(array.shape[1:], features)
    return found


def _asked_grids(numbers: Feeds, asked: Asked) -> dict[str, tuple[int, ...]]:
    if asked.grid is None:
        return {}
    if not numbers:
        raise bad("parameters.grid", "an input of numbers", "text alone, which has words")
    listed = ", ".join(numbers)
    given = dict(asked.grid)
    if "" in given and "" not in numbers:
        if len(numbers) != 1:
            raise bad("parameters.grid", f"an object by the inputs of numbers: {listed}", "a list")
        given = {next(iter(numbers)): given[""]}
    for name, grid in given.items():
        if name not in numbers:
            raise bad("parameters.grid", f"names of inputs of numbers: {listed}", f"'{name}'")
        shape = numbers[name].shape[1:]
        field = f"parameters.grid of input '{name}'"
        if len(grid) != len(shape):
            expected = f"{len(shape)} numbers, one for each axis of {list(shape)}"
            raise bad(field, expected, f"{len(grid)}")
        if any(count > size for count, size in zip(grid, shape, strict=True)):
            expected = f"at most as many blocks on each axis as {list(shape)} has values"
            raise bad(field, expected, str(list(grid)))
    return given


def _slots(
    name: str, array: Tensor, known: Sequence[str] = (), *, is_alone: bool
) -> tuple[str, ...]:
    """What the columns of a tensor are called."""
    width = array.shape[1] if array.ndim == 2 else 1
    if array.ndim == 1 or (width == 1 and not is_alone):
        return (name,)
    if len(set(known)) == len(known) == width:
        return tuple(known)
    return tuple(f"{name}[{index}]" for index in range(width))


def _check_count(features: Features, count_max: int) -> None:
    if not features.names:
        raise _refused("the input has no columns: there is nothing in it to explain by")
    count = features.count_max()
    if count > count_max:
        raise _refused(
            f"the input has {count} features, more than the {count_max} that are told apart; "
            "parameters.features bounds those of each input"
        )


def _refused(why: str) -> RequestError:
    return RequestError(Fault.NOT_EXPLAINED, why=why)
