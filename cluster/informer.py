"""A local view of some objects, kept up to date by list and watch.

For: reading without asking, and being told of each change in order.
Must not know: what any object means, or who serves it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from api.kinds import Resource
from cluster.client import Client, Page, WatchEvent
from cluster.errors import ApiError, ForbiddenError, GoneError, NotFoundError, UnavailableError
from cluster.jitter import spread

Key = tuple[str, str]  # namespace ("" for kinds without one), name
Keep = Callable[[dict[str, Any]], dict[str, Any]]
Callback = Callable[[dict[str, Any] | None, dict[str, Any] | None], None]

_LOG = logging.getLogger(__name__)
_BACK_OFF_S = (0.05, 5.0)  # first wait after a failure, longest wait
_JITTER = (0.5, 1.0)  # of a wait
_PAGE = 250  # objects in one answer to a list: what they need while they are read
_ABSENT_S = 30.0  # an optional kind that is not served is asked for again after so long


def _whole(obj: dict[str, Any]) -> dict[str, Any]:
    return obj


class Informer:
    """List, then watch, forever; a failure is retried with a doubling, bounded back-off."""

    def __init__(  # noqa: PLR0913 - each says what is listed, or what is kept of it
        self,
        client: Client,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str = "",
        *,
        field_selector: str = "",
        is_optional: bool = False,
        keep: Keep = _whole,
    ) -> None:
        """`is_optional`: a server without this kind counts as one that has no such object.

        `keep` says what of an object is held, and told of: at least its name, namespace, uid and
        resourceVersion. The rest is given back as it is read.
        """
        self._client = client
        self._is_optional = is_optional
        self._is_absent = False
        self._keep = keep
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector  # where one may see only what is named
        self._objects: dict[Key, dict[str, Any]] = {}
        self._callbacks: list[Callback] = []
        self._synced = asyncio.Event()
        self._version = ""  # "" means: list again
        self._failures = 0
        self.objects: Mapping[Key, dict[str, Any]] = MappingProxyType(self._objects)

    def on_change(self, callback: Callback) -> None:
        """Call `callback(old, new)` for each change; what is already known is told at once.

        None as `old` means the object appeared, as `new` that it is gone. A callback that
        raises ends `run` with its exception: it is our own fault, not the server's.
        """
        self._callbacks.append(callback)
        for obj in list(self._objects.values()):
            callback(None, obj)

    async def synced(self) -> None:
        """Wait until the first list is in `objects`."""
        await self._synced.wait()

    async def run(self) -> None:
        """Follow the server until cancelled."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._follow()
            except GoneError:
                self._version = ""  # not a failure: the server forgot, so list at once
                self._failures += 1
                if self._failures == 1:
                    continue
            except (NotFoundError, ForbiddenError) as error:
                was_served = self._synced.is_set() and not self._is_absent
                is_passing = was_served and isinstance(error, ForbiddenError)
                if is_passing or not self._is_optional:
                    self._note_failure(error)
                else:
                    self._note_absence(error)
                    await asyncio.sleep(_ABSENT_S)
                    continue
            except UnavailableError as error:
                self._note_break(error)
            except ApiError as error:
                self._note_failure(error)
            # Of many that lost the same server, not all come back at once.
            await asyncio.sleep(self._back_off_s() * spread(*_JITTER))

    def _note_break(self, error: ApiError) -> None:
        """A connection that broke is gone on with elsewhere; a server that is away may forget."""
        if self._version and self._failures <= 1:
            self._failures += 1
            _LOG.info("%s: %s; going on", self._resource.plural, error.message)
        else:
            self._note_failure(error)

    def _note_failure(self, error: ApiError) -> None:
        self._version = ""
        self._failures += 1
        _LOG.warning("%s: %s; listing again", self._resource.plural, error.message, exc_info=False)

    def _note_absence(self, error: ApiError) -> None:
        """Go on without the kind. It is said once, until the kind was there again."""
        if not self._is_absent:
            _LOG.info("%s are not served here: %s", self._resource.plural, error.message)
        self._is_absent = True
        self._version = ""
        self._failures = 0
        for key in tuple(self._objects):
            self._set(key, None)
        self._synced.set()

    def _back_off_s(self) -> float:
        if not self._failures:
            return 0.0
        first_s, longest_s = _BACK_OFF_S
        return min(longest_s, first_s * 2.0 ** min(self._failures - 1, 20))

    async def _list(self) -> None:
        current: dict[Key, dict[str, Any]] = {}
        page = Page(limit=_PAGE)
        while True:
            found = await self._client.list(
                self._resource,
                self._namespace,
                label_selector=self._label_selector,
                field_selector=self._field_selector,
                page=page,
            )
            current.update((_key(obj), self._keep(obj)) for obj in found.items)
            if not found.continue_token:
                break
            page = Page(limit=_PAGE, continue_token=found.continue_token)
        for key in [key for key in self._objects if key not in current]:
            self._set(key, None)
        for key, obj in current.items():
            self._set(key, obj)
        self._version = found.resource_version
        self._is_absent = False
        self._synced.set()

    async def _follow(self) -> None:
        events = self._client.watch(
            self._resource,
            self._namespace,
            resource_version=self._version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        self._failures += 1  # until an event proves the server well: no spinning on empty streams
        async for event in events:
            self._failures = 0
            self._receive(event)

    def _receive(self, event: WatchEvent) -> None:
        self._version = event.object["metadata"]["resourceVersion"]
        if event.type == "BOOKMARK":
            return
        is_gone = event.type == "DELETED"
        self._set(_key(event.object), None if is_gone else self._keep(event.object))

    def _set(self, key: Key, new: dict[str, Any] | None) -> None:
        old = self._objects.get(key)
        if new is None:
            if old is None:
                return
            del self._objects[key]
        elif old is not None and _version(old) == _version(new) and _uid(old) == _uid(new):
            return
        else:
            self._objects[key] = new
        for callback in self._callbacks:
            callback(old, new)


def _key(obj: Mapping[str, Any]) -> Key:
    metadata = obj["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def _version(obj: Mapping[str, Any]) -> Any:
    return obj["metadata"].get("resourceVersion")


def _uid(obj: Mapping[str, Any]) -> Any:
    return obj["metadata"].get("uid")
