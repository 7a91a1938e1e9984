from relight.errors import (
    EXPLAINED,
    AnsweredError,
    CommandError,
    Exit,
    FailedError,
    UnreachableError,
    UsageError,
)


def test_every_exit_code_is_explained() -> None:
    for code in Exit:
        assert f"\n  {code.value} " in EXPLAINED


def test_every_error_has_its_own_code() -> None:
    codes = [each.exit_code for each in (FailedError, UsageError, UnreachableError, AnsweredError)]
    assert codes == [1, 2, 3, 4]
    assert CommandError.exit_code == Exit.FAILED
