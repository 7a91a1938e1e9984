"""What is served here, as clients ask for it: groups, versions, kinds and their verbs.

For: `kubectl api-resources`, `api-versions`, `version`, and every client's first question.
Must not know: HTTP, or objects.
"""

from collections.abc import Iterable
from typing import Any, Final

from api.kinds import PODS, Resource
from embedded.definitions import priority
from embedded.registry import Registry

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


def group_versions(registry: Registry) -> list[tuple[str, str]]:
    """Every (group, version), the core group first, a group's preferred version first."""
    return list(dict.fromkeys((each.group, each.version) for each in registry.told))


def _versions(registry: Registry) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for group, version in group_versions(registry):
        found.setdefault(group, []).append(version)
    return {group: sorted(versions, key=priority) for group, versions in found.items()}


def aggregated(registry: Registry, *, is_core: bool, version: str) -> dict[str, Any]:
    """Everything at once, in apidiscovery.k8s.io `version` ("v2" or "v2beta1")."""
    items = [
        {
            "metadata": {"name": group, "creationTimestamp": None},
            "versions": [
                {
                    "version": each,
                    "freshness": "Current",
                    "resources": [_discovered(registry, one) for one in _of(registry, group, each)],
                }
                for each in served
            ],
        }
        for group, served in _versions(registry).items()
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


def groups(registry: Registry) -> dict[str, Any]:
    """The answer to GET /apis."""
    listed = [_group(name, versions) for name, versions in _versions(registry).items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def group(registry: Registry, name: str) -> dict[str, Any] | None:
    """The answer to GET /apis/GROUP."""
    versions = _versions(registry).get(name) if name else None
    if versions is None:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def resource_list(registry: Registry, name: str, version: str) -> dict[str, Any] | None:
    """The answer to GET /api/v1 and GET /apis/GROUP/VERSION."""
    found = list(_of(registry, name, version))
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": found[0].api_version,
        "resources": [entry for each in found for entry in _listed(registry, each)],
    }


def _of(registry: Registry, name: str, version: str) -> Iterable[Resource]:
    return (each for each in registry.told if (each.group, each.version) == (name, version))


def _group(name: str, versions: list[str]) -> dict[str, Any]:
    served = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": served, "preferredVersion": served[0]}


def _parts(
    registry: Registry, resource: Resource
) -> list[tuple[str, str, str, str, tuple[str, ...]]]:
    """(name, group, version, kind, verbs) of each subresource."""
    parts: list[tuple[str, str, str, str, tuple[str, ...]]] = []
    if registry.has_scale(resource):
        parts.append(("scale", "autoscaling", "v1", "Scale", _PART_VERBS))
    if registry.has_status(resource):
        parts.append(("status", resource.group, resource.version, resource.kind, _PART_VERBS))
    if resource == PODS:
        parts.append(("log", "", "v1", "Pod", ("get",)))
    return parts


def _discovered(registry: Registry, resource: Resource) -> dict[str, Any]:
    found: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind(resource.group, resource.version, resource.kind),
        "scope": "Namespaced" if resource.is_namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(registry.verbs_of(resource)),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    found["subresources"] = [
        {"subresource": name, "responseKind": _kind(group, version, kind), "verbs": list(verbs)}
        for name, group, version, kind, verbs in _parts(registry, resource)
    ]
    return found


def _kind(group: str, version: str, kind: str) -> dict[str, str]:
    return {"group": group, "version": version, "kind": kind}


def _listed(registry: Registry, resource: Resource) -> Iterable[dict[str, Any]]:
    found: dict[str, Any] = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.is_namespaced,
        "kind": resource.kind,
        "verbs": list(registry.verbs_of(resource)),
    }
    if resource.short_names:
        found["shortNames"] = list(resource.short_names)
    if resource.categories:
        found["categories"] = list(resource.categories)
    yield found
    for name, group, version, kind, verbs in _parts(registry, resource):
        yield {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.is_namespaced,
            "group": group,
            "version": version,
            "kind": kind,
            "verbs": list(verbs),
        }
