"""Thousands of fields as a table that a person can read.

Fields that stand in the same object and fare the same share a row; what stands below a field
is told with it, unless some of it fares otherwise: that gets rows of its own.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from api.coverage import Entry, Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Some fields of one object: `texts` are their names, with all that is below in braces."""

    parent: str
    texts: tuple[str, ...]
    fate: Fate
    reason: str


@dataclass(slots=True)
class _Node:
    entry: Entry | None = None
    is_list: bool = False
    below: dict[str, "_Node"] = field(default_factory=dict)

    def signature(self) -> tuple[object, ...]:
        said = (self.entry.fate, self.entry.reason) if self.entry else ()
        inner = tuple(sorted((name, node.signature()) for name, node in self.below.items()))
        return (said, self.is_list, inner)

    def fates(self) -> set[tuple[Fate, str]]:
        own = {(self.entry.fate, self.entry.reason)} if self.entry else set()
        return own.union(*(node.fates() for node in self.below.values()))


def fold(entries: Iterable[Entry]) -> list[Row]:
    """Rows for all entries, in the order of their paths."""
    root = _Node()
    for entry in entries:
        node = root
        for step in entry.path.split("."):
            name = step.removesuffix("[*]")
            node = node.below.setdefault(name, _Node())
            node.is_list = node.is_list or step.endswith("[*]")
        node.entry = entry
    return list(_rows(root, ""))


def _rows(node: _Node, parent: str) -> Iterator[Row]:
    alike: dict[tuple[object, ...], list[str]] = {}
    for name in sorted(node.below):
        alike.setdefault(node.below[name].signature(), []).append(name)
    buckets: dict[tuple[Fate, str], list[str]] = {}
    mixed: list[tuple[str, _Node]] = []
    for names in alike.values():
        first = node.below[names[0]]
        fates = first.fates()
        if len(fates) == 1 and first.entry is not None:
            buckets.setdefault(fates.pop(), []).extend(_text(name, node.below) for name in names)
            continue
        label = names[0] if len(names) == 1 else "{" + ",".join(names) + "}"
        if first.entry is not None:
            told = buckets.setdefault((first.entry.fate, first.entry.reason), [])
            told.extend(names)
        mixed.append((label + ("[*]" if first.is_list else ""), first))
    for (fate, reason), texts in buckets.items():
        yield Row(parent=parent, texts=tuple(sorted(texts)), fate=fate, reason=reason)
    for label, inner in mixed:
        yield from _rows(inner, f"{parent}.{label}" if parent else label)


def _text(name: str, siblings: dict[str, _Node]) -> str:
    node = siblings[name]
    if not node.below:
        return name
    inner = [_text(each, node.below) for each in sorted(node.below)]
    told = inner[0] if len(inner) == 1 else "{" + ",".join(inner) + "}"
    return f"{name}{'[*]' if node.is_list else ''}.{told}"


def expanded(text: str) -> Iterator[str]:
    """Every path that a text with braces stands for."""
    open_at = text.find("{")
    if open_at < 0:
        yield text
        return
    depth, parts, start = 0, [], open_at + 1
    for at in range(open_at, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "," and depth == 1:
            parts.append(text[start:at])
            start = at + 1
        elif text[at] == "}":
            depth -= 1
            if not depth:
                parts.append(text[start:at])
                break
    for part in parts:
        for tail in expanded(text[at + 1 :]):
            for middle in expanded(part):
                yield text[:open_at] + middle + tail


def paths(row: Row) -> Iterator[str]:
    """Every path that a row tells of: what it names, and the objects that this stands in."""
    for text in row.texts:
        for prefix in expanded(row.parent):
            for each in expanded(text):
                steps = each.split(".")
                for end in range(1, len(steps) + 1):
                    path = ".".join(steps[:end]).removesuffix("[*]")
                    yield f"{prefix}.{path}" if prefix else path
