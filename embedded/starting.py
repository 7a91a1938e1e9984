"""Where a watch starts: the events that come before anything live.

For: catching up from a resourceVersion, or beginning with what is there.
Must not know: who watches, or how events are delivered afterwards.
"""

from api.kinds import Resource
from cluster.client import WatchEvent
from cluster.errors import GoneError
from cluster.options import WatchOptions
from embedded import listing
from embedded.history import CompactedError
from embedded.selection import Selector
from embedded.store import Store
from embedded.versions import in_version
from embedded.watching import bookmark, type_for


def events(
    store: Store, resource: Resource, selector: Selector, options: WatchOptions
) -> list[WatchEvent]:
    """What a new watcher is told first; GoneError when the history does not reach back to it."""
    version = listing.number(options.resource_version)
    if options.send_initial_events or not version:
        listing.check_reached(version, store.version)
        present = [
            WatchEvent(type="ADDED", object=obj)
            for obj in listing.selected(store, resource, selector)
        ]
        if options.send_initial_events and options.has_bookmarks:
            present.append(bookmark(resource, store.version, ends_initial=True))
        return present
    if version > store.version:
        raise GoneError(f"resourceVersion {version} is in the future of this server: list again")
    try:
        changes = store.changes_since(resource, version)
    except CompactedError as error:
        raise GoneError(f"too old resource version: {version} ({store.oldest_version})") from error
    return [
        WatchEvent(type=type_, object=in_version(resource, change.object))
        for change in changes
        if (type_ := type_for(selector, change)) is not None
    ]
