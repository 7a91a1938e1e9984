"""What is served here, as clients ask for it: groups, versions, kinds and their verbs.

For: `kubectl api-resources`, `api-versions`, `version`, and every client's first question.
Must not know: HTTP, or objects.
"""

from collections.abc import Iterable
from typing import Any, Final

from api.kinds import PODS, Resource
from embedded import resources

# Whose behaviour is followed; "+relight" is what tells people that it is not Kubernetes itself.
VERSION: Final = {
    "major": "1",
    "minor": "36",
    "gitVersion": "v1.36.0+relight",
    "gitCommit": "",
    "gitTreeState": "",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "",
    "compiler": "",
    "platform": "",
}
AGGREGATED: Final = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"
_PART_VERBS: Final = ("get", "patch", "update")


def group_versions() -> list[tuple[str, str]]:
    """Every (group, version), the core group first."""
    return list(dict.fromkeys((each.group, each.version) for each in resources.ALL))


def aggregated(*, is_core: bool, version: str) -> dict[str, Any]:
    """Everything at once, in apidiscovery.k8s.io `version` ("v2" or "v2beta1")."""
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None},
            "versions": [
                {
                    "version": served,
                    "freshness": "Current",
                    "resources": [_discovered(each) for each in _of(group, served)],
                }
            ],
        }
        for group, served in group_versions()
        if (group == "") is is_core
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": items,
    }


def core_versions() -> dict[str, Any]:
    """The answer to GET /api."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def groups() -> dict[str, Any]:
    """The answer to GET /apis."""
    listed = [_group(group, version) for group, version in group_versions() if group]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(name: str) -> dict[str, Any] | None:
    """The answer to GET /apis/GROUP."""
    for each, version in group_versions():
        if each and each == name:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(each, version)}
    return None


def resource_list(name: str, version: str) -> dict[str, Any] | None:
    """The answer to GET /api/v1 and GET /apis/GROUP/VERSION."""
    found = list(_of(name, version))
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [entry for each in found for entry in _listed(each)],
    }


def _of(name: str, version: str) -> Iterable[Resource]:
    return (each for each in resources.ALL if (each.group, each.version) == (name, version))


def _group(name: str, version: str) -> dict[str, Any]:
    served = {"groupVersion": f"{name}/{version}", "version": version}
    return {"name": name, "versions": [served], "preferredVersion": served}


def _parts(resource: Resource) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    """(name, group, version, kind, verbs) of each subresource."""
    parts: list[tuple[str, str, str, str, tuple[str, ...]]] = []
    if resource in resources.WITH_SCALE:
        parts.append(("scale", "autoscaling", "v1", "Scale", _PART_VERBS))
    if resource in resources.WITH_STATUS:
        parts.append(("status", resource.group, resource.version, resource.kind, _PART_VERBS))
    if resource is PODS:
        parts.append(("log", "", "v1", "Pod", ("get",)))
    return parts


def _discovered(resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.is_namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resources.VERBS),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    found["subresources"] = [
        {"subresource": name, "responseKind": _kind(group, version, kind), "verbs": list(verbs)}
        for name, group, version, kind, verbs in _parts(resource)
    ]
    return found


def _kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def _listed(resource: Resource) -> Iterable[dict[str, Any]]:
    found: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": list(resources.VERBS),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    yield found
    for name, group, version, kind, verbs in _parts(resource):
        yield {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.is_namespaced,
            "group": group,
            "version": version,
            "kind": kind,
            "verbs": list(verbs),
        }
