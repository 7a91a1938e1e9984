"""One object, in the version of its kind that is asked for.

For: kinds with several served versions, whose conversion strategy is None.
Must not know: where objects are kept.
"""

from typing import Any

from api.kinds import Resource


def in_version(resource: Resource, obj: dict[str, Any]) -> dict[str, Any]:
    """The object as this version of its kind has it; itself where that is how it is."""
    if obj.get("apiVersion") == resource.api_version or "apiVersion" not in obj:
        return obj
    return {**obj, "apiVersion": resource.api_version}
