"""The kinds of review: asked by POST, answered, never kept.

For: naming them to discovery, OpenAPI and who answers them.
Must not know: the answers.
"""

from typing import Final

from api.kinds import Resource
from api.openapi import Schema

_ACCESS: Final = "authorization.k8s.io"
_IDENTITY: Final = "authentication.k8s.io"


def _review(group: str, plural: str, kind: str) -> Resource:
    return Resource(group, "v1", plural, kind, kind.lower(), is_namespaced=False)


ACCESS: Final = _review(_ACCESS, "selfsubjectaccessreviews", "SelfSubjectAccessReview")
RULES: Final = _review(_ACCESS, "selfsubjectrulesreviews", "SelfSubjectRulesReview")
SUBJECT: Final = _review(_ACCESS, "subjectaccessreviews", "SubjectAccessReview")
SELF: Final = _review(_IDENTITY, "selfsubjectreviews", "SelfSubjectReview")
TOKEN: Final = _review(_IDENTITY, "tokenreviews", "TokenReview")
ALL: Final = (ACCESS, RULES, SUBJECT, SELF, TOKEN)
_BY_PATH: Final = {f"/apis/{each.group}/v1/{each.plural}": each for each in ALL}
_FREE: Final[Schema] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def by_path(path: str) -> Resource | None:
    """The review that is made at a URL."""
    return _BY_PATH.get(path.rstrip("/"))


def schema_of(resource: Resource) -> Schema:
    """What a review looks like, loosely."""
    return {
        "type": "object",
        "description": f"A {resource.kind} is answered, not kept.",
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object", "description": "Of no use here."},
            "spec": _FREE,
            "status": _FREE,
        },
    }
