"""Lines → cells, whatever the form; what the cells say is in test_traces."""

import pytest

from rehearsal.columns import Hints
from rehearsal.rows import Row, rows_of

NO_HINTS = Hints()


def cells(text: str) -> list[Row]:
    found = rows_of(iter(text.splitlines(keepends=True)), NO_HINTS)
    assert found is not None
    return list(found.rows)


@pytest.mark.parametrize("text", ["", "\n \n", "# nothing\n"])
def test_a_file_may_have_nothing_in_it(text: str) -> None:
    assert rows_of(iter(text.splitlines(keepends=True)), NO_HINTS) is None


def test_rows_know_their_lines() -> None:
    assert cells("\n# x\ntime;model\n1;a\n\n# y\n;\n2;b\n") == [
        (4, ["1", "a"]),
        (8, ["2", "b"]),
    ]


def test_without_a_header_the_first_row_is_one() -> None:
    assert cells("\n1,7\n2,8\n") == [(2, ["1", "7"]), (3, ["2", "8"])]


def test_objects_are_rows_by_the_names_of_the_first() -> None:
    text = '\n{"time": 1, "executing_s": 2.5}\n\n{"executing_s": null, "time": 2}\n{"time": 3}\n'
    assert cells(text) == [(2, ["1", "2.5"]), (4, ["2", ""]), (5, ["3", ""])]


def test_a_line_may_be_in_quotes() -> None:
    assert cells('time,model\n1,"a\nb"\n2,c\n') == [(3, ["1", "a\nb"]), (4, ["2", "c"])]
