"""Text → a trace: when requests came, how long each took, for which model.

For: the CSV and JSON-lines files that people publish, whatever their columns are called.
Must not know: files, compression, what a trace is for.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


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


def parse(lines: Iterable[str], *, name: str = "trace") -> Trace:
    """Read a trace; ValueError names the line and column that are wrong, or says it is empty."""
    rows = list(csv.DictReader(lines))
    arrivals = sorted(float(row["timestamp_seconds"]) for row in rows)
    if not arrivals:
        raise ValueError(f"{name}: there is not one request in it")
    return Trace(arrivals=[each - arrivals[0] for each in arrivals])
