from collections.abc import Iterator, Mapping

import pytest

from embedded.messages import KINDS, Field, Message

FORMS = {"string", "bytes", "int", "bool", "time", "microtime"}


def every(message: Message) -> Iterator[Field]:
    for field in message.values():
        yield field
        if isinstance(field.form, Mapping):
            yield from every(field.form)


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each[1])
def test_every_field_has_a_form_that_is_read(kind: tuple[str, str]) -> None:
    for field in every(KINDS[kind]):
        assert isinstance(field.form, Mapping) or field.form in FORMS
        assert not (field.is_map and field.is_repeated)
