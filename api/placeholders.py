"""Go's templates in the containers of runtimes, as far as KServe's runtimes use them.

For: putting the name, namespace, labels and annotations of an InferenceService in their places.
Must not know: what stands around a placeholder.
"""

import re
from collections.abc import Mapping
from typing import Any

from api.objects import ObjectMeta

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_FIELD = re.compile(r"\.(Name|Namespace|UID)")
_ENTRY = re.compile(r"\.(Labels|Annotations)\.([A-Za-z_][A-Za-z0-9_]*)")
_INDEX = re.compile(r'index\s+\.(Labels|Annotations)\s+(?:"([^"]*)"|`([^`]*)`)')


class PlaceholderError(ValueError):
    """A template can not be filled in; the message says which and why."""


def filled(value: Any, meta: ObjectMeta) -> Any:
    """A JSON value with every placeholder in its strings replaced; PlaceholderError."""
    if isinstance(value, str):
        _, brace, rest = _ACTION.sub(" ", value).partition("{{")
        if brace:
            raise PlaceholderError(f"{brace}{rest} is a placeholder without an end")
        return _ACTION.sub(lambda match: _value(match[1], meta), value)
    if isinstance(value, Mapping):
        return {name: filled(each, meta) for name, each in value.items()}
    return [filled(each, meta) for each in value] if isinstance(value, list) else value


def _value(action: str, meta: ObjectMeta) -> str:
    simple = _FIELD.fullmatch(action)
    if simple is not None:
        texts = {"Name": meta.name, "Namespace": meta.namespace, "UID": meta.uid}
        return texts[simple[1]]
    found = _ENTRY.fullmatch(action) or _INDEX.fullmatch(action)
    if found is None:
        raise PlaceholderError(f"{{{{{action}}}}} is not a placeholder that is served")
    entries = meta.labels if found[1] == "Labels" else meta.annotations
    key = next(each for each in found.groups()[1:] if each is not None)
    if key not in entries:
        what = found[1].lower()[:-1]
        raise PlaceholderError(f"{{{{{action}}}}}: the InferenceService has no {what} {key}")
    return entries[key]
