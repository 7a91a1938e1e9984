"""The table of `make conformance`: rows are behaviours, columns are servers.

For: showing at a glance what holds where, with a sentence for what does not apply.
Must not know: how behaviours are tested.
"""

import re
from collections import Counter, defaultdict
from pathlib import Path

from tests.conformance.exceptions import EXCEPTIONS

OURS = ("call", "http")
REAL = "kubernetes"
COLUMNS = (*OURS, REAL)
NOT_GIVEN = "no KUBECONFIG was given"
LACKS = "lacks: "
TITLES = {"call": "ours, by call", "http": "ours, over HTTP", REAL: "real"}
_WORST = ("ERROR", "NO", "yes")  # of cases that share a cell
_WIDTH_MAX = 90
_CELL = 23


class Table:
    """Filled report by report."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))

    def add(self, nodeid: str, outcome: str, why: str) -> None:
        """One report of pytest; those that are of no server are not shown."""
        behaviour, server = cell_of(nodeid)
        if server and Path(nodeid.partition("::")[0]).parent.name == "conformance":
            self._rows[behaviour][server].append(_shown(outcome, why))

    def lines(self) -> list[str]:
        """The table, counts, and a legend."""
        width = min(_WIDTH_MAX, max((len(each) for each in self._rows), default=0))
        titles = "  ".join(f"{TITLES[each]:<{_CELL}}" for each in COLUMNS)
        found = ["", f"{'behaviour':<{width}}  {titles.rstrip()}"]
        for behaviour in sorted(self._rows):
            cells = [self._cell(behaviour, each) for each in COLUMNS]
            shown = "  ".join(f"{cell:<{_CELL}}" for cell in cells)
            found.append(f"{behaviour[:width]:<{width}}  {shown.rstrip()}")
        return [*found, "", *self._counts(), "", *self._legend()]

    def _cell(self, behaviour: str, column: str) -> str:
        cells = self._rows[behaviour][column]
        return next((each for each in _WORST if each in cells), cells[0] if cells else "")

    def _counts(self) -> list[str]:
        found = []
        for column in COLUMNS:
            cells = Counter(self._cell(each, column) for each in self._rows)
            asked = sum(count for cell, count in cells.items() if cell in _WORST)
            wrong = cells["NO"] + cells["ERROR"]
            lacking = sum(count for cell, count in cells.items() if cell.startswith(LACKS))
            text = f"{cells['yes']} of {asked}" if asked else "not asked"
            text += f", {wrong} FAILED" if wrong else ""
            text += f"; {lacking} need what it lacks" if lacking else ""
            found.append(f"{TITLES[column]}: {text}")
        return found

    def _legend(self) -> list[str]:
        cells = {cell for row in self._rows.values() for found in row.values() for cell in found}
        names = {name for cell in cells if cell.startswith(LACKS) for name in _names(cell)}
        return [f"lacks {name}: {EXCEPTIONS[name]}" for name in sorted(names)]


def _names(cell: str) -> list[str]:
    return cell.removeprefix(LACKS).split(", ")


def cell_of(nodeid: str) -> tuple[str, str]:
    """The behaviour that a test shows, and the server it shows it on; "" if on none."""
    path, _, rest = nodeid.partition("::")
    name, _, parameters = rest.partition("[")
    area = Path(path).stem.removeprefix("test_")
    parts = re.sub(r"-?kubectl-of-\w+", "", parameters.removesuffix("]")).split("-")
    servers = [each for each in parts if each in COLUMNS]
    others = "-".join(each for each in parts if each and each not in COLUMNS)
    text = name.split("::")[-1].removeprefix("test_").replace("_", " ")
    server = servers[0] if servers else "http" if area.startswith("kubectl") else ""
    area = area.replace("_", " ")
    return f"{area}: {text}{f' ({others})' if others else ''}", server


def _shown(outcome: str, why: str) -> str:
    if outcome != "skipped":
        return {"passed": "yes", "failed": "NO", "error": "ERROR"}[outcome]
    reason = why.removeprefix("Skipped: ")
    if reason == NOT_GIVEN:
        return "-"
    return reason if reason.startswith(LACKS) else "skipped"
