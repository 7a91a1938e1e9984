"""What an API server asks before it stores one of our objects.

For: one answer, the object with its defaults or every reason to refuse it.
Must not know: how requests arrive, where objects are stored, or who may do what.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from api import differences, fields, keys, kinds
from api.autoscaler_config import Defaults
from api.autoscaling import PodAutoscaler
from api.defaulting import defaulted
from api.domainmapping import DomainMapping
from api.errors import FieldError, InvalidObjectError
from api.inference import InferenceService
from api.inference import check_written as check_inference_written
from api.kinds import Resource
from api.objects import Raw
from api.runtimes import Runtime
from api.serving import Configuration, Revision, Route, Service


class _ParseBySettings(Protocol):
    def __call__(self, raw: Raw, *, defaults: Defaults) -> object: ...


_PARSE: Mapping[Resource, Callable[[Raw], object]] = {
    kinds.ROUTES: Route.parse,
    kinds.DOMAINMAPPINGS: DomainMapping.parse,
    kinds.INFERENCESERVICES: InferenceService.parse,
    kinds.SERVINGRUNTIMES: Runtime.parse,
    kinds.CLUSTERSERVINGRUNTIMES: partial(Runtime.parse, resource=kinds.CLUSTERSERVINGRUNTIMES),
}
_PARSE_BY_SETTINGS: Mapping[Resource, _ParseBySettings] = {
    kinds.SERVICES: Service.parse,
    kinds.CONFIGURATIONS: Configuration.parse,
    kinds.REVISIONS: Revision.parse,
    kinds.PODAUTOSCALERS: PodAutoscaler.parse,
}
_KNATIVES = Defaults()
_WITH_USERS = (kinds.SERVICES, kinds.CONFIGURATIONS, kinds.ROUTES, kinds.DOMAINMAPPINGS)
_WITH_TEMPLATE = (kinds.SERVICES, kinds.CONFIGURATIONS)


def admit(
    resource: Resource, new: Raw, old: Raw | None, *, user: str, defaults: Defaults = _KNATIVES
) -> dict[str, Any]:
    """The object to store in place of `new`; `old` is what is stored now, None on create.

    Kinds that are not ours are returned as they are. The status is not looked at: it is the
    controller's, and is kept as it is. `defaults` are the settings of now: what they forbid is
    let be in a template, or in annotations of a Revision, that did not change. What was wrong
    with the stored object already is let be while its spec stays: an object that is older than a
    rule can be labelled, released and deleted.

    Raises InvalidObjectError with everything that is wrong.
    """
    if resource not in _PARSE and resource not in _PARSE_BY_SETTINGS:
        return dict(new)
    if resource == kinds.INFERENCESERVICES and old is None:
        check_inference_written(new)
    result = defaulted(resource, new)
    before = None if old is None else defaulted(resource, old)
    if old and before and resource == kinds.REVISIONS and result.get("spec") == before.get("spec"):
        # It never changes: not even by defaults that are younger than it is.
        result["spec"] = before["spec"] = old.get("spec")
    _check_form(_parser(resource, result, before, defaults), result, before)
    # What follows may rely on the form of the object.
    if resource in _WITH_USERS:
        result["metadata"] = _with_users(result, before, user)
    faults = fields.Faults()
    _check_change(resource, result, before, faults)
    faults.raise_any()
    return result


def _check_form(parse: Callable[[Raw], object], new: Raw, old: Raw | None) -> None:
    try:
        parse(_without_status(new))
    except InvalidObjectError as error:
        if old is None or old.get("spec") != new.get("spec"):
            raise
        if not set(error.errors) <= _faults(parse, old):
            raise


def _faults(parse: Callable[[Raw], object], stored: Raw) -> set[FieldError]:
    try:
        parse(_without_status(stored))
    except InvalidObjectError as error:
        return set(error.errors)
    return set()


def _without_status(raw: Raw) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name != "status"}


def _parser(
    resource: Resource, new: Raw, old: Raw | None, defaults: Defaults
) -> Callable[[Raw], object]:
    parse = _PARSE_BY_SETTINGS.get(resource)
    if parse is None:
        return _PARSE[resource]
    return partial(
        parse, defaults=defaults.permissive if _is_same(resource, new, old) else defaults
    )


def _is_same(resource: Resource, new: Raw, old: Raw | None) -> bool:
    """Whether what a Revision is made from, or how it scales, is as it was."""
    if old is None:
        return False
    if resource in _WITH_TEMPLATE:
        # A change of the template makes a Revision, which would be refused later.
        return _template(new) == _template(old)
    return scaling_annotations(resource, new) == scaling_annotations(resource, old)


def scaling_annotations(resource: Resource, raw: Raw) -> Mapping[str, Any]:
    """The annotations that tune the scaling of a Revision; lenient about form."""
    part = _template(raw) if resource in _WITH_TEMPLATE else raw
    return _map(_map(part, "metadata"), "annotations")


def _template(raw: Raw) -> Mapping[str, Any]:
    return _map(_map(raw, "spec"), "template")


def _map(raw: Raw, name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, Mapping) else {}


def _with_users(new: Raw, old: Raw | None, user: str) -> dict[str, Any]:
    """The metadata with the names of who created and who last changed the spec.

    What an owner made carries the owner's: its annotations are copied, not written here.
    """
    metadata: dict[str, Any] = dict(new["metadata"])
    if metadata.get("ownerReferences"):
        return metadata
    before = old["metadata"].get("annotations") or {} if old else {}
    found = dict(metadata.get("annotations") or {})
    if old is None:
        users = {keys.CREATOR: user, keys.LAST_MODIFIER: user} if user else {}
    else:
        # A manifest does not repeat what the server wrote: absent means unchanged.
        users = {
            key: before[key]
            for key in (keys.CREATOR, keys.LAST_MODIFIER)
            if key in before and key not in found
        }
        if user and old.get("spec") != new.get("spec"):
            users[keys.LAST_MODIFIER] = user
    if users:
        metadata["annotations"] = {**found, **users}
    return metadata


def _check_change(resource: Resource, new: Raw, old: Raw | None, faults: fields.Faults) -> None:
    if old is None:
        return
    is_same = old.get("spec") == new.get("spec")
    if resource == kinds.REVISIONS and not is_same:
        details = differences.between(old.get("spec"), new.get("spec"), "spec")
        faults.add("Immutable fields changed (-old +new)", "spec", details=details)
    if resource in _WITH_TEMPLATE and not is_same:
        _check_name_changed(new["spec"]["template"], old["spec"]["template"], faults)
    if resource in _WITH_USERS and not new["metadata"].get("ownerReferences"):
        _check_users(new, old, faults, is_same=is_same)


def _check_name_changed(new: Raw, old: Raw, faults: fields.Faults) -> None:
    """A name given to a Revision names one template for good."""
    name = (new.get("metadata") or {}).get("name")
    if name and name == (old.get("metadata") or {}).get("name") and old != new:
        faults.add(
            "Saw the following changes without a name change (-old +new)",
            "spec.template.metadata.name",
            details=differences.between(old, new, "spec.template"),
        )


def _check_users(new: Raw, old: Raw, faults: fields.Faults, *, is_same: bool) -> None:
    before = old["metadata"].get("annotations") or {}
    after = new["metadata"].get("annotations") or {}
    path = "metadata.annotations."
    if before.get(keys.CREATOR) != after.get(keys.CREATOR):
        faults.add("annotation value is immutable", path + keys.CREATOR)
    if is_same and before.get(keys.LAST_MODIFIER) != after.get(keys.LAST_MODIFIER):
        faults.invalid(after.get(keys.LAST_MODIFIER), path + keys.LAST_MODIFIER)
