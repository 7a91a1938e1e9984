import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.model_reports import TEXT_BYTES_MAX, FoundModel, NoModel, parse, to_text

DIGEST = "sha256:" + "ab" * 32


def test_what_is_written_is_read() -> None:
    found = FoundModel(digest=DIGEST, size_bytes=7)
    assert parse(to_text(found)) == found
    missing = NoModel(reason="ModelMissing", message="model m does not exist", is_final=True)
    assert parse(to_text(missing)) == missing


@given(message=st.text(max_size=3000))
def test_it_always_fits(message: str) -> None:
    text = to_text(NoModel(reason="ModelUnreadable", message=message))
    assert len(text.encode(errors="replace")) <= TEXT_BYTES_MAX
    read = parse(text)
    assert isinstance(read, NoModel)
    if message.isascii() and message.isprintable():
        assert message.startswith(read.message)


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):",
        "[]",
        "[" * 100_000,
        json.dumps({"digest": "sha256:ab"}),
        json.dumps({"digest": 1, "reason": "ModelMissing"}),
        json.dumps({"reason": "Model missing", "message": "x"}),
        json.dumps({"reason": "M" * 65, "message": "x"}),
    ],
)
def test_whoever_wrote_it_is_not_trusted(text: str) -> None:
    assert parse(text) is None
    assert parse(json.dumps({"digest": DIGEST, "bytes": "many"})) == FoundModel(digest=DIGEST)
