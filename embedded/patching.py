"""A patch of any type, applied to an object of a kind.

For: choosing what a patch type means for a kind, and answering for patches that do not fit.
Must not know: whether the result is allowed.
"""

from collections.abc import Mapping
from typing import Any

from api.kinds import Resource
from cluster.client import PatchKind
from cluster.errors import BadRequestError, UnsupportedMediaTypeError
from embedded import patch as patches
from embedded import resources, strategic


def patched(
    resource: Resource, target: Mapping[str, Any], patch: Any, kind: PatchKind
) -> dict[str, Any]:
    """The object after the patch; `target` is left as it is."""
    try:
        result = _apply(resource, target, patch, kind)
    except patches.MalformedPatchError as error:
        raise BadRequestError(f"the patch is malformed: {error}") from error
    except patches.PatchError as error:
        name = str(target["metadata"]["name"])
        raise resources.invalid(resource, name, [("patch", str(error))]) from error
    if not isinstance(result, dict):
        raise BadRequestError("the patch leaves no object")
    return result


def _apply(resource: Resource, target: Mapping[str, Any], patch: Any, kind: PatchKind) -> Any:
    if kind == "json":
        return patches.apply_operations(target, patch)
    if not isinstance(patch, Mapping):
        raise BadRequestError(f"the patch is not an object but {type(patch).__name__}")
    is_built_in = resource in resources.BUILT_IN
    if kind == "merge" or (kind == "apply" and not is_built_in):
        # In an apply a null is a value like any other only for fields that may be null; none may.
        return patches.merge(target, patch)
    if not is_built_in:
        raise UnsupportedMediaTypeError(
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml"
        )
    return strategic.merge(target, patch)
