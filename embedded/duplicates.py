"""Fields that a body says twice: every parser keeps the last, nobody meant both.

For: `fieldValidation=Strict` and `Warn`.
Must not know: kinds, or what is done about it.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

_DEPTH_MAX: Final = 200  # of YAML; the parser in C has no end of its own but the stack's


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written, with every field."""


def duplicates(body: bytes) -> list[str]:
    """The sentences of Kubernetes for every field that is there twice; none for what is no JSON."""
    has_any = False

    def look(pairs: list[tuple[str, Any]]) -> None:
        nonlocal has_any
        has_any = has_any or len({key for key, _ in pairs}) < len(pairs)

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return _in_yaml(body)
    if not has_any:
        return []
    whole = json.loads(body, object_pairs_hook=_Pairs)
    return [f'duplicate field "{path}"' for path in dict.fromkeys(_twice(whole, ""))]


def _twice(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, child in value:
            here = f"{path}.{key}" if path else key
            if key in seen:
                yield here
            seen.add(key)
            yield from _twice(child, here)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _twice(item, f"{path}[{at}]")


def _in_yaml(body: bytes) -> list[str]:
    try:
        refuse_bombs(body)
        root = yaml.compose(body, Loader=yaml.CSafeLoader)
        found = [] if root is None else list(_twice_in(root))
    except (yaml.YAMLError, RecursionError):
        return []  # who reads the body says what is wrong with it
    if not found:
        return []
    return ["yaml: unmarshal errors:\n" + "\n".join(f"  {each}" for each in found)]


def refuse_bombs(body: bytes) -> None:
    """No aliases: a few lines of them can stand for gigabytes; nor what is too deep; YAMLError."""
    depth = 0
    for event in yaml.parse(body, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read in a request: write the value out")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEPTH_MAX:
            raise yaml.YAMLError(f"it is more than {_DEPTH_MAX} levels deep")


def _twice_in(node: yaml.Node) -> Iterator[str]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _twice_in(item)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, child in node.value:
            if str(key.value) in seen:
                yield f'line {key.start_mark.line + 1}: key "{key.value}" already set in map'
            seen.add(str(key.value))
            yield from _twice_in(child)
