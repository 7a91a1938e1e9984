from dataclasses import fields

import pytest

from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions


@pytest.mark.parametrize(
    "options", [Selection(), ListOptions(), WatchOptions(), DeleteOptions()], ids=repr
)
def test_options_ask_for_nothing_by_default(options: object) -> None:
    values = [getattr(options, field.name) for field in fields(options)]  # type: ignore[arg-type] # each is a dataclass
    assert not any(values)


def test_a_write_is_real_and_ours_by_default() -> None:
    options = WriteOptions()
    assert not options.is_dry_run
    assert not options.is_forced
    assert (options.user, options.field_manager, options.subresource) == ("relight", "", "")
