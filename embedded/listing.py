"""Lists: all at once or by pages, at the version the caller will accept.

For: what `limit`, `continue` and `resourceVersion` mean on a list.
Must not know: who asks, or how the answer is written.
"""

import base64
import binascii
from collections.abc import Iterator
from itertools import islice
from typing import Any

import orjson

from api.kinds import Resource
from cluster.client import ObjectList
from cluster.errors import ApiError, BadRequestError, GoneError
from cluster.options import ListOptions
from embedded.selection import Selector
from embedded.store import Store

_Names = tuple[str, str]


def selected(
    store: Store, resource: Resource, selector: Selector, *, after: _Names | None = None
) -> Iterator[dict[str, Any]]:
    """The objects a selector names, in order. One asked for by name is looked up, not sought."""
    namespace = selector.namespace
    if selector.name is not None and (namespace is not None or not resource.is_namespaced):
        found = store.get(resource, namespace or "", selector.name)
        if found is not None and selector.matches(found):
            yield found
        return
    for obj in store.select(resource, namespace, after=after):
        if selector.matches(obj):
            yield obj


def page(store: Store, resource: Resource, selector: Selector, options: ListOptions) -> ObjectList:
    """One page, or everything. GoneError for a version that is past, ApiError for one to come.

    A later page shows the present, not the moment of the first; it carries the first one's
    resourceVersion, so a watch from there brings every change the pages may have missed.
    """
    version, after = store.version, None
    if options.continue_token:
        version, after = _opened(options.continue_token)
        if version > store.version or version < store.oldest_version:
            raise GoneError("the continue token is too old: list again from the start")
    else:
        _check_version(store, options)
    found = selected(store, resource, selector, after=after)
    if options.limit <= 0:
        return ObjectList(items=list(found), resource_version=str(version))
    items = list(islice(found, options.limit))
    rest = sum(1 for _ in found)
    if not rest:
        return ObjectList(items=items, resource_version=str(version))
    metadata = items[-1]["metadata"]
    token = _sealed(version, (metadata.get("namespace", ""), metadata["name"]))
    return ObjectList(
        items=items, resource_version=str(version), continue_token=token, remaining=rest
    )


def _check_version(store: Store, options: ListOptions) -> None:
    wanted = number(options.resource_version)
    match = options.resource_version_match
    if match not in ("", "Exact", "NotOlderThan"):
        raise BadRequestError(f"resourceVersionMatch: {match!r}: want Exact or NotOlderThan")
    if match and not options.resource_version:
        raise BadRequestError("resourceVersionMatch is forbidden unless resourceVersion is given")
    check_reached(wanted, store.version)
    if match == "Exact":
        if wanted == 0:
            raise BadRequestError('resourceVersionMatch "Exact" is forbidden for resourceVersion 0')
        if wanted != store.version:
            raise GoneError(f"The provided resource version is too old: {wanted}")


def number(version: str) -> int:
    """A resourceVersion as this server counts; "" is 0."""
    if not version:
        return 0
    if not (version.isascii() and version.isdigit() and len(version) <= 19):
        raise BadRequestError(f"Invalid resource version: {version[:40]!r}")
    return int(version)


def check_reached(wanted: int, current: int) -> None:
    """The server has been at this version; ApiError 504 as in Kubernetes if not yet."""
    if wanted > current:
        message = f"Too large resource version: {wanted}, current: {current}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def _sealed(version: int, names: _Names) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([version, *names])).decode()


def _opened(token: str) -> tuple[int, _Names]:
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(token))
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadRequestError("continue: this is not a token of this server") from error
    if not isinstance(version, int) or not isinstance(namespace, str) or not isinstance(name, str):
        raise BadRequestError("continue: this is not a token of this server")
    return version, (namespace, name)
