"""What an HTTP request to the API server says, as values.

For: reading paths, query parameters and bodies once, at the edge.
Must not know: how a request is answered.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import yaml

from api.kinds import Resource
from cluster.client import PatchKind
from cluster.errors import (
    BadRequestError,
    InvalidError,
    MethodNotAllowedError,
    NotFoundError,
    UnsupportedMediaTypeError,
)
from cluster.options import DeleteOptions, ListOptions, Selection, WatchOptions, WriteOptions
from embedded import protobuf
from embedded.duplicates import refuse_bombs
from embedded.registry import Registry

BODY_BYTES_MAX: Final = 3 * 1024 * 1024  # Kubernetes' bound on a request body
PATCH_KINDS: Final[Mapping[str, PatchKind]] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}
APPLY: Final = "application/apply-patch+yaml"
MANAGER_BYTES_MAX: Final = 128
_JSON: Final = "application/json"
_YAML: Final = ("application/yaml", "application/apply-patch+yaml")
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_SUBRESOURCES_OF_NAMESPACES: Final = ("status", "finalize")
_Query = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a URL names: a collection (name "") or an object, or a part of one."""

    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""


def target_of(path: str, registry: Registry) -> Target:
    """Read `/api/v1/...` or `/apis/GROUP/VERSION/...`; NotFoundError."""
    steps = [step for step in path.split("/") if step]
    group = ""
    if steps[:1] == ["apis"] and len(steps) > 3:
        group, version, rest = steps[1], steps[2], steps[3:]
    elif steps[:1] == ["api"] and len(steps) > 2:
        version, rest = steps[1], steps[2:]
    else:
        raise NotFoundError("the server could not find the requested resource")
    namespace: str | None = None
    if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in _SUBRESOURCES_OF_NAMESPACES:
        namespace, rest = rest[1], rest[2:]
    resource = registry.by_path(group, version, rest[0])
    is_misplaced = namespace is not None and not resource.is_namespaced
    is_homeless = namespace is None and resource.is_namespaced and len(rest) > 1
    if len(rest) > 3 or is_misplaced or is_homeless:
        raise NotFoundError("the server could not find the requested resource")
    name, subresource = (*rest[1:], "", "")[:2]
    return Target(resource=resource, namespace=namespace, name=name, subresource=subresource)


_VERBS: Final[Mapping[tuple[str, bool], str]] = {
    ("POST", False): "create",
    ("PUT", True): "update",
    ("PATCH", True): "patch",
    ("DELETE", True): "delete",
    ("DELETE", False): "deletecollection",
}
_PROCESS: Final = "a container is a process of this machine here"
# Parts of Kubernetes' kinds that people ask for, and what to do instead.
_NOT_SERVED: Final[Mapping[tuple[str, str], str]] = {
    ("pods", "exec"): f"exec is not served: {_PROCESS}; use a shell of its own, or kubectl logs",
    ("pods", "attach"): f"attach is not served: {_PROCESS}; use kubectl logs -f",
    ("pods", "portforward"): "port-forward is not served: send requests to the activator's "
    "address, with the Service's host",
    ("pods", "proxy"): "proxy is not served: send requests to the activator's address",
    ("pods", "ephemeralcontainers"): "debug is not served: ephemeral containers need a container "
    "runtime",
    ("pods", "eviction"): "eviction is not served: delete the Pod",
    ("serviceaccounts", "token"): "tokens of ServiceAccounts are not served: one machine has one "
    "user, whose token is in the kubeconfig",
}
_UNMADE: Final[Mapping[str, str]] = {
    "nodes": "the platform writes the one Node of this machine",
    "services": "nothing on one machine honours a core Service: use a Service of "
    "serving.knative.dev/v1 (kubectl get ksvc)",
}


def check_served(method: str, target: Target, registry: Registry) -> None:
    """MethodNotAllowedError for what a kind cannot be asked here, with what to do instead."""
    resource = target.resource
    instead = _NOT_SERVED.get((resource.plural, target.subresource))
    if instead is not None and not resource.group:
        raise MethodNotAllowedError(instead)
    verb = _VERBS.get((method, bool(target.name)))
    if verb is None or target.subresource or verb in registry.verbs_of(resource):
        return
    raise MethodNotAllowedError(
        f"{resource.plural} cannot be asked to {verb} here: {_UNMADE[resource.plural]}"
    )


def selection_of(target: Target, query: _Query) -> Selection:
    """Which objects of a collection are meant."""
    fields = query.get("fieldSelector", "")
    if target.name:  # a watch of one object by its own URL
        named = f"metadata.name={target.name}"
        fields = f"{fields},{named}" if fields else named
    return Selection(
        namespace=target.namespace, labels=query.get("labelSelector", ""), fields=fields
    )


def list_options(query: _Query) -> ListOptions:
    """How to list."""
    return ListOptions(
        limit=_whole(query, "limit") or 0,
        continue_token=query.get("continue", ""),
        resource_version=query.get("resourceVersion", ""),
        resource_version_match=query.get("resourceVersionMatch", ""),
    )


def is_watch(query: _Query) -> bool:
    """Whether a list is to be followed."""
    return truth(query, "watch")


def watch_options(query: _Query) -> WatchOptions:
    """Where to start watching, and what to send besides changes."""
    sends_initial = truth(query, "sendInitialEvents")
    match = query.get("resourceVersionMatch", "")
    if sends_initial and match != "NotOlderThan":
        raise BadRequestError(
            'sendInitialEvents is forbidden unless resourceVersionMatch is "NotOlderThan"'
        )
    if match and not sends_initial:
        raise BadRequestError(
            "resourceVersionMatch is forbidden for watch without sendInitialEvents"
        )
    return WatchOptions(
        resource_version=query.get("resourceVersion", ""),
        has_bookmarks=truth(query, "allowWatchBookmarks"),
        send_initial_events=sends_initial,
    )


def watch_timeout_s(query: _Query) -> int | None:
    """How long the caller wants to watch; None: as long as the server likes."""
    return _whole(query, "timeoutSeconds")


def write_options(
    query: _Query, *, user: str, subresource: str = "", agent: str = "", is_apply: bool = False
) -> WriteOptions:
    """Who writes, to what part, and whether for real; BadRequestError or InvalidError.

    Who gives no fieldManager goes by the name of their program, `agent` up to its version.
    """
    manager = query.get("fieldManager", "")
    if len(manager.encode()) > MANAGER_BYTES_MAX:
        raise _invalid_option(
            f"fieldManager: Too long: may not be more than {MANAGER_BYTES_MAX} bytes"
        )
    if not manager.isprintable():
        raise _invalid_option(
            f"fieldManager: Invalid value: {manager!r}: should only contain printable characters"
        )
    if "force" in query and not is_apply:
        raise _invalid_option("force: Forbidden: may not be specified for non-apply patch")
    if not manager and not is_apply:
        name = agent.partition("/")[0][:MANAGER_BYTES_MAX]
        manager = name if name.isascii() and name.isprintable() else ""
    return WriteOptions(
        user=user,
        field_manager=manager,
        subresource=subresource,
        is_dry_run=_is_dry_run([query["dryRun"]] if "dryRun" in query else []),
        is_forced=truth(query, "force"),
    )


def _invalid_option(why: str) -> InvalidError:
    return InvalidError(f'PatchOptions.meta.k8s.io "" is invalid: {why}')


def delete_options(query: _Query, body: Any) -> DeleteOptions:
    """How to delete: the body, or without one the query."""
    if body is not None and not isinstance(body, Mapping):
        raise BadRequestError("the body of a DELETE must be a DeleteOptions object")
    raw = dict(body or {})
    if raw.get("kind", "DeleteOptions") != "DeleteOptions":
        raise BadRequestError(f"the body of a DELETE must be DeleteOptions, not {raw['kind']}")
    preconditions = raw.get("preconditions") or {}
    if not isinstance(preconditions, Mapping):
        raise BadRequestError("preconditions: must be an object")
    grace = raw.get("gracePeriodSeconds", _whole(query, "gracePeriodSeconds"))
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise BadRequestError("gracePeriodSeconds: must be an integer")
    policy = raw.get("propagationPolicy") or query.get("propagationPolicy", "")
    if not policy and raw.get("orphanDependents", query.get("orphanDependents") == "true") is True:
        policy = "Orphan"
    dry_run = raw.get("dryRun") or ([query["dryRun"]] if "dryRun" in query else [])
    return DeleteOptions(
        propagation=str(policy),
        uid=_optional_text(preconditions, "uid"),
        resource_version=_optional_text(preconditions, "resourceVersion"),
        grace_period_s=grace,
        is_dry_run=_is_dry_run(dry_run),
    )


def patch_kind(content_type: str) -> PatchKind:
    """The patch type a Content-Type names; UnsupportedMediaTypeError."""
    kind = PATCH_KINDS.get(content_type)
    if kind is None:
        raise UnsupportedMediaTypeError(
            f"a patch of type {content_type!r} is not known; accepted media types are: "
            + ", ".join(PATCH_KINDS)
        )
    return kind


def decoded(body: bytes, content_type: str) -> Any:
    """The value a body holds; BadRequestError or UnsupportedMediaTypeError."""
    if content_type == PROTOBUF:
        try:
            return protobuf.decoded(body)
        except protobuf.ProtobufError as error:
            raise UnsupportedMediaTypeError(str(error)) from error
    is_json = content_type in ("", _JSON) or content_type in PATCH_KINDS
    if not is_json and content_type not in _YAML:
        raise UnsupportedMediaTypeError(
            f"a body of type {content_type!r} is not read here; send {_JSON} or application/yaml"
        )
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if content_type not in _YAML:
            raise BadRequestError(f"the body is not JSON: {error}") from error
    return _yaml(body)


def _yaml(body: bytes) -> Any:
    try:
        refuse_bombs(body)
        # The loader is a safe one; the round trip through JSON refuses what JSON has not.
        loaded = yaml.load(body, Loader=yaml.CSafeLoader)
        return orjson.loads(orjson.dumps(loaded))
    except (yaml.YAMLError, TypeError, ValueError, RecursionError) as error:
        raise BadRequestError(f"the body is not YAML: {error}") from error


def truth(query: _Query, name: str) -> bool:
    """A boolean parameter, as Kubernetes reads them."""
    return query.get(name, "false").lower() not in ("", "0", "false", "f")


def _whole(query: _Query, name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise BadRequestError(f"{name}: must be a whole number, not {text[:40]!r}")
    return int(text)


def _is_dry_run(values: Any) -> bool:
    if not values:
        return False
    if values != ["All"]:
        raise BadRequestError(f'dryRun: Unsupported value: {values}: supported values: "All"')
    return True


def _optional_text(raw: Mapping[str, Any], field: str) -> str | None:
    value = raw.get(field)
    if value is not None and not isinstance(value, str):
        raise BadRequestError(f"preconditions.{field}: must be a string")
    return value
