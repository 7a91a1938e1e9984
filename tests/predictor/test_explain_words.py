"""Texts in words: where they are cut, what is left without some, and sums done by hand."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor import explain_words
from predictor.errors import Fault, RequestError
from predictor.explain_requests import Asked
from predictor.model import Tensor
from tests.predictor.explain_bench import explain, model

WORTH = {"good": 2.0, "bad": -3.0, "film": 0.5}


def worth(text: Tensor) -> Tensor:
    return np.array([sum(WORTH.get(word, 0.0) for word in each.split()) for each in text.ravel()])


def texts(*given: str) -> Any:
    return np.array(given, object)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        (" \n ", []),
        ("a good film", ["a", "good", "film"]),
        ("Good, bad... ugly?!", ["Good", ",", "bad", "...", "ugly", "?!"]),
        ("don't well-known 3.14 a_b", ["don't", "well-known", "3.14", "a_b"]),
        ("it\u2019s -5", ["it\u2019s", "-", "5"]),
        ("漢字かな kana", ["漢", "字", "か", "な", "kana"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("cafe\u0301 fine", ["cafe\u0301", "fine"]),
        ("so ❤\ufe0f!", ["so", "❤\ufe0f!"]),
        ("a\u00a0b\tc", ["a", "b", "c"]),
    ],
)
def test_where_a_text_is_cut(text: str, words: list[str]) -> None:
    assert list(explain_words.split(text).words) == words


@given(st.text(max_size=60), st.integers(1, 8))
def test_nothing_of_a_text_is_lost(text: str, features: int) -> None:
    split = explain_words.split(text)
    assert split.without([True] * len(split.words), "") == text
    assert not split.without([False] * len(split.words), "").strip()
    part = explain_words.of("t", texts(text), ("t",), features)
    assert part.count(0) == min(features, len(split.words))
    kept = np.ones((1, part.count(0)), bool)
    assert part.swapped(0, part.zeros(), kept, np.zeros(1, int)).tolist() == [text]


def test_what_is_left_out_goes_with_the_space_behind_it() -> None:
    split = explain_words.split("  a good,  film ")
    assert split.without([True, False, True, True], "") == "  a ,  film "
    assert split.without([True, False, False, True], "") == "  a film "
    assert split.without([True, False, True, True], "[MASK]") == "  a [MASK],  film "


def test_of_a_sum_each_word_has_its_worth_in_the_order_of_the_text() -> None:
    rows = texts("a good good film", "bad", "")
    found = [each.written() for each in explain(model(worth), text=rows)]
    assert [each["words"]["text"] for each in found] == [["a", "good", "good", "film"], ["bad"], []]
    values = [each["attributions"]["text"] for each in found]
    assert values == [pytest.approx([0, 2, 2, 0.5]), [-3], []]
    assert [each["baseline"] for each in found] == ["words left out"] * 3
    assert all(each["is_additive"] and each["base_value"] == 0 for each in found)
    assert json.loads(json.dumps(found)) == found


def test_a_baseline_s_text_stands_in_place_of_each_word() -> None:
    asked = Asked(unit="word", baseline=[{"text": "film"}, {"text": ""}])
    (found,) = explain(model(worth), asked, text=texts("good film"))
    assert found.values.tolist() == pytest.approx([1.75, 0.25])
    (whole,) = explain(model(worth), Asked(baseline=["bad"]), text=texts("good film"))
    assert whole.written()["attributions"] == {"text": 5.5}


def test_long_texts_are_runs_of_words() -> None:
    long = " ".join(["good"] * 300)
    (found,) = explain(model(worth), text=texts(long))
    written = found.written()
    assert len(written["words"]["text"]) == 256
    assert " ".join(written["words"]["text"]) == long
    assert sum(written["attributions"]["text"]) == pytest.approx(600)
    (found,) = explain(model(worth), Asked(features=2), text=texts("a good bad, film"))
    assert found.written()["words"] == {"text": ["a good", "bad, film"]}


def test_many_words_make_a_row_large_however_short_they_are() -> None:
    def size(text: str) -> int:
        return explain_words.of("t", texts(text), ("t",), 4096).size

    assert size("a" * 800) == 100 + 4 + 1
    assert size("a " * 400) == 100 + 4 * 400 + 1


def test_text_has_its_bounds() -> None:
    sizes = set()

    def counting(text: Tensor) -> Tensor:
        sizes.add(len(text))
        return np.array([float(len(each)) for each in text])

    (found,) = explain(model(counting), Asked(samples=512), text=texts("good " * 50_000))
    assert found.prediction == 250_000
    assert max(sizes) == 8
    with pytest.raises(RequestError, match=r"'text': expected at most 262144 .*, got 500000"):
        explain(model(counting), text=texts("good " * 50_000, "good " * 50_000))


def test_texts_beside_one_another_and_beside_numbers() -> None:
    def both(title: Tensor, body: Tensor, stars: Tensor) -> Tensor:
        return 2 * worth(title) + worth(body) + stars

    feeds = {"title": texts("good"), "body": texts("bad film"), "stars": np.array([3.0])}
    (found,) = explain(model(both), Asked(unit="word"), **feeds)
    written = found.written()
    assert written["attributions"]["title"] == pytest.approx([4])
    assert written["attributions"]["body"] == pytest.approx([-3, 0.5])
    assert written["attributions"]["stars"] == pytest.approx(3)
    assert list(written["words"]) == ["title", "body"]
    assert written["baseline"] == "zeros, words left out"
    with pytest.raises(RequestError, match=r"'title' is text, .*unit: word"):
        explain(model(both), **feeds)


def test_texts_in_one_matrix() -> None:
    def both(x: Tensor) -> Tensor:
        return worth(x[:, 0]) - worth(x[:, 1])

    (found,) = explain(model(both), Asked(unit="word"), x=np.array([["good", "bad"]], object))
    assert found.written()["attributions"] == {"x[0]": [2], "x[1]": [3]}
    (found,) = explain(model(worth), text=np.array([["good film"]], object))
    assert found.written()["words"] == {"text": ["good", "film"]}


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="ab, .", max_size=25), st.sampled_from(["", "_"]))
def test_attributions_add_up_whatever_the_model(text: str, others: str) -> None:
    def odd(x: Tensor) -> Tensor:
        return np.array([len(each) * (1 + each.count("a b")) for each in x], float)

    asked = Asked(unit="word", baseline=[others])
    (found,) = explain(model(odd), asked, x=texts(text))
    assert found.is_additive
    assert found.prediction == odd(texts(text))[0]


def test_a_model_that_needs_its_words_is_named() -> None:
    def picky(x: Tensor) -> Tensor:
        if not all(each.strip() for each in x):
            raise RequestError(Fault.REJECTED, detail="no words")
        return worth(x)

    with pytest.raises(RequestError, match=r"refuses rows .*another baseline.*: no words"):
        explain(model(picky), x=texts("good film"))
    (found,) = explain(model(picky), Asked(unit="word", baseline=["_"]), x=texts("good film"))
    assert found.values.tolist() == pytest.approx([2, 0.5])


def test_an_answer_of_another_shape_for_fewer_words_is_no_number() -> None:
    def tags(x: Tensor) -> Tensor:
        return np.ones((len(x), max(len(each.split()) for each in x) + (len(x) > 1)))

    with pytest.raises(RequestError, match="other outputs than for the instance"):
        explain(model(tags), x=texts("good film"))
    with pytest.raises(RequestError, match="other names or shapes than those of others"):
        explain(model(lambda x: np.zeros((len(x), len(x)))), x=texts(*["good"] * 257))
