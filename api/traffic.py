"""Traffic targets: which Revisions get what share of a Route's requests.

For: reading the `traffic` list, and checking that its lines agree with one another.
Must not know: which Revisions exist, or how a request is routed.
"""

import json
from dataclasses import dataclass
from typing import Any

from api import fields, formats
from api.objects import Raw

WHOLE = 100  # percent


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficTarget:
    """One line of a Route: a share of the traffic, a tag, or both."""

    revision_name: str = ""
    configuration_name: str = ""
    latest_revision: bool | None = None  # None only in a status that does not say
    percent: int = 0
    tag: str = ""
    url: str = ""  # of the tag; in a status only

    def to_raw(self) -> dict[str, Any]:
        """The JSON form; what is empty is left out, except the percent."""
        named: dict[str, Any] = {
            "tag": self.tag or None,
            "revisionName": self.revision_name or None,
            "configurationName": self.configuration_name or None,
            "latestRevision": self.latest_revision,
            "percent": self.percent,
            "url": self.url or None,
        }
        return {name: value for name, value in named.items() if value is not None}


LATEST = TrafficTarget(latest_revision=True, percent=WHOLE)


def read_traffic(source: fields.Fields, *, is_in_service: bool) -> tuple[TrafficTarget, ...]:
    """The `traffic` list of a Service or Route spec.

    A Service without one sends everything to its latest Revision, and its targets name no
    Configuration: it has only one.
    """
    path, faults = source.at("traffic"), source.faults
    items = source.children("traffic")
    if not items and is_in_service:
        return (LATEST,)
    targets = tuple(_read_target(each, is_in_service=is_in_service) for each in items)
    _check_tags(targets, path, faults)
    total = sum(each.percent for each in targets)
    if total != WHOLE:
        faults.add(f"Traffic targets sum to {total}, want {WHOLE}", path)
    return targets


def status_traffic(status: Raw) -> tuple[TrafficTarget, ...]:
    """The `traffic` list of a Route's or a Service's status, as the controller resolved it.

    Raises InvalidObjectError if it has another form.
    """
    faults = fields.Faults()
    targets = []
    for source in fields.Fields(status, "status", faults).children("traffic"):
        targets.append(_read_fields(source))
        source.finish()
    faults.raise_any()
    return tuple(targets)


def _read_fields(source: fields.Fields) -> TrafficTarget:
    return TrafficTarget(
        revision_name=source.text("revisionName"),
        configuration_name=source.text("configurationName"),
        latest_revision=source.boolean("latestRevision"),
        percent=source.integer("percent") or 0,
        tag=source.text("tag"),
        url=source.text("url"),
    )


def _read_target(source: fields.Fields, *, is_in_service: bool) -> TrafficTarget:
    target = _read_fields(source)
    source.finish()
    _check_latest(target, source)
    _check_names(target, source, is_in_service=is_in_service)
    if not 0 <= target.percent <= WHOLE:
        source.faults.out_of_bounds(target.percent, 0, WHOLE, source.at("percent"))
    if target.url:
        source.faults.disallowed(source.at("url"))
    wrong = formats.dns_1035_label(target.tag) if target.tag else []
    if wrong:
        source.faults.invalid(f"not a DNS 1035 label: [{' '.join(wrong)}]", source.at("tag"))
    is_latest = target.latest_revision
    return TrafficTarget(
        revision_name=target.revision_name,
        configuration_name=target.configuration_name,
        latest_revision=not target.revision_name if is_latest is None else is_latest,
        percent=target.percent,
        tag=target.tag,
    )


def _check_latest(target: TrafficTarget, source: fields.Fields) -> None:
    is_pinned = bool(target.revision_name)
    if target.latest_revision is not None and target.latest_revision == is_pinned:
        name = json.dumps(target.revision_name, ensure_ascii=False)
        latest = json.dumps(target.latest_revision)
        message = f"may not set revisionName {name} when latestRevision is {latest}"
        source.faults.add(message, source.at("latestRevision"))


def _check_names(target: TrafficTarget, source: fields.Fields, *, is_in_service: bool) -> None:
    both = (source.at("configurationName"), source.at("revisionName"))
    faults = source.faults
    if is_in_service and target.configuration_name:
        faults.disallowed(source.at("configurationName"))
    elif target.configuration_name and target.revision_name:
        faults.add("expected exactly one, got both", *both)
    elif not (is_in_service or target.configuration_name or target.revision_name):
        faults.add("expected exactly one, got neither", *both)
    for name, text in (
        ("configurationName", target.configuration_name),
        ("revisionName", target.revision_name),
    ):
        wrong = formats.qualified_name(text) if text else []
        if wrong:
            faults.invalid_key(text, source.at(name), ", ".join(wrong))


def _check_tags(targets: tuple[TrafficTarget, ...], path: str, faults: fields.Faults) -> None:
    first: dict[str, int] = {}
    for index, target in enumerate(targets):
        before = first.setdefault(target.tag, index)
        if target.tag and before != index:
            quoted = json.dumps(target.tag, ensure_ascii=False)
            message = f"Multiple definitions for {quoted}"
            faults.add(message, f"{path}[{before}].tag", f"{path}[{index}].tag")
