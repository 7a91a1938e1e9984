"""Features that are words: each left out of a text, or replaced by a baseline's.

For: text as a whole, which a model takes apart itself.
Must not know: other inputs, what is done with the rows, models, HTTP.

A word is a run of letters, marks, digits and underscores, with apostrophes, hyphens and points
within it; an ideograph or a kana is a word of its own, and so is a run of punctuation. What is
left out goes with the white space behind it; nothing else of the text is changed.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np

from predictor.errors import Fault, RequestError
from predictor.explain_columns import as_array
from predictor.explanation import Form
from predictor.model import Tensor

CHARACTERS_MAX = 262_144  # of a request: they are read between others' requests
_JOINERS = "'\u2019.-"  # between letters: don't, 3.14, well-known
_PARTS = re.compile(r"([wm]+(?:j[wm]+)*|cm*|[pj][pjm]*)(s*)")  # over classes, not the text
_ALONE = (
    (0x3040, 0x30FF),  # kana
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


class Split(NamedTuple):
    """A text: white space, and words each with the white space behind it."""

    start: str
    words: tuple[str, ...]
    gaps: tuple[str, ...]

    def without(self, kept: Sequence[bool], others: str) -> str:
        """The text with some words replaced, or left out where that is by nothing."""
        found = [self.start]
        for word, gap, is_kept in zip(self.words, self.gaps, kept, strict=True):
            if is_kept:
                found += word, gap
            elif others:
                found += others, gap
        return "".join(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """One tensor of texts, [n] or [n, k]: the words of each of a row's texts."""

    name: str
    array: Tensor
    slots: tuple[str, ...]  # the texts of a row
    splits: tuple[tuple[Split, ...], ...]  # for each row its texts

    @property
    def size(self) -> int:
        """Of a row, in numbers: eight letters take their room, and a word their time."""
        texts = self.array.reshape(len(self.array), -1).tolist()
        longest = max(sum(map(len, row)) for row in texts)
        return longest // 8 + 4 * max(map(self.count, range(len(texts)))) + 1

    def count(self, row: int) -> int:
        """See `Columns`."""
        return sum(len(split.words) for split in self.splits[row])

    def forms(self, row: int) -> tuple[Form, ...]:
        """See `Columns`."""
        return tuple(
            Form(input=slot, names=split.words, is_words=True)
            for slot, split in zip(self.slots, self.splits[row], strict=True)
        )

    def swapped(self, row: int, baseline: Tensor, masks: Tensor, picks: Tensor) -> Tensor:
        """See `Columns`."""
        others = baseline.reshape(len(baseline), -1)[picks]
        found = np.empty((len(masks), len(self.slots)), object)
        start = 0
        for column, split in enumerate(self.splits[row]):
            kept = masks[:, start : start + len(split.words)].tolist()
            start += len(split.words)
            for at, each in enumerate(kept):
                found[at, column] = split.without(each, others[at, column])
        return found.reshape(len(masks), *self.array.shape[1:])

    def differing(self, row: int, baseline: Tensor) -> Tensor:
        """See `Columns`."""
        others = baseline.reshape(len(baseline), -1).T
        return np.array(
            [
                any(word != one for one in those)
                for split, those in zip(self.splits[row], others, strict=True)
                for word in split.words
            ],
            bool,
        )

    def zeros(self) -> Tensor:
        """See `Columns`: of words it is none."""
        return np.full((1, *self.array.shape[1:]), "", object)

    def based(self, rows: Sequence[Sequence[Any]], *, is_declared: bool) -> tuple[Self, Tensor]:
        """See `Columns`: for each text what stands in place of its words."""
        del is_declared
        values = [list(row) if self.array.ndim == 2 else row[0] for row in rows]
        return self, as_array(self.name, values, self.array)


def of(name: str, array: Tensor, slots: tuple[str, ...], features_max: int) -> Words:
    """RequestError for elements that are no text."""
    texts = array.reshape(len(array), -1).tolist()
    if any(type(text) is not str for row in texts for text in row):
        why = (
            f"input '{name}' is bytes that are no text, an encoded picture maybe, which has no "
            "words; have the model take the values in it, which are explained in blocks"
        )
        raise RequestError(Fault.NOT_EXPLAINED, why=why)
    count = sum(len(text) for row in texts for text in row)
    if count > CHARACTERS_MAX:
        field = f"input '{name}'"
        expected = f"at most {CHARACTERS_MAX} characters of text to tell words apart in"
        raise RequestError(Fault.BAD_FIELD, field=field, expected=expected, got=str(count))
    splits = tuple(tuple(_gathered(split(text), features_max) for text in row) for row in texts)
    return Words(name=name, array=array, slots=slots, splits=splits)


def split(text: str) -> Split:
    """A text in words; what they and the white space have is the text again."""
    classes = "".join(map(_class, text))
    start = len(classes) - len(classes.lstrip("s"))
    words, gaps, at = [], [], start
    for word, gap in _PARTS.findall(classes, start):
        end = at + len(word)
        words.append(text[at:end])
        at = end + len(gap)
        gaps.append(text[end:at])
    return Split(text[:start], tuple(words), tuple(gaps))


def _gathered(whole: Split, features_max: int) -> Split:
    """Runs of neighbouring words, as equal as can be, where there are more than may be."""
    count = len(whole.words)
    if count <= features_max:
        return whole
    edges = [at * count // features_max for at in range(features_max + 1)]
    words, gaps = [], []
    for low, high in pairwise(edges):
        inner = zip(whole.words[low : high - 1], whole.gaps[low : high - 1], strict=True)
        words.append("".join((*(part for pair in inner for part in pair), whole.words[high - 1])))
        gaps.append(whole.gaps[high - 1])
    return Split(whole.start, tuple(words), tuple(gaps))


@lru_cache(maxsize=4096)
def _class(letter: str) -> str:
    """Space, a word of its own, part of one, a mark, a joiner, or punctuation."""
    if letter.isspace():
        return "s"
    if any(low <= ord(letter) <= high for low, high in _ALONE):
        return "c"
    category = unicodedata.category(letter)
    if category[0] == "M" or category == "Cf":  # accents and selectors: part of what is before
        return "m"
    if letter == "_" or category[0] in "LN":
        return "w"
    return "j" if letter in _JOINERS else "p"
