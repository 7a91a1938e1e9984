"""Each refusal is a clause that follows a path and says what to do or what it is."""

from api.modelfiles import SUFFIXES, VAGUE
from api.modelrefusals import BY_MEMBER, BY_NAME, BY_SUFFIX, MODEL_JSON


def test_every_refusal_is_a_clause() -> None:
    sentences = [*BY_SUFFIX.values(), *BY_NAME.values()]
    sentences += [words for _, words in (*BY_MEMBER, *MODEL_JSON)]
    for sentence in sentences:
        assert sentence.split()[0] in ("is", "holds", "says"), sentence
        assert not sentence.endswith(".")


def test_nothing_is_both_served_and_refused() -> None:
    assert not set(BY_SUFFIX) & {*SUFFIXES, *VAGUE}
