"""Admission as the server asks for it, and its refusals as Kubernetes would word them.

For: one place where an object that breaks the rules of its kind becomes an answer.
Must not know: the rules themselves.
"""

from typing import Any, Protocol

from api.errors import InvalidObjectError
from api.kinds import Resource
from api.objects import Raw
from cluster.errors import BadRequestError, ForbiddenError
from cluster.options import WriteOptions
from embedded import resources

# What users of KServe see, word for word.
_OF_KSERVE = "serving.kserve.io"
_KSERVE_DENIED = (
    'admission webhook "{singular}.kserve-webhook-server.validator" denied the request: '
)
# What users of Knative see, word for word.
_DENIED = (
    'admission webhook "validation.webhook.serving.knative.dev" denied the request: '
    "validation failed: "
)


class Admit(Protocol):
    """Check an object and fill in defaults; InvalidObjectError."""

    def __call__(
        self, resource: Resource, new: Raw, old: Raw | None, *, user: str
    ) -> dict[str, Any]:
        """The object to store."""
        ...


class Admission:
    """Asks `admit`, and answers for it."""

    def __init__(self, admit: Admit) -> None:
        self._admit = admit

    def __call__(
        self, resource: Resource, new: Raw, old: Raw | None, options: WriteOptions
    ) -> dict[str, Any]:
        """The object to store, with metadata of its own.

        BadRequestError, ForbiddenError or InvalidError, as the kind's own server would answer.
        """
        try:
            admitted = self._admit(resource, new, old, user=options.user)
        except InvalidObjectError as error:
            if resource.group == _OF_KSERVE:
                denied = _KSERVE_DENIED.format(singular=resource.singular)
                raise ForbiddenError(f"{denied}{error}") from error
            if resource not in resources.BUILT_IN:
                raise BadRequestError(f"{_DENIED}{error}") from error
            causes = [(", ".join(each.paths), each.message) for each in error.errors]
            raise resources.invalid(resource, new["metadata"]["name"], causes) from error
        return {**admitted, "metadata": dict(admitted["metadata"])}
