"""A CustomResourceDefinition itself: its defaults, its rules, its status.

For: taking a CRD that Kubernetes takes, and refusing one by the field that is wrong.
Must not know: objects of the kind, requests, or where CRDs are stored.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from api import formats
from api.objects import Raw
from embedded import rules, schema_rules

CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_Causes = Iterator[tuple[str, str]]
_SCOPES: Final = ("Cluster", "Namespaced")
_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_VERSION: Final = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def defaulted(crd: dict[str, Any]) -> dict[str, Any]:
    """The CRD with Kubernetes' defaults."""
    spec = crd.get("spec")
    if not isinstance(spec, Mapping) or not isinstance(spec.get("names"), Mapping):
        return crd
    names = dict(spec["names"])
    kind = names.get("kind")
    if isinstance(kind, str) and kind:
        names.setdefault("singular", kind.lower())
        names.setdefault("listKind", f"{kind}List")
    conversion = spec.get("conversion") or {"strategy": "None"}
    return {**crd, "spec": {**spec, "names": names, "conversion": conversion}}


def causes(crd: Raw, old: Raw | None, *, is_native: bool) -> _Causes:
    """Everything that is wrong with a CRD. One for a kind served natively defines nothing."""
    spec = crd.get("spec")
    if not isinstance(spec, Mapping):
        yield "spec", "Required value"
        return
    group = spec.get("group") or ""
    if not group:
        yield "spec.group", "Required value"
    elif "." not in group:
        yield "spec.group", f'Invalid value: "{group}": should be a domain with at least one dot'
    names = spec.get("names")
    yield from _names(names if isinstance(names, Mapping) else {}, "spec.names")
    plural = names.get("plural") if isinstance(names, Mapping) else ""
    name = crd["metadata"]["name"]
    if name != f"{plural}.{group}":
        why = 'must be spec.names.plural+"."+spec.group'
        yield "metadata.name", f'Invalid value: "{name}": {why}'
    scope = spec.get("scope")
    if not scope:
        yield "spec.scope", "Required value"
    elif scope not in _SCOPES:
        yield "spec.scope", f'Unsupported value: "{scope}": supported values: {_listed(_SCOPES)}'
    yield from _versions(spec, is_native=is_native)
    yield from _conversion(spec, is_native=is_native)
    if spec.get("preserveUnknownFields"):
        yield (
            "spec.preserveUnknownFields",
            "Invalid value: true: must be false in order to use defaults in the schema",
        )
    if old is not None:
        yield from _immutable(spec, old)


def _listed(values: Sequence[str]) -> str:
    return ", ".join(f'"{each}"' for each in values)


def _names(names: Raw, path: str) -> _Causes:
    for field in ("plural", "singular", "kind", "listKind"):
        value = names.get(field)
        here = f"{path}.{field}"
        if not isinstance(value, str) or not value:
            yield here, "Required value"
            continue
        text = value if field in ("plural", "singular") else value.lower()
        for wrong in formats.dns_1035_label(text):
            yield here, f'Invalid value: "{value}": {wrong}'
    for field in ("shortNames", "categories"):
        for at, value in enumerate(names.get(field) or ()):
            for wrong in formats.dns_1035_label(str(value)):
                yield f"{path}.{field}[{at}]", f'Invalid value: "{value}": {wrong}'
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield (
            f"{path}.listKind",
            f'Invalid value: "{names["listKind"]}": kind and listKind may not be the same',
        )


def _versions(spec: Raw, *, is_native: bool) -> _Causes:
    versions = spec.get("versions")
    if not isinstance(versions, list) or not versions:
        yield (
            "spec.versions",
            "Invalid value: null: must have exactly one version marked as storage version",
        )
        return
    seen: set[str] = set()
    for at, version in enumerate(versions):
        path = f"spec.versions[{at}]"
        name = version.get("name") or ""
        if not _VERSION.fullmatch(name) or len(name) > 63:
            for wrong in formats.dns_1035_label(name) or ["must be a DNS label"]:
                yield f"{path}.name", f'Invalid value: "{name}": {wrong}'
        if name in seen:
            yield f"{path}.name", f'Duplicate value: "{name}"'
        seen.add(name)
        for field in ("served", "storage"):
            if not isinstance(version.get(field), bool):
                yield f"{path}.{field}", "Required value: must be true or false"
        yield from _schema(version, path, is_native=is_native)
        yield from _parts(version, path)
    if sum(version.get("storage") is True for version in versions) != 1:
        yield (
            "spec.versions",
            "Invalid value: must have exactly one version marked as storage version",
        )


def _schema(version: Raw, path: str, *, is_native: bool) -> _Causes:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    here = f"{path}.schema.openAPIV3Schema"
    if not isinstance(schema, Mapping):
        yield here, "Required value: schemas are required"
        return
    yield from schema_rules.causes(dict(schema), here)
    if not is_native:  # its rules are never asked: our own validation is in charge
        yield from rules.compile_causes(dict(schema), here)


def _parts(version: Raw, path: str) -> _Causes:
    for at, column in enumerate(version.get("additionalPrinterColumns") or ()):
        here = f"{path}.additionalPrinterColumns[{at}]"
        for field in ("name", "type", "jsonPath"):
            if not column.get(field):
                yield f"{here}.{field}", "Required value"
        if column.get("type") and column["type"] not in _COLUMN_TYPES:
            yield (
                f"{here}.type",
                f'Invalid value: "{column["type"]}": must be one of {",".join(_COLUMN_TYPES)}',
            )
        if column.get("jsonPath") and not str(column["jsonPath"]).startswith((".", "[")):
            why = "must start with ."
            yield f"{here}.jsonPath", f'Invalid value: "{column["jsonPath"]}": {why}'
    yield from _scale(version, path)
    fields = version.get("selectableFields") or ()
    for at, each in enumerate(fields):
        if not re.fullmatch(r"(\.[A-Za-z_][A-Za-z0-9_-]*)+", str(each.get("jsonPath") or "")):
            yield (
                f"{path}.selectableFields[{at}].jsonPath",
                f'Invalid value: "{each.get("jsonPath")}": must be a valid path',
            )


def _scale(version: Raw, path: str) -> _Causes:
    scale = (version.get("subresources") or {}).get("scale")
    if isinstance(scale, Mapping):
        here = f"{path}.subresources.scale"
        for field, start in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
            value = scale.get(field)
            if not value:
                yield f"{here}.{field}", "Required value"
            elif not value.startswith(start):
                why = f"should be a json path under {start.strip('.')}"
                yield f"{here}.{field}", f'Invalid value: "{value}": {why}'


def _conversion(spec: Raw, *, is_native: bool) -> _Causes:
    strategy = (spec.get("conversion") or {}).get("strategy")
    if strategy not in ("None", "Webhook"):
        yield (
            "spec.conversion.strategy",
            f'Unsupported value: "{strategy}": supported values: "None", "Webhook"',
        )
    elif strategy == "Webhook" and len(spec.get("versions") or ()) > 1 and not is_native:
        yield (
            "spec.conversion.strategy",
            'Invalid value: "Webhook": this server calls no webhooks: use "None", or keep one '
            "version",
        )


def _immutable(spec: Raw, old: Raw) -> _Causes:
    before = old["spec"]
    for field in ("group", "scope"):
        if spec.get(field) != before.get(field):
            yield f"spec.{field}", f'Invalid value: "{spec.get(field)}": field is immutable'
    names = spec.get("names") or {}
    for field in ("kind", "plural"):
        if names.get(field) != before["names"].get(field):
            value = names.get(field)
            yield f"spec.names.{field}", f'Invalid value: "{value}": field is immutable'
    present = {each.get("name") for each in spec.get("versions") or ()}
    for version in (old.get("status") or {}).get("storedVersions") or ():
        if version not in present:
            why = "missing from spec.versions; must be in spec.versions or be removed from status"
            yield "status.storedVersions[0]", f'Invalid value: "{version}": {why}'


def with_status(crd: Raw, conflict: str, *, now: str) -> dict[str, Any]:
    """The CRD with the status of one whose names are free, or taken as `conflict` says."""
    spec, before = crd["spec"], crd.get("status") or {}
    stored = list(before.get("storedVersions") or ())
    storage = next(each["name"] for each in spec["versions"] if each["storage"])
    accepted = {"plural": "", "kind": ""} if conflict else dict(spec["names"])
    conditions = [
        _condition(
            before,
            now,
            "NamesAccepted",
            is_true=not conflict,
            reason="NoConflicts" if not conflict else "NameConflict",
            message=conflict or "no conflicts found",
        ),
        _condition(
            before,
            now,
            "Established",
            is_true=not conflict,
            reason="InitialNamesAccepted" if not conflict else "NotAccepted",
            message="the initial names have been accepted"
            if not conflict
            else "not all names are accepted",
        ),
    ]
    kept = [
        each
        for each in before.get("conditions") or ()
        if each.get("type") not in ("NamesAccepted", "Established")
    ]
    status = {
        "acceptedNames": accepted,
        "conditions": [*conditions, *kept],
        "storedVersions": stored if storage in stored else [*stored, storage],
    }
    return {**crd, "status": status}


def _condition(
    before: Raw, now: str, type_: str, *, is_true: bool, reason: str, message: str
) -> dict[str, Any]:
    status = "True" if is_true else "False"
    old = next((each for each in before.get("conditions") or () if each["type"] == type_), None)
    since = old["lastTransitionTime"] if old and old["status"] == status else now
    return {
        "type": type_,
        "status": status,
        "lastTransitionTime": since,
        "reason": reason,
        "message": message,
    }


def is_accepted(crd: Raw) -> bool:
    """Whether the kind of a stored CRD is served."""
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)
