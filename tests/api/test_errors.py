from api.errors import FieldError, InvalidObjectError


def test_reads_as_in_knative() -> None:
    error = FieldError(message="invalid value: x", paths=("a.b", "c[0]"), details="because")
    assert str(error) == "invalid value: x: a.b, c[0]\nbecause"


def test_without_a_path_is_the_message_alone() -> None:
    assert str(FieldError(message="too large")) == "too large"


def test_equal_complaints_become_one_with_sorted_paths() -> None:
    error = InvalidObjectError(
        [
            FieldError(message="missing field(s)", paths=("z",)),
            FieldError(message="bad", paths=("m",)),
            FieldError(message="missing field(s)", paths=("a", "z")),
            FieldError(message="missing field(s)", paths=("q",), details="why"),
        ]
    )
    assert str(error) == "bad: m\nmissing field(s): a, z\nmissing field(s): q\nwhy"
    assert [each.paths for each in error.errors] == [("m",), ("a", "z"), ("q",)]
