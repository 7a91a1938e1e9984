"""The API server over HTTP, for kubectl and every other client of Kubernetes.

For: carrying requests to `ApiServer` and its answers back, nothing more.
Must not know: what any verb does, or what any kind is for.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from api import warnings as api_warnings
from api.kinds import Resource
from cluster.client import ObjectList, WatchEvent
from cluster.errors import (
    ApiError,
    BadRequestError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    TooLargeError,
)
from embedded import (
    fieldcheck,
    logs,
    patching,
    proxying,
    requests,
    resources,
    review_kinds,
    streams,
    tables,
)
from embedded.access import Gate
from embedded.answering import add_warnings, answer, refused
from embedded.apiserver import ApiServer
from embedded.documents import Documents
from embedded.duplicates import duplicates
from embedded.requests import Target
from embedded.reviews import Reviews

_LOG = logging.getLogger(__name__)
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_app(
    server: ApiServer,
    *,
    user: str = "kubernetes-admin",
    token: str | None = None,
    services: proxying.Services | None = None,
) -> web.Application:
    """An application that serves `server`. `user` is who every writer is taken to be.

    Without `token` it answers only to requests addressed to this machine by its local names.
    `services` are the components that can be asked through it.
    """
    services = services or {}
    front = _Front(server, user=user, gate=Gate(token=token), services=services)
    app = web.Application(
        client_max_size=requests.BODY_BYTES_MAX, middlewares=[front.answer_errors]
    )
    proxying.mount(app, services)
    app.router.add_route("*", "/{path:.*}", front.handle)
    app.on_shutdown.append(front.shut_down)
    return app


class _Front:
    def __init__(
        self, server: ApiServer, *, user: str, gate: Gate, services: proxying.Services
    ) -> None:
        self._server = server
        self._services = services
        self._documents = Documents(server.registry)
        self._user = user
        self._gate = gate
        self._reviews = Reviews(server.registry, user=user, knows=gate.knows)
        self._logs: set[asyncio.Task[Any]] = set()

    async def shut_down(self, _app: web.Application) -> None:
        """End the answers that would go on."""
        self._server.close()
        for task in self._logs:
            task.cancel()

    @web.middleware
    async def answer_errors(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Every error as a Status object; what is our own fault is logged, not shown."""
        try:
            self._gate.check(request.headers)
            return await handler(request)
        except ApiError as error:
            return refused(request, error)
        except web.HTTPRequestEntityTooLarge:
            return refused(
                request,
                TooLargeError(f"the body is over the limit of {requests.BODY_BYTES_MAX} bytes"),
            )
        except web.HTTPException as error:
            return refused(
                request, ApiError(error.status, error.reason.replace(" ", ""), error.reason)
            )
        except RecursionError:
            return refused(request, BadRequestError("the body is nested too deeply"))
        except ConnectionResetError:
            raise  # the client left before its answer began: aiohttp ends the connection
        except Exception:  # noqa: BLE001 - the task boundary of one request
            _LOG.exception("%s %s failed", request.method, request.rel_url)
            return refused(request, InternalError("the server failed to answer; its log says why"))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Any request: a document about the server, or a verb on a resource."""
        accept = request.headers.get("Accept", "")
        found = self._documents.find(request.path, accept, is_verbose="verbose" in request.query)
        if found is not None:
            if request.method not in ("GET", "HEAD"):
                raise MethodNotAllowedError("this can only be read")
            return answer(request, found.body, content_type=found.content_type)
        review = review_kinds.by_path(request.path)
        if review is not None:
            return await self._review(request, review)
        absent = proxying.refusal(request.path, self._services)
        if absent is not None:
            raise absent
        target = requests.target_of(request.path, self._server.registry)
        requests.check_served(request.method, target, self._server.registry)
        if target.subresource == "log":
            return await self._log(request, target)
        response = await self._resource(request, target)
        version = self._server.registry.version_of(target.resource)
        if version is not None and version.warning and not response.prepared:
            add_warnings(response, [version.warning])
        return response

    async def _review(self, request: web.Request, review: Resource) -> web.Response:
        if request.method != "POST":
            raise MethodNotAllowedError(f"{review.plural} can only be created")
        body = requests.decoded(await request.read(), _content_type(request))
        return answer(request, self._reviews.answer(review, body), status=201)

    async def _resource(self, request: web.Request, target: Target) -> web.StreamResponse:
        verb = (request.method, bool(target.name))
        match verb:
            case ("GET" | "HEAD", True) if not requests.is_watch(request.query):
                return self._get(request, target)
            case ("GET" | "HEAD", _):
                return await self._list_or_watch(request, target)
            case ("POST", False) | ("PUT" | "PATCH", True):
                return await self._write(request, target)
            case ("DELETE", _) if not target.subresource:
                return await self._delete(request, target)
            case _:
                raise MethodNotAllowedError(
                    f"{request.method} is not allowed on {request.path}: the server does not "
                    "allow this method on the requested resource"
                )

    def _get(self, request: web.Request, target: Target) -> web.Response:
        resource = target.resource
        if target.subresource == "scale":
            return answer(request, self._server.get_scale(resource, target.namespace, target.name))
        if target.subresource not in ("", "status"):
            raise resources.no_such_part(resource, target.subresource)
        obj = self._server.get(resource, target.namespace, target.name)
        if _wants_table(request):
            return answer(
                request, self._table(request, target, [obj], obj["metadata"]["resourceVersion"])
            )
        return answer(request, self._server.shown(resource, obj))

    async def _list_or_watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        selection = requests.selection_of(target, request.query)
        if requests.is_watch(request.query):
            return await self._watch(request, target)
        found = self._server.list(target.resource, selection, requests.list_options(request.query))
        if _wants_table(request):
            raw = self._table(request, target, found.items, found.resource_version)
        else:
            raw = {
                "kind": f"{target.resource.kind}List",
                "apiVersion": target.resource.api_version,
                "metadata": {"resourceVersion": found.resource_version},
                "items": [self._server.shown(target.resource, obj) for obj in found.items],
            }
        _add_continuation(raw["metadata"], found)
        return answer(request, raw)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        selection = requests.selection_of(target, request.query)
        options = requests.watch_options(request.query)
        watcher = self._server.watch(target.resource, selection, options)
        timeout_s = requests.watch_timeout_s(request.query)
        render = self._row_renderer(request, target) if _wants_table(request) else _whole

        def bookmark() -> WatchEvent:
            return WatchEvent(type="BOOKMARK", object=self._server.bookmark_of(target.resource))

        try:
            return await streams.send_watch(
                request,
                watcher,
                render=render,
                bookmark=bookmark if options.has_bookmarks else None,
                timeout_s=streams.WATCH_TIMEOUT_S if timeout_s is None else timeout_s,
            )
        finally:
            watcher.close()

    def _row_renderer(self, request: web.Request, target: Target) -> streams.Render:
        is_first = True

        def render(event: WatchEvent) -> Any:
            nonlocal is_first
            if event.type == "BOOKMARK":
                return event.object
            version = event.object["metadata"]["resourceVersion"]
            raw = self._table(request, target, [event.object], version)
            if not is_first:  # the columns go with the first row only
                raw["columnDefinitions"] = []
            is_first = False
            return raw

        return render

    def _table(
        self, request: web.Request, target: Target, objects: list[dict[str, Any]], version: str
    ) -> dict[str, Any]:
        include = request.query.get("includeObject", "Metadata")
        if include not in ("None", "Metadata", "Object"):
            raise BadRequestError(f"includeObject: {include!r}: want None, Metadata or Object")
        raw = tables.table(
            target.resource,
            objects,
            now_s=self._server.now_s(),
            include=include,
            columns=self._server.registry.columns_of(target.resource),
        )
        raw["metadata"]["resourceVersion"] = version
        return raw

    async def _write(self, request: web.Request, target: Target) -> web.Response:
        body = await request.read()
        options = requests.write_options(
            request.query,
            user=self._user,
            subresource=target.subresource,
            agent=request.headers.get("User-Agent", ""),
            is_apply=_content_type(request) == requests.APPLY,
        )
        content_type = _content_type(request)
        mode = request.query.get("fieldValidation") or "Warn"
        is_read_twice = mode != "Ignore" and content_type != requests.PROTOBUF
        twice = duplicates(body) if is_read_twice else []
        if request.method == "PATCH":
            kind = requests.patch_kind(content_type)
            patch = requests.decoded(body, content_type)
            place = (target.namespace, target.name)
            checked = patch
            if kind == "json" and target.subresource != "scale":
                # Its fields show in what it makes of the object.
                old = self._server.get(target.resource, *place)
                checked = patching.patched(target.resource, old, patch, kind)
            warnings = self._checked(target, checked, mode, twice)
            stored = self._server.patch(target.resource, place, patch, kind, options)
            warnings += _advice(target, stored, old=stored)
            return self._written(request, target, stored, warnings)
        obj = requests.decoded(body, content_type)
        warnings = self._checked(target, obj, mode, twice)
        if request.method == "POST":
            stored = self._server.create(target.resource, target.namespace, obj, options)
            warnings += _advice(target, stored, old=None)
            return self._written(request, target, stored, warnings)
        stored = self._server.replace(target.resource, target.namespace, target.name, obj, options)
        warnings += _advice(target, stored, old=stored)
        return self._written(request, target, stored, warnings)

    def _written(
        self, request: web.Request, target: Target, stored: dict[str, Any], warnings: list[str]
    ) -> web.Response:
        """The object as a GET would now show it."""
        if target.subresource != "scale":
            stored = self._server.shown(target.resource, stored)
        status = 201 if request.method == "POST" else 200
        return answer(request, stored, status=status, warnings=warnings)

    def _checked(self, target: Target, obj: Any, mode: str, twice: list[str]) -> list[str]:
        if target.subresource == "scale":
            return []
        version = self._server.registry.version_of(target.resource)
        schema = None if version is None else version.schema
        return fieldcheck.check(target.resource, obj, mode, schema, twice=twice)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        body = await request.read()
        decoded = requests.decoded(body, _content_type(request)) if body.strip() else None
        options = requests.delete_options(request.query, decoded)
        if target.name:
            return answer(
                request,
                self._server.delete(target.resource, target.namespace, target.name, options),
            )
        selection = requests.selection_of(target, request.query)
        found = self._server.delete_collection(target.resource, selection, options)
        raw = {
            "kind": f"{target.resource.kind}List",
            "apiVersion": target.resource.api_version,
            "metadata": {"resourceVersion": self._server.version},
            "items": found.items,
        }
        return answer(request, raw)

    async def _log(self, request: web.Request, target: Target) -> web.StreamResponse:
        if request.method != "GET":
            raise MethodNotAllowedError("a log can only be read")
        if target.resource is not logs.RESOURCE:
            raise NotFoundError(f"{resources.qualified(target.resource)} have no log")
        query = logs.query_of(request.query)
        pieces = logs.opened(self._server, target.namespace, target.name, query)
        task = asyncio.current_task()
        assert task is not None, "a handler runs in a task"
        self._logs.add(task)
        try:
            return await streams.send_log(request, pieces, bytes_max=query.bytes_max)
        finally:
            self._logs.discard(task)


def _advice(
    target: Target, stored: dict[str, Any], *, old: dict[str, Any] | None
) -> tuple[str, ...]:
    """What the kind itself warns of, whoever wrote it; not where only a status was written."""
    return () if target.subresource else api_warnings.warnings(target.resource, stored, old)


def _whole(event: WatchEvent) -> Any:
    return event.object


def _add_continuation(metadata: dict[str, Any], found: ObjectList) -> None:
    if found.continue_token:
        metadata["continue"] = found.continue_token
        metadata["remainingItemCount"] = found.remaining


def _wants_table(request: web.Request) -> bool:
    accepted = request.headers.get("Accept", "")
    return "as=Table" in accepted and "g=meta.k8s.io" in accepted


def _content_type(request: web.Request) -> str:
    # aiohttp says application/octet-stream where nothing is said.
    return request.content_type if "Content-Type" in request.headers else ""
