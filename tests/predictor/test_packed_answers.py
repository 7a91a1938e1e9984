import pytest

from predictor import packed_answers
from predictor.errors import LoadError
from predictor.repository_requests import What


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ("alive", {"status": "alive"}),
        ("live", {"live": True}),
        ("models", {"models": ["a", "b"]}),
    ],
)
def test_what_is_said(what: What, answer: object) -> None:
    assert packed_answers.said(what, lambda: ["a", "b"], "") == answer


def test_the_server_names_its_extensions_and_the_document_its_revision() -> None:
    server = packed_answers.said("server", list, "")
    assert server["name"] == "relight"
    assert server["extensions"] == ["binary_tensor_data", "model_repository"]
    assert packed_answers.said("openapi", list, "r-1")["info"]["version"] == "r-1"


def test_a_folder_that_can_not_be_read_hides_only_what_is_in_it() -> None:
    def gone() -> list[str]:
        raise LoadError("--repository: cannot read /gone")

    assert packed_answers.said("live", gone, "") == {"live": True}
    with pytest.raises(LoadError, match="cannot read"):
        packed_answers.said("models", gone, "")
