"""What an API server may answer instead of an object: one class per answer someone catches.

For: telling refusals apart by type, with the server's own words kept.
Must not know: how the answer travelled, or what a caller does about it.
"""

from collections.abc import Mapping
from typing import Any, ClassVar


class ApiError(Exception):
    """A refusal by an API server, or a failure to reach it; str() is the message."""

    def __init__(
        self, status: int, reason: str, message: str, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details: Mapping[str, Any] = details or {}

    def to_status(self) -> dict[str, Any]:
        """The Kubernetes Status object that says this on the wire."""
        raw: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.status,
        }
        if self.details:
            raw["details"] = dict(self.details)
        return raw


class _KnownError(ApiError):
    known_status: ClassVar[int]
    known_reason: ClassVar[str]

    def __init__(self, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(self.known_status, self.known_reason, message, details)


class BadRequestError(_KnownError):
    """400: the request makes no sense to the server."""

    known_status, known_reason = 400, "BadRequest"


class UnauthorizedError(_KnownError):
    """401: no credentials, or wrong ones."""

    known_status, known_reason = 401, "Unauthorized"


class ForbiddenError(_KnownError):
    """403: understood and refused."""

    known_status, known_reason = 403, "Forbidden"


class NotFoundError(_KnownError):
    """404: no such object, namespace or kind."""

    known_status, known_reason = 404, "NotFound"


class MethodNotAllowedError(_KnownError):
    """405: the thing exists but has no such verb."""

    known_status, known_reason = 405, "MethodNotAllowed"


class AlreadyExistsError(_KnownError):
    """409 on create: the name is taken."""

    known_status, known_reason = 409, "AlreadyExists"


class ConflictError(_KnownError):
    """409 on a write: the object is not the one the caller had read."""

    known_status, known_reason = 409, "Conflict"


class GoneError(_KnownError):
    """410: the resourceVersion is older than what the server remembers; list again."""

    known_status, known_reason = 410, "Expired"


class TooLargeError(_KnownError):
    """413: the body is over the server's limit."""

    known_status, known_reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaTypeError(_KnownError):
    """415: the server does not read this kind of body."""

    known_status, known_reason = 415, "UnsupportedMediaType"


class InvalidError(_KnownError):
    """422: the object breaks a rule; details.causes name the fields."""

    known_status, known_reason = 422, "Invalid"


class InternalError(_KnownError):
    """500: the server failed; nothing was changed."""

    known_status, known_reason = 500, "InternalError"


class UnavailableError(_KnownError):
    """503, or no answer at all: the server cannot be reached now."""

    known_status, known_reason = 503, "ServiceUnavailable"


_KNOWN: tuple[type[_KnownError], ...] = (
    BadRequestError,
    UnauthorizedError,
    ForbiddenError,
    NotFoundError,
    MethodNotAllowedError,
    AlreadyExistsError,
    ConflictError,
    GoneError,
    TooLargeError,
    UnsupportedMediaTypeError,
    InvalidError,
    InternalError,
    UnavailableError,
)
_BY_REASON = {known.known_reason: known for known in _KNOWN} | {"Gone": GoneError}
# 409 without a reason is taken for a conflict: the caller reads again, which is always safe.
_BY_STATUS = {known.known_status: known for known in _KNOWN}


def from_status(raw: Mapping[str, Any]) -> ApiError:
    """The typed error for a Status object; the reason decides, then the code."""
    status = int(raw.get("code") or 500)
    reason = str(raw.get("reason") or "")
    message = str(raw.get("message") or reason or f"HTTP {status}")
    details = raw.get("details") or {}
    known = _BY_REASON.get(reason) or _BY_STATUS.get(status)
    if known is not None and known.known_status == status:
        return known(message, details)
    return ApiError(status, reason or "Unknown", message, details)


def is_of_an_ending_namespace(error: ApiError) -> bool:
    """Whether nothing can be created there any more, as the namespace is being deleted."""
    causes = error.details.get("causes") or ()
    return any(each.get("reason") == "NamespaceTerminating" for each in causes)
