"""What one asks of access and identity: reviews, which are answered and not kept.

For: `kubectl auth can-i` and `auth whoami`, and controllers that ask before they act.
Must not know: HTTP, or how a caller was recognised.

One machine has one user, who may do everything that is served. So the answer is no only for
what nobody can do here, and for users that do not exist.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from api.kinds import Resource
from api.objects import Raw
from cluster.errors import BadRequestError
from embedded.registry import Registry
from embedded.review_kinds import RULES, SELF, SUBJECT, TOKEN

_MASTERS: Final = "system:masters"
_GROUPS: Final = (_MASTERS, "system:authenticated")
_REASON: Final = "one machine has one user, who may do everything"


class Reviews:
    """Answers them. `knows` says whether a token is the one that is asked for here."""

    def __init__(self, registry: Registry, *, user: str, knows: Callable[[str], bool]) -> None:
        self._registry = registry
        self._user = user
        self._knows = knows

    def answer(self, resource: Resource, body: Any) -> dict[str, Any]:
        """The review with its status; BadRequestError for what is no such review."""
        if not isinstance(body, Mapping):
            raise BadRequestError(f"the body is not an object but {type(body).__name__}")
        kind = body.get("kind", resource.kind)
        if kind != resource.kind:
            raise BadRequestError(
                f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})"
            )
        spec = body.get("spec") or {}
        if not isinstance(spec, Mapping):
            raise BadRequestError("spec: must be an object")
        return {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": {},
            **({} if resource == SELF else {"spec": _without_token(spec)}),
            "status": self._status(resource, spec),
        }

    def _status(self, resource: Resource, spec: Raw) -> dict[str, Any]:
        if resource == RULES:
            every = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
            urls = {"verbs": ["*"], "nonResourceURLs": ["*"]}
            return {"resourceRules": [every], "nonResourceRules": [urls], "incomplete": False}
        if resource == SELF:
            return {"userInfo": self._user_info()}
        if resource == TOKEN:
            if self._knows(str(spec.get("token") or "")):
                return {"authenticated": True, "user": self._user_info()}
            return {"authenticated": False, "error": "this token is not the one used here"}
        if resource == SUBJECT and not self._is_somebody(spec):
            return {"allowed": False, "reason": f"the one user here is {self._user}"}
        return self._allowed(spec)

    def _user_info(self) -> dict[str, Any]:
        return {"username": self._user, "groups": list(_GROUPS)}

    def _is_somebody(self, spec: Raw) -> bool:
        if not spec.get("user") and not spec.get("groups"):
            raise BadRequestError("spec.user: Invalid value: at least one of user or group needed")
        return spec.get("user") == self._user or _MASTERS in (spec.get("groups") or ())

    def _allowed(self, spec: Raw) -> dict[str, Any]:
        asked = spec.get("resourceAttributes")
        if not isinstance(asked, Mapping):
            if not isinstance(spec.get("nonResourceAttributes"), Mapping):
                raise BadRequestError(
                    "spec: exactly one of nonResourceAttributes or resourceAttributes must be "
                    "specified"
                )
            return {"allowed": True, "reason": _REASON}
        verb, group, plural = (asked.get(key) or "" for key in ("verb", "group", "resource"))
        for each in self._registry.all:
            if (each.group, each.plural) == (group, plural) and not asked.get("subresource"):
                verbs = self._registry.verbs_of(each)
                if verb != "*" and verb not in verbs:
                    told = f"{plural} can only be asked to {', '.join(verbs)} here"
                    return {"allowed": False, "reason": told}
        return {"allowed": True, "reason": _REASON}


def _without_token(spec: Raw) -> dict[str, Any]:
    """A token is not repeated."""
    return {key: value for key, value in spec.items() if key != "token"}
