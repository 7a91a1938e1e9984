"""Names that several objects may want: the oldest has it.

For: one owner for each host, whatever the order in which objects are seen.
Must not know: what is claimed, or why.
"""

from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V")


class Owner(NamedTuple):
    """Who claims. The order of owners is the order of their rights."""

    created: str  # creationTimestamp: text that sorts by time
    namespace: str
    name: str


class Claims(Generic[V]):
    """By name, what each owner says of it."""

    def __init__(self) -> None:
        self._claims: dict[bytes, dict[Owner, V]] = {}
        self._names: dict[tuple[str, str], list[tuple[bytes, Owner]]] = {}

    def put(self, owner: Owner, values: dict[bytes, V]) -> None:
        """All that an owner claims, in the place of what it claimed before."""
        self.drop(owner.namespace, owner.name)
        self._names[owner.namespace, owner.name] = [(name, owner) for name in values]
        for name, value in values.items():
            self._claims.setdefault(name, {})[owner] = value

    def drop(self, namespace: str, name: str) -> None:
        """An owner is gone."""
        for claimed, owner in self._names.pop((namespace, name), ()):
            owners = self._claims[claimed]
            del owners[owner]
            if not owners:
                del self._claims[claimed]

    def get(self, name: bytes) -> V | None:
        """What the rightful owner says; None when nobody claims this name. Cost: its claims."""
        owners = self._claims.get(name)
        return owners[min(owners)] if owners else None

    def names(self) -> list[bytes]:
        """All that is claimed."""
        return list(self._claims)
