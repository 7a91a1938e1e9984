"""What a request to an API server may ask for besides the object itself.

For: one spelling of the query parameters, shared by the caller and the server.
Must not know: URLs, or what a server does about any of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which objects of a kind: a namespace (None: all) and two selectors, as text."""

    namespace: str | None = None
    labels: str = ""
    fields: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """How to list. `limit` 0 means everything at once."""

    limit: int = 0
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchOptions:
    """Where a watch starts. "" and "0" begin with the present objects as ADDED."""

    resource_version: str = ""
    has_bookmarks: bool = False
    send_initial_events: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Who writes, to which part, and whether for real."""

    user: str = "relight"
    field_manager: str = ""
    subresource: str = ""
    is_dry_run: bool = False
    is_forced: bool = False
    applied: Mapping[str, Any] | None = None  # what an apply patch says, for managedFields


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """How to delete. Preconditions left None are not checked."""

    propagation: str = ""  # "" is the server's default, Background
    uid: str | None = None
    resource_version: str | None = None
    grace_period_s: int | None = None
    is_dry_run: bool = False


NO_SELECTION = Selection()
NO_LIST_OPTIONS = ListOptions()
NO_WRITE_OPTIONS = WriteOptions()
NO_DELETE_OPTIONS = DeleteOptions()
