"""Statuses of two platforms side by side: what may differ, and whether anything else does."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

# What is set aside, by the last names of its path, and why. A status may differ in nothing else.
SET_ASIDE = {
    "lastTransitionTime": "when it happened",
    "time": "when it happened",
    "url": "an address",
    "uid": "drawn by each server",
}


def comparable(status: Any) -> Any:
    """The status without what is set aside; lists of conditions in the order of their types."""
    if isinstance(status, Mapping):
        return {key: comparable(each) for key, each in status.items() if key not in SET_ASIDE}
    if isinstance(status, list):
        made = [comparable(each) for each in status]
        if all(isinstance(each, dict) and "type" in each for each in made):
            made.sort(key=lambda each: str(each["type"]))
        return made
    return status


def difference(here: Mapping[str, Any], there: Mapping[str, Any]) -> str:
    """A unified diff of two maps of statuses; empty if they are the same."""
    texts = [json.dumps(comparable(each), indent=1, sort_keys=True) for each in (here, there)]
    lines = difflib.unified_diff(
        texts[0].splitlines(), texts[1].splitlines(), "one machine", "cluster", lineterm="", n=6
    )
    return "\n".join(lines)
