"""What the autoscaler tells of a Revision, as a page for a person.

For: `relight why REVISION`: how things stand, what bound it, what was decided before.
Must not know: how it was asked; the time and its zone are arguments.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from relight.moments import clock, span

Raw = Mapping[str, Any]
_NEXT = "{next}"
_OUT_OF_REACH = (
    "no Route leads here, or it can not come up: min-scale does not hold, and nothing is kept or "
    "delayed"
)
_LONG_S = 1.0  # a refusal that lasted so long is told with its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Who reads, and when."""

    now_s: float
    zone: tzinfo | None
    width: int

    def clock(self, at_s: float) -> str:
        """A time of day."""
        return clock(at_s, now_s=self.now_s, zone=self.zone)

    def ago(self, at_s: float) -> str:
        """A time of day, and how long ago."""
        return f"{self.clock(at_s)} ({span(max(0.0, self.now_s - at_s))} ago)"


def page(told: Raw, journal: Raw, reader: Reader, *, last: int) -> str:
    """How things stand now, then the newest `last` decisions that changed or refused something."""
    service = f", service {told['service']}" if told.get("service") else ""
    lines = [f"revision {told['name']} (namespace {told['namespace']}{service})", ""]
    for title, text in _standing(told, reader):
        lines += paragraph(f"  {title:<9} ", text, reader)
    return "\n".join([*lines, "", *_history(journal, reader, last)])


def page_at(told: Raw, journal: Raw, at_s: float, reader: Reader, *, last: int) -> str:
    """What was in force at a time, and how it came to that."""
    name = told["name"]
    entries: Sequence[Raw] = journal["entries"]
    if not entries:
        return _too_early(name, journal, at_s, reader)
    entry = entries[-1]
    wanted = entry["wanted"]
    number = "no number was known" if wanted is None else f"{_replicas(wanted)} wanted"
    lines = [f"At {reader.clock(at_s)} {number} of {name}."]
    since = f"In force since {reader.clock(entry['first'])}: {sentence(entry, reader)}"
    return "\n".join([*lines, *paragraph("", since, reader), "", *_history(journal, reader, last)])


def sentence(entry: Raw, reader: Reader) -> str:
    """The autoscaler's sentence, with its moment on the reader's clock."""
    text: str = entry.get("template") or entry["text"]
    moment = entry.get("next")
    return text.replace(_NEXT, reader.clock(moment)) if moment is not None else text


def is_worth_a_line(entry: Raw) -> bool:
    """Something changed, or was refused."""
    return bool(entry["is_change"] or entry["is_refusal"])


def _standing(told: Raw, reader: Reader) -> list[tuple[str, str]]:
    since = f"{told['phase']} since {reader.ago(told['phase_since'])}"
    wanted = "unknown" if told["wanted"] is None else str(told["wanted"])
    lines = [("now", f"{wanted} wanted, {told['ready']} ready; {since}")]
    if told.get("fault"):
        lines.append(("fails", f"{told['fault']['reason']}: {told['fault']['message']}"))
    now = told.get("now")
    if told.get("asleep"):
        lines.append(("why", str(told["asleep"])))
    elif now is not None:
        lines.append(("why", sentence(now, reader)))
        lines.append(("rule", f"{now['reason']}, since {reader.ago(now['first'])}"))
    if now is not None and (now.get("next") is not None or not told.get("asleep")):
        lines.append(("next", _next(now, reader)))
    if told.get("is_reachable") is False:
        lines.append(("reach", _OUT_OF_REACH))
    if told.get("learned"):
        lines.append(("learned", str(told["learned"])))
    lines.append(("class", str(told["class"])))
    lines += [
        ("set" if not place else "", f"{key}={value}")
        for place, (key, value) in enumerate(sorted(told.get("set", {}).items()))
    ]
    return lines


def _next(now: Raw, reader: Reader) -> str:
    moment = now.get("next")
    if moment is None:
        return "it changes when its load does"
    return f"it can change at {reader.clock(moment)} even if its load does not"


def _history(journal: Raw, reader: Reader, last: int) -> list[str]:
    entries = [entry for entry in journal["entries"] if is_worth_a_line(entry)]
    if not entries:
        return ["nothing was changed or refused since the autoscaler started"]
    lines = ["what was decided, the newest last:"]
    for entry in entries[max(0, len(entries) - last) :]:
        text = sentence(entry, reader)
        if not entry["is_change"] and entry["last"] - entry["first"] >= _LONG_S:
            text += f" So until {reader.clock(entry['last'])}."
        lines += paragraph(f"  {reader.clock(entry['first'])}  ", text, reader)
    return lines


def _too_early(name: str, journal: Raw, at_s: float, reader: Reader) -> str:
    start = journal.get("reaches_back_to")
    if start is None:
        return f"nothing was decided for {name} since the autoscaler started"
    return (
        f"the journal of {name} reaches back to {reader.clock(start)}: what was in force at "
        f"{reader.clock(at_s)} is not remembered"
    )


def paragraph(head: str, text: str, reader: Reader) -> list[str]:
    """Lines of a text that fit the reader's width, the first after `head`, the others below it."""
    return textwrap.wrap(
        text,
        width=max(40, reader.width),
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    ) or [head.rstrip()]


def _replicas(number: int) -> str:
    return f"{number} replica was" if number == 1 else f"{number} replicas were"
