"""AdmissionReviews: what an API server asks a webhook, and the answer in its form.

For: telling a question that makes no sense by the field, before anybody thinks about it.
Must not know: what is admitted, HTTP, or sockets.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from api.objects import Raw

API_VERSION: Final = "admission.k8s.io/v1"
KIND: Final = "AdmissionReview"
OPERATIONS: Final = ("CREATE", "UPDATE", "DELETE", "CONNECT")


class ReviewError(ValueError):
    """It is no AdmissionReview; the message names the field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One question: may this be done?"""

    uid: str
    group: str
    version: str
    plural: str
    operation: str
    subresource: str = ""
    namespace: str = ""
    user: str = ""
    new: Raw | None = None  # None on DELETE
    old: Raw | None = None  # None on CREATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer. Without a message it may be done."""

    message: str = ""
    code: int = 400
    reason: str = "BadRequest"
    patch: Sequence[Mapping[str, Any]] = ()
    warnings: tuple[str, ...] = field(default=())


ALLOWED: Final = Verdict()
TOO_DEEP: Final = Verdict(message="the object is nested too deeply")


def read(body: bytes) -> Review:
    """The question in a request's body; ReviewError."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ReviewError(f"the body is no JSON: {error}") from None
    review = _object(raw, "the body")
    for name, wanted in (("apiVersion", API_VERSION), ("kind", KIND)):
        if review.get(name) != wanted:
            raise ReviewError(f"{name}: must be {wanted}, not {_shown(review.get(name))}")
    request = _object(review.get("request"), "request")
    resource = _object(request.get("resource"), "request.resource")
    operation = _text(request, "operation", "request")
    if operation not in OPERATIONS:
        raise ReviewError(f"request.operation: {operation!r}: want one of {', '.join(OPERATIONS)}")
    user = request.get("userInfo")
    user = {} if user is None else _object(user, "request.userInfo")
    new, old = (_stored(request, name) for name in ("object", "oldObject"))
    for name, found, needed in (
        ("object", new, ("CREATE", "UPDATE")),
        ("oldObject", old, ("UPDATE",)),
    ):
        if found is None and operation in needed:
            raise ReviewError(f"request.{name}: must be an object on {operation}")
    return Review(
        uid=_text(request, "uid", "request", is_needed=True),
        group=_text(resource, "group", "request.resource"),
        version=_text(resource, "version", "request.resource", is_needed=True),
        plural=_text(resource, "resource", "request.resource", is_needed=True),
        operation=operation,
        subresource=_text(request, "subResource", "request"),
        namespace=_text(request, "namespace", "request"),
        user=_text(user, "username", "request.userInfo"),
        new=new,
        old=None if operation == "CREATE" else old,
    )


def answer(review: Review, verdict: Verdict) -> bytes:
    """The body of the answer."""
    response: dict[str, Any] = {"uid": review.uid, "allowed": not verdict.message}
    if verdict.message:
        response["status"] = {
            "status": "Failure",
            "message": verdict.message,
            "reason": verdict.reason,
            "code": verdict.code,
        }
    if verdict.patch:
        try:
            patch = orjson.dumps(verdict.patch)
        except TypeError:  # what can be read is not always shallow enough to be written
            return answer(review, TOO_DEEP)
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(patch).decode()
    if verdict.warnings:
        response["warnings"] = verdict.warnings
    return orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _stored(request: Mapping[str, Any], name: str) -> Raw | None:
    """An object with metadata in the form that every API server gives it."""
    if request.get(name) is None:
        return None
    found = _object(request[name], f"request.{name}")
    metadata = _object(found.get("metadata"), f"request.{name}.metadata")
    for part in ("labels", "annotations"):
        if metadata.get(part) is not None:
            _object(metadata[part], f"request.{name}.metadata.{part}")
    return found


def _object(raw: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(raw, dict):
        raise ReviewError(f"{path}: must be an object, not {_shown(raw)}")
    return raw


def _text(raw: Mapping[str, Any], name: str, path: str, *, is_needed: bool = False) -> str:
    found = raw.get(name)
    if found is None and not is_needed:
        return ""
    if not isinstance(found, str) or (is_needed and not found):
        raise ReviewError(f"{path}.{name}: must be a text, not {_shown(found)}")
    return found


def _shown(raw: Any) -> str:
    match raw:
        case None:
            return "null"
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            return repr(raw[:80])
        case _:
            return repr(raw)
