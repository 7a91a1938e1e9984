import pytest

from predictor.fetch_sources import Item, Listing, of_fetches, refused


@pytest.mark.parametrize(
    ("status", "words", "is_final"),
    [
        (401, "refused (HTTP 401); look there", True),
        (403, "refused (HTTP 403); look there", True),
        (404, "there is nothing", True),
        (410, "gone", True),
        (418, "answered HTTP 418", True),
        (429, "answered HTTP 429", False),
        (503, "answered HTTP 503", False),
    ],
)
def test_a_status_is_a_sentence(status: int, words: str, is_final: bool) -> None:
    error = refused(status, "https://h/m", "look there")
    assert words in str(error)
    assert "https://h/m" in str(error)
    assert error.is_final == is_final


def test_a_total_is_only_known_with_all_sizes() -> None:
    sized, unsized = Item(name="a", key="a", size=2), Item(name="b", key="b", size=None)
    assert Listing(items=[sized, sized], version="", is_lone=False).total == 4
    assert Listing(items=[sized, unsized], version="", is_lone=False).total is None


def test_a_fetch_is_given_credentials_and_nothing_else() -> None:
    env = {"AWS_ACCESS_KEY_ID": "k", "HF_TOKEN": "t", "PYTHONPATH": "p", "LD_PRELOAD": "l"}
    assert of_fetches(env) == {"AWS_ACCESS_KEY_ID": "k", "HF_TOKEN": "t"}
