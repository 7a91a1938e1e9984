"""Objects as tables, names, JSON and YAML.

For: everything `relight get` and its neighbours print of an object.
Must not know: where objects come from, terminals, or what a column shows (cells).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import yaml

from api import keys
from api.kinds import Resource
from relight.cells import COLUMNS, NAMESPACE, Column, Facts

Raw = Mapping[str, Any]
NONE = "<none>"  # as kubectl prints what is absent


def children_selector(service: str) -> str:
    """The label selector of what belongs to one Service."""
    return f"{keys.SERVICE}={service}"


def columns(resource: Resource, *, is_wide: bool, has_namespace: bool) -> tuple[Column, ...]:
    """The columns of a kind; `has_namespace` puts the namespace in front."""
    chosen = tuple(c for c in COLUMNS[resource.plural] if is_wide or not c.is_wide)
    return (NAMESPACE, *chosen) if has_namespace else chosen


def rows(objects: Sequence[Raw], chosen: Sequence[Column], facts: Facts) -> list[list[str]]:
    """The cells of each object, as text."""
    return [[_text(column.cell(raw, facts)) for column in chosen] for raw in objects]


def _text(value: Any) -> str:
    return NONE if value is None or value == "" else str(value)


def table(lines: Sequence[Sequence[str]], widths: list[int]) -> list[str]:
    """Lines of a table, aligned as kubectl does. `widths` grows to the longest cells seen."""
    for line in lines:
        widths.extend([0] * (len(line) - len(widths)))
        widths[:] = map(max, widths, map(len, line))
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def dump(value: Any, form: str) -> str:
    """Text of an object or a list as "json" or "yaml", without the last newline.

    As in kubectl, who owns which field is left out: it is long, and for programs.
    """
    plain = _without_owners(value)
    if form == "json":
        return orjson.dumps(plain, option=orjson.OPT_INDENT_2).decode()
    return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True).rstrip("\n")


def _without_owners(value: Any) -> Any:
    if isinstance(value, Mapping) and "items" in value:
        return {**value, "items": [_without_owners(each) for each in value["items"]]}
    if not isinstance(value, Mapping) or "managedFields" not in value.get("metadata", {}):
        return value
    metadata = {key: each for key, each in value["metadata"].items() if key != "managedFields"}
    return {**value, "metadata": metadata}


def list_of(objects: Sequence[Raw]) -> dict[str, Any]:
    """Several objects as one, the way kubectl prints them."""
    return {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": list(objects)}


def full_name(resource: Resource, raw: Raw) -> str:
    """`service.serving.knative.dev/iris`, as `kubectl get -o name`."""
    kind = f"{resource.singular}.{resource.group}" if resource.group else resource.singular
    return f"{kind}/{raw['metadata']['name']}"
