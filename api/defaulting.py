"""Fill in what a user left out, as Knative's defaulting webhook does.

For: storing objects that say everything, so that `kubectl get -o yaml` shows what holds.
Must not know: what is valid: a value of the wrong type is left for the parser to refuse.
"""

from collections.abc import Callable, Mapping
from typing import Any

from api import inference_defaults, kinds
from api.kinds import Resource
from api.objects import Raw
from api.pod_defaults import is_zero, pod_defaulted
from api.templates import RESPONSE_START_TIMEOUT_S_DEFAULT, TIMEOUT_S_DEFAULT
from api.traffic import LATEST


def defaulted(resource: Resource, raw: Raw) -> dict[str, Any]:
    """A copy of the object with every default filled in; doing it twice changes nothing.

    Only what changes is copied: the rest is shared with `raw`, which stays as it was.
    """
    result = dict(raw)
    result["apiVersion"] = raw.get("apiVersion") or resource.api_version
    result["kind"] = raw.get("kind") or resource.kind
    if resource == kinds.DOMAINMAPPINGS:
        return _domainmapping(result)
    fill = _SPECS.get(resource)
    spec = raw.get("spec")
    if fill is not None and isinstance(spec, Mapping):
        result["spec"] = fill(spec)
    return result


def _domainmapping(raw: dict[str, Any]) -> dict[str, Any]:
    """What a host leads to is in the namespace of the DomainMapping."""
    metadata, spec = raw.get("metadata"), raw.get("spec")
    ref = spec.get("ref") if isinstance(spec, Mapping) else None
    if isinstance(metadata, Mapping) and isinstance(spec, Mapping) and isinstance(ref, Mapping):
        namespace = metadata.get("namespace")
        if namespace and ref.get("namespace") in (None, ""):
            raw["spec"] = {**spec, "ref": {**ref, "namespace": namespace}}
    return raw


def _service_spec(raw: Raw) -> dict[str, Any]:
    traffic = raw.get("traffic")
    wanted = [LATEST.to_raw()] if traffic is None or traffic == [] else traffic
    return {**_configuration_spec(raw), "traffic": _traffic(wanted)}


def _configuration_spec(raw: Raw) -> dict[str, Any]:
    result = dict(raw)
    template = raw.get("template")
    if isinstance(template, Mapping) and isinstance(template.get("spec"), Mapping):
        result["template"] = {**template, "spec": _revision_spec(template["spec"])}
    return result


def _route_spec(raw: Raw) -> dict[str, Any]:
    return {**raw, "traffic": _traffic(raw["traffic"])} if "traffic" in raw else dict(raw)


def _revision_spec(raw: Raw) -> dict[str, Any]:
    result = dict(raw)
    if is_zero(result.get("timeoutSeconds")):
        result["timeoutSeconds"] = TIMEOUT_S_DEFAULT
    if result.get("containerConcurrency") is None:
        result["containerConcurrency"] = 0
    if result.get("responseStartTimeoutSeconds") is None:
        timeout_s = result["timeoutSeconds"]
        if type(timeout_s) is int and timeout_s > RESPONSE_START_TIMEOUT_S_DEFAULT:
            result["responseStartTimeoutSeconds"] = RESPONSE_START_TIMEOUT_S_DEFAULT
    return pod_defaulted(result)


def _traffic(raw: Any) -> Any:
    if not isinstance(raw, list):
        return raw
    return [_target(each) if isinstance(each, Mapping) else each for each in raw]


def _target(raw: Raw) -> dict[str, Any]:
    result = dict(raw)
    if result.get("latestRevision") is None:
        result["latestRevision"] = not result.get("revisionName")
    if result.get("percent") is None:
        result["percent"] = 0
    return result


_SPECS: Mapping[Resource, Callable[[Raw], dict[str, Any]]] = {
    kinds.SERVICES: _service_spec,
    kinds.CONFIGURATIONS: _configuration_spec,
    kinds.REVISIONS: _revision_spec,
    kinds.ROUTES: _route_spec,
    kinds.INFERENCESERVICES: inference_defaults.defaulted_spec,
}
