"""What components may do, from their roles, beside what they did, from the server's audit log.

A right is (group, resource or resource/part, verb); for what has no resource ("", path, verb).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

Right = tuple[str, str, str]
PREFIX = "system:serviceaccount:relight-system:"


def used(log: Path) -> tuple[dict[str, Counter[Right]], list[str]]:
    """By component, how often each right was used; and what was forbidden, in sentences."""
    found: dict[str, Counter[Right]] = {}
    forbidden: list[str] = []
    for path in sorted(log.parent.glob(f"{log.name}*")):
        with path.open() as lines:
            for line in lines:
                event = json.loads(line)
                who = str(event["user"]["username"])
                if not who.startswith(PREFIX):
                    continue
                right, component = _right(event), who.removeprefix(PREFIX)
                if event.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid":
                    forbidden.append(f"{component} {' '.join(right)}: {event['requestURI']}")
                else:
                    found.setdefault(component, Counter())[right] += 1
    return found, forbidden


def _right(event: Mapping[str, Any]) -> Right:
    at = event.get("objectRef")
    if not at or "resource" not in at:
        path = str(event["requestURI"]).partition("?")[0]
        return "", path, str(event["verb"])
    part = f"/{at['subresource']}" if at.get("subresource") else ""
    return at.get("apiGroup", ""), f"{at['resource']}{part}", str(event["verb"])


def granted(roles: Iterable[Mapping[str, Any]]) -> set[Right]:
    """Every right of some roles."""
    found = set()
    for rule in (rule for role in roles for rule in role.get("rules") or ()):
        named = product(rule.get("apiGroups", ()), rule.get("resources", ()))
        paths = product([""], rule.get("nonResourceURLs", ()))
        for (group, resource), verb in product([*named, *paths], rule["verbs"]):
            found.add((group, resource, verb))
    return found


def table(component: str, uses: Mapping[Right, int], grants: set[Right]) -> list[str]:
    """A line for each resource: the verbs that were used, how often, and those that were not."""
    lines = [f"{component}: used (times) · granted, not used"]
    for of in sorted({right[:2] for right in (*uses, *grants)}):
        verbs = {verb: count for (*where, verb), count in sorted(uses.items()) if (*where,) == of}
        idle = sorted(verb for *where, verb in grants if (*where,) == of and verb not in verbs)
        told = " ".join(f"{verb}({count})" for verb, count in verbs.items())
        name = ".".join(each for each in reversed(of) if each)
        lines.append(f"  {name:<58} {told}{' · ' + ' '.join(idle) if idle else ''}")
    return lines
