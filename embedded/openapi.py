"""OpenAPI v3 documents: what fields each kind has, and what can be asked of it.

For: `kubectl explain`, and kubectl's decision to have the server check fields.
Must not know: HTTP, or how anything is validated.
"""

from hashlib import sha256
from typing import Any, Final

import orjson

from api.kinds import Resource
from api.openapi import Schema
from embedded import builtin_schemas, discovery
from embedded.registry import Registry

_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_QUERY_OF_WRITES: Final = ("dryRun", "fieldManager", "fieldValidation")

# kubectl asks version 2 about what version 3 does not know, a `kind: List` or a kind nobody
# serves, and gives up without an answer. A document that describes nothing makes it go on,
# and the server checks the fields. The same in both forms: a gnostic openapi_v2.Document
# {swagger = 1, info = 2 {title = 1, version = 2}, paths = 8}.
EMPTY_V2: Final[dict[str, Any]] = {
    "swagger": "2.0",
    "info": {"title": "Relight", "version": "0"},
    "paths": {},
}
EMPTY_V2_PROTOBUF: Final = b"\x0a\x032.0\x12\x0c\x0a\x07Relight\x12\x010B\x00"


class OpenApi:
    """The documents of a registry, written when they are asked for and kept until it changes."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._generation = -1
        self._written: dict[str, bytes] = {}

    def index(self) -> bytes:
        """The answer to GET /openapi/v3."""
        names = map(_name, discovery.group_versions(self._registry))
        paths = {name: {"serverRelativeURL": self._url(name)} for name in names}
        return orjson.dumps({"paths": paths})

    def _url(self, name: str) -> str:
        return f"/openapi/v3/{name}?hash={sha256(self.document(name)).hexdigest()}"

    def document(self, name: str) -> bytes:
        """The document of "api/v1" or "apis/GROUP/VERSION"; KeyError if there is none."""
        if self._generation != self._registry.generation:
            self._written.clear()
            self._generation = self._registry.generation
        found = self._written.get(name)
        if found is None:
            found = self._written[name] = self._write(name)
        return found

    def _write(self, name: str) -> bytes:
        registry = self._registry
        found = {_name(each): each for each in discovery.group_versions(registry)}[name]
        served = [each for each in registry.told if (each.group, each.version) == found]
        paths = {path: item for each in served for path, item in _paths(registry, each).items()}
        defined = {schema_name(each): _schema(registry, each) for each in served}
        return orjson.dumps(
            {
                "openapi": "3.0.0",
                "info": {"title": "Relight", "version": discovery.VERSION["gitVersion"]},
                "paths": paths,
                "components": {"schemas": {_META: builtin_schemas.METADATA, **defined}},
            }
        )


def _name(group_version: tuple[str, str]) -> str:
    group, version = group_version
    return f"apis/{group}/{version}" if group else f"api/{version}"


def schema_name(resource: Resource) -> str:
    """The name under which a kind's schema stands: the group reversed, version, kind."""
    group = ".".join(reversed((resource.group or "core").split(".")))
    return f"{group}.{resource.version}.{resource.kind}"


def _schema(registry: Registry, resource: Resource) -> Schema:
    schema = registry.schema_of(resource)
    assert schema is not None, "every kind that is served has one"
    described = {"allOf": [{"$ref": f"#/components/schemas/{_META}"}]}
    properties = schema["properties"]
    metadata = described | {"description": properties["metadata"]["description"]}
    return {
        **schema,
        "properties": {**properties, "metadata": metadata},
        "x-kubernetes-group-version-kind": [_gvk(resource)],
    }


def _gvk(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _paths(registry: Registry, resource: Resource) -> dict[str, Any]:
    root = f"/{_name((resource.group, resource.version))}"
    home = f"{root}/namespaces/{{namespace}}" if resource.is_namespaced else root
    collection, item = f"{home}/{resource.plural}", f"{home}/{resource.plural}/{{name}}"
    paths = {
        collection: _item(resource, ("get", "post", "delete")),
        item: _item(resource, ("get", "put", "patch", "delete")),
    }
    if resource.is_namespaced:
        paths[f"{root}/{resource.plural}"] = _item(resource, ("get",))
    if registry.has_status(resource):
        paths[f"{item}/status"] = _item(resource, ("get", "put", "patch"))
    return paths


def _item(resource: Resource, verbs: tuple[str, ...]) -> dict[str, Any]:
    return {verb: _operation(resource, verb) for verb in verbs}


def _operation(resource: Resource, verb: str) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{schema_name(resource)}"}
    content = {"application/json": {"schema": reference}}
    operation: dict[str, Any] = {
        "x-kubernetes-action": verb,
        "x-kubernetes-group-version-kind": _gvk(resource),
        "responses": {"200": {"description": "OK", "content": content}},
    }
    if verb in ("post", "put", "patch"):
        operation["parameters"] = [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in _QUERY_OF_WRITES
        ]
    return operation
