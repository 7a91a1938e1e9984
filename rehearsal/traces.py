"""Text → a trace: when requests came, how long each took, for which model.

For: the CSV and JSON-lines files that people publish, whatever their columns are called.
Must not know: files, compression, what a trace is for.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

from rehearsal.columns import Hints
from rehearsal.rows import Rows, rows_of
from rehearsal.stamps import Stamps, seconds, stamps_like

_NO_HINTS = Hints()
_EMPTY = "the trace is empty: there is not one request in it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Requests in order of arrival. The first arrives at 0.

    `durations` and `models` follow `arrivals`; None: the file does not have them.
    """

    arrivals: Sequence[float]  # s after the first
    durations: Sequence[float] | None = None  # s
    models: Sequence[str] | None = None
    began_s: float | None = None  # epoch seconds of the first arrival, where the file knows it
    notes: tuple[str, ...] = field(default=())  # how the file was read, in sentences

    def __len__(self) -> int:
        """How many requests there are."""
        return len(self.arrivals)

    def by_model(self) -> Mapping[str, Sequence[int] | None]:
        """The numbers of each model's requests; None: all of them, of the only one."""
        if self.models is None:
            return {"revision": None}
        numbers: dict[str, list[int]] = {}
        for number, model in enumerate(self.models):
            numbers.setdefault(model, []).append(number)
        return numbers


def parse(lines: Iterable[str], *, name: str = "trace", hints: Hints = _NO_HINTS) -> Trace:
    """Read a trace; ValueError names the line and column that are wrong, or says it is empty.

    Blank lines and those that begin with # are left out. Cost: linear, but for sorting.
    """
    try:
        found = rows_of(iter(lines), hints)
        return _read(found)
    except (csv.Error, ValueError) as error:
        raise ValueError(f"{name}: {error}") from None


def _read(found: Rows | None) -> Trace:
    if found is None:
        raise ValueError(_EMPTY)
    columns, notes = found.columns, list(found.notes)
    times: list[float] = []
    durations: list[float] = []
    models: list[str] = []
    stamps: Stamps | None = None
    place = columns.time
    for number, row in found.rows:
        try:
            place = columns.time
            stamps = stamps or stamps_like(row[place], unit=columns.time_unit)
            times.append(stamps.read(row[place]))
            if columns.duration is not None:
                place = columns.duration
                is_unknown = not row[place].strip() and not columns.is_end
                per_s = columns.duration_per_s
                durations.append(math.nan if is_unknown else seconds(row[place], per_s))
            if columns.models:
                place = columns.models[-1]
                models.append("/".join([row[each].strip() for each in columns.models]))
        except IndexError:
            raise ValueError(f"line {number}: column {columns.names[place]!r} is missing") from None
        except ValueError:
            what = "time" if place == columns.time else "duration"
            where = f"line {number}, column {columns.names[place]!r}"
            raise ValueError(f"{where}: {row[place]!r} is not a {what}") from None
    if stamps is None:
        raise ValueError(_EMPTY)
    if columns.is_end:
        times = [end_s - took_s for end_s, took_s in zip(times, durations, strict=True)]
        notes.append("Times are those of the answers: a request came its duration before.")
    durations = _filled(durations, notes)
    return _ordered(times, durations, models, stamps, [stamps.note, *notes])


def _filled(durations: list[float], notes: list[str]) -> list[float]:
    """Give requests of unknown duration, which were refused or left, the median of the others."""
    known = [each for each in durations if not math.isnan(each)]
    if not known or len(known) == len(durations):
        return known
    middle = median(known)
    notes.append(
        f"{len(durations) - len(known)} requests have no duration: the median of the others, "
        f"{middle:g} s, counts."
    )
    return [middle if math.isnan(each) else each for each in durations]


def _ordered(
    times: list[float], durations: list[float], models: list[str], stamps: Stamps, notes: list[str]
) -> Trace:
    order = sorted(range(len(times)), key=times.__getitem__)
    if any(later < earlier for earlier, later in pairwise(order)):
        notes.append("Rows were not in order of arrival: they are now.")
        times = [times[each] for each in order]
        durations = [durations[each] for each in order] if durations else []
        models = [models[each] for each in order] if models else []
    began_s = times[0]
    return Trace(
        # Seconds since 1970 have room for microseconds in a float, and what follows is noise.
        arrivals=[round(each - began_s, 6) for each in times],
        durations=durations or None,
        models=models or None,
        began_s=began_s if stamps.is_epoch else None,
        notes=tuple(notes),
    )
