"""Lists: all at once or by pages, at the version the caller will accept.

For: what `limit`, `continue` and `resourceVersion` mean on a list.
Must not know: who asks, or how the answer is written.
"""

import base64
import binascii
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson
from typing_extensions import override

from api.kinds import Resource
from cluster.client import ObjectList
from cluster.errors import ApiError, BadRequestError, GoneError
from cluster.options import ListOptions
from embedded.selection import Selector
from embedded.store import Store

MOMENTS_MAX: Final = 16  # lists begun and not finished that are kept; then the oldest expires
_PRESENT: Final = 0  # the serial of a token that goes on with whatever there is now
_Names = tuple[str, str]
_EXPIRED: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can "
    "start a new list without the continue parameter, or use the continue token in this response "
    "to retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


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


class ExpiredListError(GoneError):
    """A token whose moment is forgotten; it carries one that goes on with the present."""

    def __init__(self, token: str) -> None:
        super().__init__(_EXPIRED)
        self._token = token

    @override
    def to_status(self) -> dict[str, Any]:
        """The Status, with the new token where Kubernetes has it."""
        return {**super().to_status(), "metadata": {"continue": self._token}}


class Lists:
    """Answers lists. All pages of one show the moment of the first, for as long as it is kept."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # What is left of lists begun, oldest first: objects are shared, so each costs references.
        self._moments: OrderedDict[int, _Moment] = OrderedDict()
        self._serial = 0

    def page(self, resource: Resource, selector: Selector, options: ListOptions) -> ObjectList:
        """One page, or everything. GoneError for a version that is past, ApiError for one to come.

        A page of a moment that is forgotten raises ExpiredListError.
        """
        store, limit = self._store, options.limit
        if not options.continue_token:
            _check_version(store, options)
            found = list(selected(store, resource, selector))
            return self._cut(_Moment(resource, store.version, found), 0, limit)
        if options.resource_version:
            raise BadRequestError("specifying resource version is not allowed when using continue")
        token = _opened(options.continue_token)
        if token.serial == _PRESENT:
            found = list(selected(store, resource, selector, after=token.after))
            return self._cut(_Moment(resource, store.version, found), 0, limit)
        moment = self._moments.get(token.serial)
        if moment is None or (moment.resource, moment.version) != (resource, token.version):
            raise ExpiredListError(_sealed(replace(token, serial=_PRESENT)))
        if moment.version < store.oldest_version:
            del self._moments[token.serial]
            raise ExpiredListError(_sealed(replace(token, serial=_PRESENT)))
        return self._cut(moment, token.at, limit, serial=token.serial)

    def _cut(self, moment: "_Moment", at: int, limit: int, serial: int = 0) -> ObjectList:
        objects, version = moment.objects, str(moment.version)
        end = at + limit
        if limit <= 0 or end >= len(objects):
            return ObjectList(items=objects[at:] if at else objects, resource_version=version)
        serial = serial or self._keep(moment)
        last = objects[end - 1]["metadata"]
        token = _Token(
            version=moment.version,
            serial=serial,
            at=end,
            after=(last.get("namespace", ""), last["name"]),
        )
        return ObjectList(
            items=objects[at:end],
            resource_version=version,
            continue_token=_sealed(token),
            remaining=len(objects) - end,
        )

    def _keep(self, moment: "_Moment") -> int:
        self._serial += 1
        self._moments[self._serial] = moment
        while len(self._moments) > MOMENTS_MAX:
            self._moments.popitem(last=False)
        return self._serial


@dataclass(frozen=True, slots=True)
class _Moment:
    resource: Resource
    version: int
    objects: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Token:
    version: int
    serial: int
    at: int
    after: _Names


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
        raise BadRequestError(
            f'resourceVersion: Invalid value: "{version[:40]}": must be a version of this server'
        )
    return int(version)


def check_reached(wanted: int, current: int) -> None:
    """The server has been at this version; ApiError 504 as in Kubernetes if not yet."""
    if wanted > current:
        message = f"Too large resource version: {wanted}, current: {current}"
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        raise ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def _sealed(token: _Token) -> str:
    raw = [token.version, token.serial, token.at, *token.after]
    return base64.urlsafe_b64encode(orjson.dumps(raw)).decode()


def _opened(token: str) -> _Token:
    try:
        raw = orjson.loads(base64.urlsafe_b64decode(token))
        version, serial, at, namespace, name = raw
    except (binascii.Error, ValueError, TypeError) as error:
        raise BadRequestError(f"continue key is not valid: {error}") from error
    numbers = (version, serial, at)
    is_whole = all(type(each) is int and each >= 0 for each in numbers)
    if not is_whole or not isinstance(namespace, str) or not isinstance(name, str):
        raise BadRequestError("continue key is not valid: it is no token of this server")
    return _Token(version=version, serial=serial, at=at, after=(namespace, name))
