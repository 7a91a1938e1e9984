"""Text → rows of cells, each with the number of its line, and which cell says what.

For: CSV with whatever delimiter, with a header or without, and JSON lines, read alike.
Must not know: what a cell means.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from rehearsal.columns import Columns, Hints, delimiter_of, recognise
from rehearsal.stamps import stamps_like

_SPACE = "\ufeff \r\n\t"
_NO_HEADER = "No header: the first column is taken for the time of arrival, the rest left out."
_NUMBERED = "No header: columns go by their numbers."
Row = tuple[int, Sequence[str]]  # number of its line, cells


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A file that was begun. Going through `rows` may raise ValueError, naming the line."""

    columns: Columns
    rows: Iterator[Row]
    notes: tuple[str, ...] = ()


def rows_of(lines: Iterator[str], hints: Hints) -> Rows | None:
    """Read a file's beginning; None if there is nothing in it. ValueError as `recognise`."""
    skipped = 0
    for head in lines:
        if head.strip(_SPACE) and not head.startswith("#"):
            break
        skipped += 1
    else:
        return None
    lines = chain([head.removeprefix("\ufeff")], lines)
    if head.lstrip(_SPACE).startswith(("{", "[")):
        return _objects(lines, skipped, hints)
    return _table(lines, head, skipped, hints)


def _table(lines: Iterator[str], head: str, skipped: int, hints: Hints) -> Rows:
    reader = csv.reader(lines, delimiter=delimiter_of(head), skipinitialspace=True)
    first = [cell.strip() for cell in next(reader)]
    rows: Iterator[Row] = (
        (reader.line_num + skipped, row)
        for row in reader
        if row and not row[0].startswith("#") and any(row)
    )
    if not _is_bare(first, hints):
        return Rows(columns=recognise(first, hints), rows=rows)
    names = tuple(str(place) for place in range(1, len(first) + 1))
    is_numbered = any((hints.time, hints.duration, hints.model))
    return Rows(
        columns=recognise(names, replace(hints, time=hints.time or "1")),
        rows=chain([(skipped + 1, first)], rows),
        notes=(_NUMBERED if is_numbered else _NO_HEADER,),
    )


def _is_bare(first: Sequence[str], hints: Hints) -> bool:
    """No names: where the time is, there is one already."""
    if hints.time is None:
        return _is_stamp(first[0])
    place = int(hints.time) - 1 if hints.time.isdecimal() else -1
    return hints.time not in first and 0 <= place < len(first) and _is_stamp(first[place])


def _objects(lines: Iterator[str], skipped: int, hints: Hints) -> Rows:
    objects = _loaded(lines, skipped)
    first = next(objects)
    columns = recognise(tuple(first[1]), hints)
    return Rows(columns=columns, rows=_cells(columns, chain([first], objects)))


def _cells(columns: Columns, objects: Iterator[tuple[int, dict[str, object]]]) -> Iterator[Row]:
    """A field that is null, or not there, is an empty cell; but time and model have to be there."""
    needed = [columns.names[place] for place in (columns.time, *columns.models)]
    for number, each in objects:
        for name in needed:
            if name not in each:
                raise ValueError(f"line {number}: {name!r} is missing")
        values = [each.get(name) for name in columns.names]
        yield number, ["" if value is None else str(value) for value in values]


def _loaded(lines: Iterator[str], skipped: int) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(lines, start=skipped + 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number}: not JSON: {error}") from None
        if not isinstance(value, dict):
            raise ValueError(f"line {number}: JSON lines have one object a line")  # noqa: TRY004 - of a text
        yield number, value


def _is_stamp(text: str) -> bool:
    try:
        stamps_like(text, unit=None)
    except ValueError:
        return False
    return True
