"""Scores side by side: a table for people, JSON and CSV for programs.

For: everything `relight simulate` prints of how policies did.
Must not know: how a score came about, charts, files.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from rehearsal.policies import Policy
from rehearsal.scores import Score
from relight import rendering, spans

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One policy and how it did."""

    policy: Policy
    score: Score


def cells(lines: Sequence[Line], *, price: float | None) -> list[list[str]]:
    """A head and a row a policy; in brackets the share of the first policy's number."""
    first = lines[0].score
    with_frozen = any(line.score.frozen_s or line.score.resumes for line in lines)
    head = ["POLICY", "WAIT P50", "P95", "P99", "WAITED", "COLD WAITS", "COLD STARTS", "REPLICA-S"]
    head += ["BUSY", "IDLE", "STARTING", "WASTED"]
    head += ["FROZEN", "RESUMED WAITS"] if with_frozen else []
    head += ["COST"] if price is not None else []
    rows = [head]
    for line in lines:
        score = line.score
        is_first = score is first
        row = [line.policy.name]
        row += [spans.human(s) for s in (score.wait_p50_s, score.wait_p95_s, score.wait_p99_s)]
        row += [
            f"{score.waits:,}",
            _with_share(score.cold_waits, first.cold_waits, is_first=is_first),
            f"{score.cold_starts:,}",
            _with_share(score.replica_s, first.replica_s, is_first=is_first),
        ]
        parts = (score.busy_s, score.idle_s, score.starting_s, score.wasted_s)
        row += [f"{seconds:,.0f}" for seconds in parts]
        row += [f"{score.frozen_s:,.0f}", f"{score.resumed_waits:,}"] if with_frozen else []
        row += [_money(score.cost(price / HOUR_S))] if price is not None else []
        rows.append(row)
    return rows


def table(lines: Sequence[Line], *, price: float | None) -> str:
    """The cells as text, numbers to the right."""
    rows = cells(lines, price=price)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    aligned = [
        [row[0], *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        for row in rows
    ]
    return "\n".join(rendering.table(aligned, []))


def raw(line: Line, *, price: float | None) -> dict[str, Any]:
    """Every number of a policy, for programs."""
    numbers = asdict(line.score)
    numbers["replica_s"] = line.score.replica_s
    rounded = {
        name: round(value, 6) if isinstance(value, float) else value
        for name, value in numbers.items()
    }
    if price is not None:
        rounded["cost_usd"] = round(line.score.cost(price / HOUR_S), 6)
    return {"policy": line.policy.name, **rounded}


def as_json(lines: Sequence[Line], about: dict[str, Any], *, price: float | None) -> str:
    """One object: what was rehearsed and assumed, and a list of policies."""
    whole = {
        **about,
        "policies": [
            {**raw(line, price=price), "annotations": dict(line.policy.annotations)}
            for line in lines
        ],
    }
    return orjson.dumps(whole, option=orjson.OPT_INDENT_2).decode()


def as_csv(lines: Sequence[Line], *, price: float | None) -> str:
    """A head and a row a policy."""
    rows = [raw(line, price=price) for line in lines]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _with_share(number: float, first: float, *, is_first: bool) -> str:
    """`3,412 (57 %)`: the share of the first policy's number, if that is one to compare with."""
    if is_first or not first:
        return f"{number:,.0f}"
    return f"{number:,.0f} ({100 * number / first:.0f} %)"


def _money(usd: float) -> str:
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
