"""The loop that writes: stop strings, characters of several tokens, sampling, and its end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictor import generating
from predictor.errors import RequestError
from predictor.generating import Texts
from predictor.model import Generation

CODES = "the fox é漢".encode()


def decode(tokens: list[int]) -> str:
    """A token a byte."""
    return bytes(tokens).decode(errors="replace")


def test_a_character_of_several_tokens_comes_whole() -> None:
    texts = Texts(decode, ())
    found = [texts.add(byte)[0] for byte in "aé漢".encode()]
    assert found == ["a", "", "é", "", "", "漢"]
    assert texts.add("é".encode()[0])[0] == ""
    assert texts.rest() == "\N{REPLACEMENT CHARACTER}"


@given(
    st.text(alphabet="abé", max_size=20),
    st.lists(st.text(alphabet="abé", min_size=1, max_size=4), max_size=3),
)
def test_text_is_cut_before_the_first_stop_string(text: str, stop: list[str]) -> None:
    texts, found, is_stopped = Texts(decode, stop), "", False
    for byte in text.encode():
        part, is_stopped = texts.add(byte)
        found += part
        if is_stopped:
            break
    if not is_stopped:
        found += texts.rest()
    # The dumb twin: stop at the first character that completes a stop string.
    ends = [end for end in range(len(text) + 1) if any(text[:end].endswith(one) for one in stop)]
    if ends:
        seen = text[: ends[0]]
        expected = min(seen.index(one) for one in stop if one in seen)
        assert is_stopped
        assert found == text[:expected]
    else:
        assert found == text


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"max_tokens": 0}, "max_tokens: expected 1 or more, got 0"),
        ({"temperature": float("nan")}, "temperature: expected 0 to 100, got nan"),
        ({"top_p": 0.0}, "top_p: expected above 0, up to 1, got 0.0"),
        ({"seed": 2**64}, "seed: expected 64 bits"),
    ],
)
def test_values_nobody_can_honour_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        generating.check(Generation(**how))
    generating.check(Generation(seed=-1))


def run(logits: list[list[float]], *, ends: frozenset[int] = frozenset(), **how: Any) -> Any:
    torch = pytest.importorskip("torch", reason="make formats")
    rows = iter(torch.tensor(logits))
    texts = Texts(lambda tokens: "".join("abc"[one] for one in tokens), how.get("stop", ()))
    return list(
        generating.pieces(lambda _: next(rows), texts, Generation(**how), torch=torch, ends=ends)
    )


def test_the_last_piece_says_why() -> None:
    rows = [[9.0, 0.0, 0.0], [0.0, 9.0, 0.0], [0.0, 0.0, 9.0]]
    found = run(rows, max_tokens=3, temperature=0.0)
    assert [(one.text, one.finish_reason) for one in found] == [
        ("a", ""),
        ("b", ""),
        ("c", "length"),
    ]
    found = run(rows, temperature=0.0, ends=frozenset({1}))
    assert [(one.text, one.finish_reason) for one in found] == [("a", ""), ("", "eos_token")]
    assert found[-1].is_special
    found = run(rows, temperature=0.0, stop=("bc",))
    assert [(o.text, o.finish_reason) for o in found] == [
        ("a", ""),
        ("", ""),
        ("", "stop_sequence"),
    ]
    found = run(rows, temperature=0.0, stop=("bb",), ends=frozenset({2}))
    assert "".join(one.text for one in found) == "ab"
    assert found[0].logprob == pytest.approx(0.0, abs=1e-3)


def test_sampling_keeps_to_the_likeliest() -> None:
    rows = [[2.0, 2.0, 0.0]] * 200
    every = {one.token for one in run(rows, max_tokens=200, seed=1, temperature=2.0)}
    assert every == {0, 1, 2}
    some = {one.token for one in run(rows, max_tokens=200, seed=1, top_p=0.9)}
    assert some == {0, 1}
    one = {one.token for one in run([[2.0, 1.9, 0.0]] * 50, max_tokens=50, top_p=0.01)}
    assert one == {0}
