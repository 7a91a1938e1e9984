import pytest

from cluster import errors
from cluster.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    from_status,
    is_of_an_ending_namespace,
)


@pytest.mark.parametrize("known", errors._KNOWN)
def test_a_known_error_survives_the_wire(known: type[errors._KnownError]) -> None:
    sent = known("it says why", {"name": "x"})
    received = from_status(sent.to_status())
    assert type(received) is known
    assert (received.message, received.details) == ("it says why", {"name": "x"})
    assert str(received) == "it says why"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"code": 410, "reason": "Gone"}, GoneError),
        ({"code": 409}, ConflictError),
        ({"code": 422, "reason": "SomethingNew"}, InvalidError),
    ],
)
def test_the_code_decides_where_the_reason_is_not_known(
    raw: dict[str, object], kind: type[ApiError]
) -> None:
    assert type(from_status(raw)) is kind


def test_an_unknown_code_is_kept() -> None:
    error = from_status({"code": 429, "reason": "TooManyRequests", "message": "later"})
    assert type(error) is ApiError
    assert (error.status, error.reason, error.message) == (429, "TooManyRequests", "later")


def test_an_empty_status_still_says_something() -> None:
    error = from_status({})
    assert (error.status, error.message) == (500, "HTTP 500")


def test_details_are_left_out_when_there_are_none() -> None:
    assert "details" not in ConflictError("x").to_status()


def test_a_namespace_that_ends_is_told_from_other_refusals() -> None:
    cause = {"reason": "NamespaceTerminating", "message": "namespace x is being terminated"}
    assert is_of_an_ending_namespace(ForbiddenError("forbidden", {"causes": [cause]}))
    assert not is_of_an_ending_namespace(ForbiddenError("forbidden"))
    assert not is_of_an_ending_namespace(ForbiddenError("f", {"causes": [{"reason": "x"}]}))
