"""Whom to tell of a Revision's requests: the annotation `relight.dev/logger`.

For: reading it once, for admission and for the activator alike.
Must not know: how anybody is told.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from api import keys
from api.fields import Faults

_MODES = ("all", "request", "response")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110's token
_FIELDS = frozenset({"url", "mode", "metadataHeaders"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """What a Revision's annotation asks for."""

    url: str
    has_requests: bool
    has_responses: bool
    metadata_headers: tuple[str, ...] = ()


def read_logging(text: str) -> Logging:
    """Read the annotation; ValueError says what is wrong with it."""
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise ValueError("must be an object")  # noqa: TRY004 - one kind of error for callers
    unknown = sorted(raw.keys() - _FIELDS)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]!r}")
    url, mode, names = raw.get("url"), raw.get("mode", "all"), raw.get("metadataHeaders") or []
    if not isinstance(url, str) or not _is_http(url):
        raise ValueError("url: must be an http or https URL")
    if mode not in _MODES:
        raise ValueError(f"mode: must be one of {', '.join(_MODES)}")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError("metadataHeaders: must be a list of header names")
    for name in names:
        if not is_header_name(name):
            raise ValueError(f"metadataHeaders: {name!r} is no name of a header")
    return Logging(
        url=url,
        has_requests=mode != "response",
        has_responses=mode != "request",
        metadata_headers=tuple(names),
    )


def is_header_name(text: str) -> bool:
    """Whether a header may have this name."""
    return _HEADER_NAME.fullmatch(text) is not None


def check(annotations: Mapping[str, str], path: str, faults: Faults) -> None:
    """Note what is wrong with the annotation, if it is there."""
    text = annotations.get(keys.LOGGER)
    if text is None:
        return
    try:
        read_logging(text)
    except ValueError as error:
        faults.invalid(text, f"{path}.{keys.LOGGER}", str(error))


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
