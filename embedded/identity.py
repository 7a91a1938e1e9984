"""What makes a new object itself: name, uid, time of creation.

For: everything about a new object that only the server may say.
Must not know: what is created.
"""

import random
from collections.abc import Callable
from typing import Any, Final

from api.kinds import Resource
from api.objects import Raw, rfc3339
from cluster.errors import AlreadyExistsError
from embedded import bodies, resources
from embedded.store import Store

_SUFFIX_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"  # Kubernetes': no vowels, no words
_SUFFIX_LENGTH: Final = 5
_PREFIX_MAX: Final = 58  # so that the whole is a DNS label
_TRIES: Final = 8


class Identities:
    """Gives new objects their identity."""

    def __init__(self, store: Store, *, clock: Callable[[], float], rng: random.Random) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng

    def give(self, resource: Resource, new: dict[str, Any]) -> None:
        """Replace `new["metadata"]` by one with an identity; InvalidError without any name."""
        given = new["metadata"]
        metadata: dict[str, Any] = {"name": given.get("name") or self._name(resource, given)}
        if resource.is_namespaced:
            metadata["namespace"] = given["namespace"]
        metadata["uid"] = self._uid()
        metadata["creationTimestamp"] = rfc3339(self._clock())
        if resource not in resources.WITHOUT_GENERATION:
            metadata["generation"] = 1
        new["metadata"] = metadata | bodies.own_fields(given)

    def _name(self, resource: Resource, metadata: Raw) -> str:
        prefix = metadata.get("generateName")
        if not prefix:
            raise resources.invalid(
                resource,
                "",
                [("metadata.name", "Required value: name or generateName is required")],
                reason="FieldValueRequired",
            )
        for _ in range(_TRIES):
            suffix = "".join(self._rng.choices(_SUFFIX_LETTERS, k=_SUFFIX_LENGTH))
            name = f"{prefix[:_PREFIX_MAX]}{suffix}"
            if self._store.get(resource, metadata.get("namespace", ""), name) is None:
                return name
        raise AlreadyExistsError(f"no free name was found for generateName {prefix!r}: try again")

    def _uid(self) -> str:
        """A version 4 UUID; uuid.UUID would cost five times as much."""
        text = f"{self._rng.getrandbits(128):032x}"
        variant = "89ab"[int(text[16], 16) & 3]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
