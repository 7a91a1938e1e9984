"""The answers that do not depend on any object: discovery, OpenAPI, health, version.

For: finding the document a path and an Accept header name.
Must not know: objects, or how an answer is sent.
"""

from dataclasses import dataclass
from typing import Any, Final

import orjson

from cluster.errors import ApiError, NotFoundError
from embedded import discovery, openapi
from embedded.openapi import OpenApi
from embedded.registry import Registry

_HEALTH: Final = ("/healthz", "/livez", "/readyz")
_CHECKS: Final = ("ping", "store")
# kube-apiserver answers with a dot where the Accept header has an @, which no MIME type may hold.
_OPENAPI_V2_PROTOBUF: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole answer."""

    body: bytes
    content_type: str = "application/json"


class Documents:
    """Finds them; what is discovered follows the registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._openapi = OpenApi(registry)

    def find(self, path: str, accept: str, *, is_verbose: bool = False) -> Document | None:
        """The document at a path, None if the path names objects; NotFoundError, ApiError 406."""
        steps = tuple(step for step in path.split("/") if step)
        match steps:
            case ("healthz" | "livez" | "readyz" as name, *checks):
                return _health(name, checks, is_verbose=is_verbose)
            case ():
                served = ["/api", "/apis", *_HEALTH, "/openapi/v2", "/openapi/v3", "/version"]
                return _json({"paths": served})
            case ("version",):
                return _json(discovery.VERSION)
            case ("api",) | ("apis",):
                return self._discovered(accept, is_core=steps[0] == "api")
            case ("openapi", *rest):
                return self._described(rest, accept)
            case ("api", version):
                return _json(_known(discovery.resource_list(self._registry, "", version)))
            case ("apis", group):
                return _json(_known(discovery.group(self._registry, group)))
            case ("apis", group, version):
                return _json(_known(discovery.resource_list(self._registry, group, version)))
            case _:
                return None

    def _discovered(self, accept: str, *, is_core: bool) -> Document:
        offers = accept.replace(" ", "").split(",")
        for version in ("v2", "v2beta1"):
            wanted = f"g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            if any(wanted in offer and "json" in offer for offer in offers):
                raw = discovery.aggregated(self._registry, is_core=is_core, version=version)
                return _json(raw, discovery.AGGREGATED.format(version))
        if accept and not any(form in accept for form in ("json", "*/*")):
            raise ApiError(406, "NotAcceptable", "only application/json is served here")
        return _json(discovery.core_versions() if is_core else discovery.groups(self._registry))

    def _described(self, rest: list[str], accept: str) -> Document:
        if rest == ["v3"]:
            return Document(body=self._openapi.index())
        if rest == ["v2"]:
            if "proto" in accept:
                return Document(body=openapi.EMPTY_V2_PROTOBUF, content_type=_OPENAPI_V2_PROTOBUF)
            return _json(openapi.EMPTY_V2)
        if rest[:1] != ["v3"]:
            raise NotFoundError(
                "only OpenAPI v3 and v2 are served here, at /openapi/v3 and /openapi/v2"
            )
        try:
            return Document(body=self._openapi.document("/".join(rest[1:])))
        except KeyError as error:
            raise NotFoundError("no such group and version is served here") from error


def _health(name: str, checks: list[str], *, is_verbose: bool) -> Document:
    """Who answers at all is well: objects are in this process."""
    text = "ok"
    if checks and checks[0] not in _CHECKS:
        raise NotFoundError("no such check is made here")
    if is_verbose:
        lines = [f"[+]{each} ok" for each in _CHECKS]
        text = "\n".join([*lines, f"{name} check passed\n"])
    return Document(body=text.encode(), content_type="text/plain; charset=utf-8")


def _known(raw: dict[str, Any] | None) -> dict[str, Any]:
    if raw is None:
        raise NotFoundError("the server could not find the requested resource")
    return raw


def _json(raw: Any, content_type: str = "application/json") -> Document:
    return Document(body=orjson.dumps(raw), content_type=content_type)
