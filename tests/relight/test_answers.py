import pytest

from relight import answers


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("queue;dur=0.2, run;dur=1.5", "queue 0.2 ms, run 1.5 ms"),
        ('load;desc="x";dur=3', "load 3 ms"),
        ("cached", "cached"),
        ("", ""),
    ],
)
def test_where_the_time_went(header: str, text: str) -> None:
    assert answers.server_timing(header) == text


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"error":"no room","reason":"overflow","requestId":"r1"}', "no room (overflow, r1)"),
        (b'{"error":"bad shape"}', "bad shape"),
        (b'{"detail":"other"}', '{"detail":"other"}'),
        (b"<html>\xff</html>\n", "<html>\ufffd</html>"),
        (b"", "(no body)"),
    ],
)
def test_what_an_error_says(body: bytes, text: str) -> None:
    assert answers.message(body) == text


def test_a_body_is_written_as_it_came_and_ends_its_line(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    for body in (b"{}", b"a\n", b"", b"\xff\x00"):
        answers.write(body)
    assert capfdbinary.readouterr().out == b"{}\na\n\xff\x00\n"
