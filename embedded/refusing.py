"""Admission on one machine: what api says, and then what a process can not do.

For: telling `kubectl apply` at once, by path, what of a template this machine does not serve.
Must not know: what that is, or how an object is stored.
"""

from collections.abc import Callable
from typing import Any

from api.errors import InvalidObjectError
from api.kinds import CONFIGURATIONS, SERVICES, Resource
from api.objects import Raw
from embedded.admitting import Admit
from embedded.capabilities import Machine, refusals

_WITH_TEMPLATE = (SERVICES, CONFIGURATIONS)
_PATH = "spec.template.spec"


def refusing(admit: Admit, machine: Callable[[], Machine]) -> Admit:
    """`admit`, and InvalidObjectError for what is not served here.

    A template that did not change is let be: it was admitted when this machine could do more.
    """

    def admitted(resource: Resource, new: Raw, old: Raw | None, *, user: str) -> dict[str, Any]:
        result = admit(resource, new, old, user=user)
        if resource in _WITH_TEMPLATE:
            spec = _pod_spec(result)
            if old is None or spec != _pod_spec(old):
                faults = refusals(spec, path=_PATH, machine=machine())
                if faults:
                    raise InvalidObjectError(faults)
        return result

    return admitted


def _pod_spec(obj: Raw) -> dict[str, Any]:
    template = (obj.get("spec") or {}).get("template") or {}
    return dict(template.get("spec") or {})
